"""v2: a group with processes cannot have children with limits, so ours step aside into a leaf.

Only where everybody in it is ours: this process, those above it, and its session, all of one
user; as in a container with one shell, or a scope that was delegated. It is undone when the last
of our groups there goes. Limits and counters of the group hold for the leaf as before.
"""

from __future__ import annotations

import contextlib
import os

from memtui.kernel.cgroupset import write
from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import read_kin, read_owner
from memtui.kernel.roots import LIVE, read_optional

NAME = "memtui-leaf"
_ROUNDS = 20  # of looking for who was born meanwhile


def _inside(directory: str) -> set[int]:
    return {int(p) for p in (read_optional(directory + "/cgroup.procs") or b"").split()}


def _above() -> set[int]:
    found, pid = set[int](), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        kin = read_kin(pid)
        pid = kin.ppid if kin else 0
    return found


def _is_ours(pid: int, above: set[int]) -> bool:
    kin = read_kin(pid)
    if kin is None or not kin.living:
        return True  # it has ended
    try:
        mine = read_owner(LIVE, pid)[1] == os.geteuid()
    except KernelError:
        return False
    return mine and (pid in above or kin.session == os.getsid(0))


def step_aside(base: str) -> bool:
    """Move everybody in `base` into a leaf; False, and all as before, where that cannot be."""
    above = _above()
    leaf = f"{base}/{NAME}"
    if not all(_is_ours(p, above) for p in _inside(base)):
        return False
    try:
        os.mkdir(leaf)
    except OSError as e:
        if not isinstance(e, FileExistsError):
            return False
    for _ in range(_ROUNDS):
        moving = _inside(base)
        if not moving:
            return True
        if not _move(moving, leaf):
            break
    step_back(base, "")
    return False


def _move(pids: set[int], into: str) -> bool:
    """Move them; False where one that lives cannot be moved."""
    moved = True
    for pid in pids:
        moved = _move_one(pid, into) and moved
    return moved


def _move_one(pid: int, into: str) -> bool:
    try:
        write(into + "/cgroup.procs", str(pid))
    except KernelError:
        kin = read_kin(pid)
        return kin is None or not kin.living
    return True


def step_back(base: str, prefix: str) -> None:
    """Undo it, unless there are other groups of ours in `base` (names with `prefix`)."""
    leaf = f"{base}/{NAME}"
    if not os.path.isdir(leaf):
        return
    if prefix and any(name.startswith(prefix) for name in os.listdir(base)):
        return
    with contextlib.suppress(KernelError, OSError):
        write(base + "/cgroup.subtree_control", "-memory")
        for _ in range(_ROUNDS):
            if not (inside := _inside(leaf)) or not _move(inside, base):
                break
        os.rmdir(leaf)
