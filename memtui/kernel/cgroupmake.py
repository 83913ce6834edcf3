"""Memory cgroups of our own making: where, who is inside, what befell them, the end.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. Sizes are bytes.
Everything raises a KernelError that names the file which refused.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import NamedTuple

from memtui.kernel.cgroupset import Group, Wanted, field, number, set_limits, write
from memtui.kernel.errors import Gone, KernelError, classify
from memtui.kernel.files import find_field
from memtui.kernel.mounts import (
    choose,
    membership,
    memory_mounts,
    parse_cgroup,
    parse_mountinfo,
    relative,
)
from memtui.kernel.place import find_place
from memtui.kernel.procfs import path_of
from memtui.kernel.roots import LIVE, Roots, read_bytes, read_optional

_CHARGE_SLACK = 256 << 10  # the kernel charges in batches per CPU: the peak ends that much short
_PAUSE_S = 0.005
_NO_LIMIT = 1 << 62  # v1: from here on a limit is none


class Place(NamedTuple):
    """Where the memory controller is, and where in it we are."""

    version: int  # 1 or 2
    top: str  # the mount point
    own: str  # directory of our own group


class Counters(NamedTuple):
    """What the OOM killer did in the group since it was made."""

    oom_kill: int | None  # processes killed in it, for whatever limit
    own: bool | None  # whether its own limit was what could not be met


def read_place(roots: Roots = LIVE) -> Place | None:
    """Read which version has the memory controller; None where no memory cgroup is visible."""
    version, _, _, chain = find_place(roots)
    if version is None:
        return None
    return Place(version, roots.at(chain[-1][1]), roots.at(chain[0][1]))


def read_directory(pid: int, roots: Roots = LIVE) -> str | None:
    """Return the directory of a process's memory group; None where it cannot be seen."""
    own = read_optional(path_of(roots, pid, "cgroup"))
    info = read_optional(roots.proc + "/self/mountinfo") or b""
    for version in (1, 2):
        mounts = memory_mounts(parse_mountinfo(info), version)
        path = membership(parse_cgroup(own or b""), version)
        mount = None if path is None else choose(mounts, path)
        below = None if mount is None or path is None else relative(path, mount.root)
        if mount is not None and below is not None:
            return roots.at(mount.point.rstrip("/") + below)
    return None


def read_escaped(directory: str, roots: Roots = LIVE) -> tuple[int, str] | None:
    """Return (bytes, path) of the least limit on us that does not hold for a group there.

    None where every visible group around us with a limit is around `directory`, too.
    """
    inside = os.path.realpath(directory) + "/"
    outside = []
    for path, shown in find_place(roots).chain:
        level = roots.at(shown)
        limit = _read_limit(level)
        if limit is not None and not inside.startswith(os.path.realpath(level).rstrip("/") + "/"):
            outside.append((limit, path))
    return min(outside, default=None)


def _read_limit(directory: str) -> int | None:
    """Return a group's limit of either version; v1 writes "none" as a number near 2**63."""
    found = [number(f"{directory}/memory.{name}") for name in ("max", "limit_in_bytes")]
    return next((n for n in found if n is not None and n < _NO_LIMIT), None)


def version_of(directory: str) -> int:
    """Return 2 for a directory in a v2 hierarchy, 1 for v1's."""
    return 2 if os.path.exists(directory + "/cgroup.controllers") else 1


def is_read_only(directory: str) -> bool:
    """Whether the mount that shows `directory` may not be written to. Raises OSError."""
    return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)


def why_not(directory: str, version: int) -> str | None:
    """Say why no limited group can be made in `directory`; None if nothing speaks against it."""
    try:
        if is_read_only(directory):
            return f"{directory} is mounted read-only"
    except OSError as e:
        return str(classify(e, directory))
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"no permission to make a group in {directory}"
    if version == 2 and b"memory" not in (read_optional(directory + "/cgroup.controllers") or b""):
        return f"{directory} has no memory controller"
    return None


def _enable_memory(base: str) -> None:
    """Let children of the v2 group `base` have limits: EBUSY where it has processes itself."""
    control = base + "/cgroup.subtree_control"
    if b"memory" not in read_bytes(control).split():
        write(control, "+memory")


