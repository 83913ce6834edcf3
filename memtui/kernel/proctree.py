"""A command's processes where no cgroup holds them together: descendants, sizes, rlimits.

Sources: Documentation/filesystems/proc.rst, proc_pid_task(5). Sizes are bytes.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel.roots import LIVE, Roots, read_optional


class Sizes(NamedTuple):
    """One process in /proc/PID/status; all 0 for a zombie, whose memory is gone."""

    rss: int = 0
    hwm: int = 0  # largest RSS since exec
    data: int = 0  # VmData: what RLIMIT_DATA counts
    virt_peak: int = 0  # VmPeak: the most that RLIMIT_AS counted
    shared: int = 0  # RssFile + RssShmem: the part of rss that RLIMIT_DATA does not count


_FIELDS = {b"VmRSS": 0, b"VmHWM": 1, b"VmData": 2, b"VmPeak": 3, b"RssFile": 4, b"RssShmem": 4}


def parse_sizes(data: bytes) -> Sizes:
    """Return the sizes in `status`; what is absent is 0."""
    sizes = [0, 0, 0, 0, 0]
    for line in data.splitlines():
        name, _, value = line.partition(b":")
        if name in _FIELDS:
            sizes[_FIELDS[name]] += int(value.split()[0]) * 1024
    return Sizes(*sizes)


def read_sizes(pid: int, roots: Roots = LIVE) -> Sizes | None:
    """Return the sizes of a process; None once it is gone."""
    data = read_optional(f"{roots.proc}/{pid}/status")
    return None if data is None else parse_sizes(data)


def parse_limit(data: bytes, name: bytes) -> int | None:
    """Return the soft limit `name` ("Max data size") in /proc/PID/limits; None: unlimited."""
    for line in data.splitlines():
        if line.startswith(name):
            word = line[len(name) :].split()[0]
            return int(word) if word.isdigit() else None
    return None


def read_limit(pid: int, name: bytes, roots: Roots = LIVE) -> int | None:
    """Return the soft limit that the kernel holds for `pid`; None: unlimited, or not told."""
    return parse_limit(read_optional(f"{roots.proc}/{pid}/limits") or b"", name)


class Kin(NamedTuple):
    """The fields of /proc/PID/stat that say whose a process is."""

    state: bytes
    ppid: int
    session: int
    start: int  # clock ticks since boot


def parse_kin(data: bytes) -> Kin | None:
    """Return the kin of one `stat` line; None if it is none. The name may hold `)`."""
    f = data[data.rfind(b")") + 1 :].split()
    try:
        return Kin(f[0], int(f[1]), int(f[3]), int(f[19]))
    except (IndexError, ValueError):
        return None


def read_kin(pid: int, roots: Roots = LIVE) -> Kin | None:
    """Return whose process `pid` is; None once it is gone."""
    return parse_kin(read_optional(f"{roots.proc}/{pid}/stat") or b"")


def _all_kin(roots: Roots) -> dict[int, Kin]:
    table = {}
    for name in os.listdir(roots.proc):
        if name.isdigit() and (kin := read_kin(int(name), roots)):
            table[int(name)] = kin
    return table


def read_family(founders: set[int], session: int | None, roots: Roots = LIVE) -> dict[int, Kin]:
    """Return living `founders`, all their descendants, and who is in `session`; no zombies.

    One pass over /proc: about 20 us for each process of the machine.
    """
    table = _all_kin(roots)
    family = {p for p, k in table.items() if p in founders or k.session == session}
    grown = -1
    while grown != len(family):
        grown = len(family)
        family |= {p for p, k in table.items() if k.ppid in family}
    return {p: table[p] for p in family if table[p].state not in b"ZX"}


def read_marked(marker: bytes, roots: Roots = LIVE) -> dict[int, Kin]:
    """Return living processes that were started with `marker` ("NAME=value") in their environment.

    One pass over /proc; other users' processes cannot be asked.
    """
    found = {}
    for name in os.listdir(roots.proc):
        if name.isdigit():
            data = read_optional(f"{roots.proc}/{name}/environ") or b""
            kin = read_kin(int(name), roots) if marker in data.split(b"\0") else None
            if kin and kin.state not in b"ZX":
                found[int(name)] = kin
    return found


def read_children(pid: int, roots: Roots = LIVE) -> list[int]:
    """Return the children of the main thread: cheap, but other threads' children are missed.

    Empty on kernels without CONFIG_PROC_CHILDREN.
    """
    data = read_optional(f"{roots.proc}/{pid}/task/{pid}/children") or b""
    return [int(p) for p in data.split()]


def read_tree(pid: int, roots: Roots = LIVE) -> list[int]:
    """Return `pid` and its descendants, by `read_children`."""
    found = [pid]
    for each in found:
        found += read_children(each, roots)
    return found
