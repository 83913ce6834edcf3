"""A whole v2 cgroup, found from who is in it, and its `cgroup.kill`, which no fork escapes.

Source: Documentation/admin-guide/cgroup-v2.rst; `cgroup.kill` is there since Linux 5.14.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from memtui.kernel.errors import classify
from memtui.kernel.mounts import (
    choose,
    membership,
    memory_mounts,
    parse_cgroup,
    parse_mountinfo,
    relative,
)
from memtui.kernel.procfs import path_of
from memtui.kernel.roots import LIVE, Roots, read_optional


class Whole(NamedTuple):
    """A v2 cgroup that may be killed as a whole by us."""

    path: str  # as /proc/PID/cgroup has it
    directory: str


def find_whole(pids: Collection[int], roots: Roots = LIVE) -> Whole | None:
    """Return the smallest v2 cgroup around all of `pids`, where we may write its `cgroup.kill`.

    None too where that is the root, which has none.
    """
    paths = [p for pid in pids if (p := _path_of(pid, roots)) is not None]
    if not paths or len(paths) < len(pids):
        return None
    path = os.path.commonpath(paths)
    data = read_optional(roots.proc + "/self/mountinfo") or b""
    mount = choose(memory_mounts(parse_mountinfo(data, b"cgroup2"), 2), path)
    below = None if mount is None else relative(path, mount.root)
    if mount is None or not below:
        return None
    directory = roots.at(mount.point.rstrip("/") + below)
    return Whole(path, directory) if os.access(directory + "/cgroup.kill", os.W_OK) else None


def _path_of(pid: int, roots: Roots) -> str | None:
    data = read_optional(path_of(roots, pid, "cgroup")) or b""
    return membership(parse_cgroup(data), 2)


def read_members(whole: Whole) -> set[int]:
    """Return who is in the group and those below it; 0 stands for who has no PID for us."""
    found: list[bytes] = []
    for directory, _, _ in os.walk(whole.directory):
        found += (read_optional(directory + "/cgroup.procs") or b"").split()
    return {int(p) for p in found}


def kill_whole(whole: Whole) -> None:
    """SIGKILL everybody in the group and those below it at once. Raises a KernelError."""
    path = whole.directory + "/cgroup.kill"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)
    except OSError as e:
        raise classify(e, path) from e