def make_group(version: int, base: str, name: str, wanted: Wanted) -> Group:
    """Make the cgroup `base`/`name` with limits.

    On v2 the memory controller is enabled for `base`'s children where it is not. Raises a
    KernelError, and then leaves no group behind.
    """
    if version == 2:
        _enable_memory(base)
    directory = f"{base}/{name}"
    try:
        os.mkdir(directory)
    except OSError as e:
        raise classify(e, directory) from e
    try:
        return set_limits(version, directory, wanted)
    except KernelError:
        os.rmdir(directory)
        raise


def _subtree(directory: str) -> list[str]:
    """Return the group's directories, deepest first: the command may have made some in it."""
    return [d for d, _, _ in os.walk(directory, topdown=False)]


def enter(group: Group) -> None:
    """Move the calling process into the group; from now on it is charged there."""
    write(group.directory + "/cgroup.procs", "0")


def can_enter(group: Group) -> bool:
    """Whether a process of ours can be moved into the group: a shell is born, and tries it.

    On v2 that takes more than the right to make a group: to write cgroup.procs of the nearest
    group around both, and with `nsdelegate` a place inside of our cgroup namespace.
    """
    line = ["sh", "-c", 'echo 0 >"$1"', "sh", group.directory + "/cgroup.procs"]
    silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
    pid = os.posix_spawn("/bin/sh", line, {}, file_actions=[silent])
    return os.waitpid(pid, 0)[1] == 0


def read_procs(group: Group) -> set[int]:
    """Return the processes in the group and below it; empty once it is gone.

    A process of another PID namespace reads as 0 and is left out: 0 must never reach kill(2).
    """
    found = b" ".join(read_optional(d + "/cgroup.procs") or b"" for d in _subtree(group.directory))
    return {int(p) for p in found.split()} - {0}


def read_usage(group: Group) -> int | None:
    """Return what is charged to the group now, page cache included."""
    name = "/memory.current" if group.version == 2 else "/memory.usage_in_bytes"
    return number(group.directory + name)


def read_hard(group: Group) -> int | None:
    """Return the part of the usage that reclaim cannot give back; v1 does not tell slab apart."""
    usage, stat = read_usage(group), read_optional(group.directory + "/memory.stat") or b""
    lead = b"" if group.version == 2 else b"total_"
    keys = lead + b"inactive_file", lead + b"active_file", b"slab_reclaimable"
    soft = sum(find_field(stat, key) or 0 for key in keys)
    return None if usage is None else max(0, usage - soft)


def read_peak(group: Group) -> int | None:
    """Return the most that was ever charged, page cache included; v2: None before Linux 5.19."""
    name = "/memory.peak" if group.version == 2 else "/memory.max_usage_in_bytes"
    return number(group.directory + name)


def read_counters(group: Group) -> Counters:
    """Return the OOM kills in the group, and whether its own limit caused them.

    v2 says it in memory.events.local. v1 counts kills in each victim's own group only, and its
    failcnt may stay 0 when memory+swap fails first: there, the peak must have met the limit.
    """
    if group.version == 2:
        kills = field(group.directory + "/memory.events", b"oom_kill")
        own = field(group.directory + "/memory.events.local", b"oom")
        return Counters(kills, None if own is None else own > 0)
    each = [field(d + "/memory.oom_control", b"oom_kill") for d in _subtree(group.directory)]
    known = [n for n in each if n is not None]
    peak = read_peak(group)
    own_limit = None if peak is None else peak >= group.limit - _CHARGE_SLACK
    return Counters(sum(known) if known else None, own_limit)


def _kill_once(group: Group) -> None:
    with contextlib.suppress(KernelError):
        write(group.directory + "/cgroup.kill", "1")  # v2 since 5.14: no fork escapes it
        return
    for pid in read_procs(group):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def kill_all(group: Group, timeout_s: float = 5.0) -> bool:
    """SIGKILL every process in the group, also those born meanwhile; whether all are gone."""
    end = time.monotonic() + timeout_s
    while read_procs(group):
        if time.monotonic() > end:
            return False
        _kill_once(group)
        time.sleep(_PAUSE_S)
    return True


def remove(group: Group, timeout_s: float = 2.0) -> None:
    """Remove the group and the ones in it; dying processes keep it busy for some ms.

    Raises a KernelError when it is still busy after `timeout_s` seconds.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            for directory in _subtree(group.directory):
                os.rmdir(directory)
            return
        except OSError as e:
            error = classify(e, group.directory)
        if isinstance(error, Gone):
            return
        if time.monotonic() > end:
            raise error
        time.sleep(_PAUSE_S)
