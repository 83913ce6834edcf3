"""What memtui reads of /proc and /sys/fs/cgroup, file by file, to be taken elsewhere.

Beside the list stand the readers that decide it: `meminfo`, `procfs`, `cgroup1`, `cgroup2`,
`oomcount`, `place`. Left out of the files is what the kernel itself hides from strangers
(addresses, fs/proc/array.c) and what nobody here reads: other mounts, the builder's host name.
boot_id is not taken: it names one machine among all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.mounts import parse_mountinfo
from memtui.kernel.oomcount import read_kills
from memtui.kernel.place import Place, find_place
from memtui.kernel.roots import Roots, read_optional

MOST_GROUPS = 4096
"""Groups whose kills are counted: as many as the OOM watch walks."""

_MACHINE = (
    "meminfo",
    "vmstat",
    "loadavg",
    "stat",  # btime
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "sys/kernel/dmesg_restrict",
)
_PROCESS = ("statm", "status", "cgroup", "schedstat", "oom_score_adj", "limits", "smaps_rollup")
_LEVEL = {
    1: (
        "memory.usage_in_bytes",
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.kmem.usage_in_bytes",
        "memory.failcnt",
        "memory.memsw.failcnt",
        "memory.stat",
    ),
    2: (
        "cgroup.controllers",
        "memory.current",
        "memory.max",
        "memory.high",
        "memory.peak",
        "memory.swap.max",
        "memory.swap.current",
        "memory.stat",
        "memory.pressure",
        "memory.oom.group",
    ),
}
_COUNTERS = {1: ("memory.oom_control",), 2: ("memory.events", "memory.events.local")}
_MOUNTS = (b"cgroup", b"cgroup2", b"proc", b"fuse.lxcfs")
# fields of /proc/PID/stat, counted from 1 as proc(5) does, that hold addresses
_ADDRESSES = (26, 27, 28, 29, 30, 35, 45, 46, 47, 48, 49, 50, 51)


class Entry(NamedTuple):
    """One file, or a directory where `data` is None."""

    path: str  # below the root, without a leading slash: "proc/meminfo"
    data: bytes | None


def hide_addresses(stat: bytes) -> bytes:
    """Return a `stat` line with 0 for each address, as the kernel shows it to strangers."""
    end = stat.rfind(b")") + 2
    fields = stat[end:].split(b" ")
    for number in _ADDRESSES:
        if number - 3 < len(fields):
            fields[number - 3] = b"0"
    return stat[:end] + b" ".join(fields)


def hide_range(rollup: bytes) -> bytes:
    """Return `smaps_rollup` without the addresses in its first line."""
    head, _, rest = rollup.partition(b"\n")
    words = head.split(b" ", 1)
    return b"0-0 " + words[-1] + b"\n" + rest if len(words) == 2 else rollup


def keep_mounts(mountinfo: bytes) -> bytes:
    """Return only the lines that memtui reads: others name shares, users and directories."""
    lines = [
        line
        for line in mountinfo.splitlines(keepends=True)
        if line.partition(b" - ")[2].split(b" ")[0] in _MOUNTS
    ]
    return b"".join(lines)


def keep_release(version: bytes) -> bytes:
    """Return /proc/version up to the release: what follows names who built it, and where."""
    return b" ".join(version.split()[:3]) + b"\n"


def _entry(roots: Roots, path: str) -> Iterator[Entry]:
    """The file `path` of the machine looked at, unless it cannot be read."""
    data = read_optional(roots.at(path))
    if data is not None and ".." not in path.split("/"):
        yield Entry(path.lstrip("/"), data)


def read_machine(roots: Roots) -> Iterator[Entry]:
    """Yield the files of the whole machine."""
    for name in _MACHINE:
        yield from _entry(roots, f"/proc/{name}")
    version = read_optional(roots.at("/proc/version"))
    if version is not None:
        yield Entry("proc/version", keep_release(version))


def _stat(roots: Roots, pid: int | str) -> Iterator[Entry]:
    for path, data in _entry(roots, f"/proc/{pid}/stat"):
        if data:
            yield Entry(path, hide_addresses(data))


def _files_of(roots: Roots, pid: int | str, arguments: bool) -> Iterator[Entry]:
    for name in (*_PROCESS, "cmdline") if arguments else _PROCESS:
        for path, data in _entry(roots, f"/proc/{pid}/{name}"):
            yield Entry(path, hide_range(data) if data and name == "smaps_rollup" else data)


def read_process(roots: Roots, pid: int | str, arguments: bool) -> list[Entry]:
    """Return the files of one process; none at all if it ended before its `stat` was read.

    Its command line is among them only where `arguments` are asked for; its environment never.
    """
    stat = list(_stat(roots, pid))
    return [*stat, *_files_of(roots, pid, arguments)] if stat else []


def read_self(roots: Roots, arguments: bool) -> Iterator[Entry]:
    """Yield the files of /proc/self, as a directory of their own, with the cgroup mounts."""
    yield from _stat(roots, "self")
    yield from _files_of(roots, "self", arguments)
    mountinfo = read_optional(roots.at("/proc/self/mountinfo"))
    if mountinfo is not None:
        yield Entry("proc/self/mountinfo", keep_mounts(mountinfo))


def read_mounts(roots: Roots) -> Iterator[Entry]:
    """Yield where cgroups are mounted: which versions there are is told by that."""
    mountinfo = read_optional(roots.at("/proc/self/mountinfo")) or b""
    for mount in parse_mountinfo(mountinfo, b"cgroup", b"cgroup2"):
        if ".." not in mount.point.split("/"):
            yield Entry(mount.point.lstrip("/"), None)


def read_cgroups(roots: Roots) -> Iterator[Entry]:
    """Yield all levels from our own group up to the mount point, and every group's counters."""
    place = find_place(roots)
    if place.version is None:
        return
    for _, directory in place.chain:
        for name in _LEVEL[place.version]:
            yield from _entry(roots, f"{directory.rstrip('/')}/{name}")
    for directory in _counted(roots, place):
        yield Entry(directory.lstrip("/"), None)
        for name in _COUNTERS[place.version]:
            yield from _entry(roots, f"{directory}/{name}")


def _counted(roots: Roots, place: Place) -> Iterator[str]:
    """The directories of all visible groups, the mount point first."""
    top, directory = place.chain[-1]
    for path in read_kills(place.version or 0, top, roots.at(directory), MOST_GROUPS):
        below = path[len(top.rstrip("/")) :]
        yield (directory.rstrip("/") + "/" + below.strip("/")).rstrip("/")


def biggest_first(roots: Roots) -> list[str]:
    """Return all PIDs, those with most resident memory first. Raises a KernelError."""
    sizes = dict.fromkeys(procfs.list_pids(roots), 0)
    for name in sizes:
        with contextlib.suppress(KernelError):
            sizes[name] = procfs.read_rss_pages(roots, name)
    return sorted(sizes, key=lambda name: (-sizes[name], int(name)))
