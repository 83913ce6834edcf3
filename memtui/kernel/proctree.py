"""A command's processes where no cgroup holds them together: descendants, sizes.

Sources: Documentation/filesystems/proc.rst, proc_pid_task(5). Sizes are bytes.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from memtui.kernel.procfs import Kin, list_pids, parse_kb_table, parse_kin, path_of, read_kin
from memtui.kernel.roots import LIVE, Roots, read_optional


class Sizes(NamedTuple):
    """One process in /proc/PID/status; all 0 for a zombie, whose memory is gone."""

    rss: int = 0
    hwm: int = 0  # largest RSS since exec
    data: int = 0  # VmData: what RLIMIT_DATA counts
    virt_peak: int = 0  # VmPeak: the most that RLIMIT_AS counted
    shared: int = 0  # RssFile + RssShmem: the part of rss that RLIMIT_DATA does not count
    virt: int = 0  # VmSize: what RLIMIT_AS counts
    swap: int = 0
    name: bytes = b""  # as the process calls itself, foreign text


def parse_name(data: bytes) -> bytes:
    """Return the name that `status` begins with, backslashes and newlines escaped in it."""
    return data.partition(b"\n")[0].removeprefix(b"Name:\t")


def parse_sizes(data: bytes) -> Sizes:
    """Return the sizes in `status`; what is absent is 0."""
    get = parse_kb_table(data).get
    shared = get("RssFile", 0) + get("RssShmem", 0)
    own = get("VmRSS", 0), get("VmHWM", 0), get("VmData", 0), get("VmPeak", 0)
    return Sizes(*own, shared, get("VmSize", 0), get("VmSwap", 0), parse_name(data))


def read_sizes(pid: int, roots: Roots = LIVE) -> Sizes | None:
    """Return the sizes of a process; None once it is gone."""
    data = read_optional(path_of(roots, pid, "status"))
    return None if data is None else parse_sizes(data)


class Held(NamedTuple):
    """What a process cannot give back: private, shared and tmpfs memory that it maps; swap."""

    memory: int
    swap: int


def _held(data: bytes | None, anon: str, shmem: str, swap: str) -> Held | None:
    table = parse_kb_table(data or b"")
    if not table:
        return None
    return Held(table.get(anon, 0) + table.get(shmem, 0), table.get(swap, 0))


def read_held(pid: int, roots: Roots = LIVE) -> Held | None:
    """Return what a process holds; what it shares with others counts in full. About 40 us."""
    return _held(read_optional(path_of(roots, pid, "status")), "RssAnon", "RssShmem", "VmSwap")


def read_held_share(pid: int, roots: Roots = LIVE) -> Held | None:
    """Return the same with its share of what several have: about 10 ms per GiB; Linux 5.4."""
    data = read_optional(path_of(roots, pid, "smaps_rollup"))
    return _held(data, "Pss_Anon", "Pss_Shmem", "SwapPss")


def read_all_kin(roots: Roots = LIVE) -> dict[int, Kin]:
    """Return whose everybody is, zombies too: about 20 us for each process of the machine."""
    return {int(n): kin for n in list_pids(roots) if (kin := read_kin(n, roots))}


def read_family(founders: set[int], session: int | None, roots: Roots = LIVE) -> dict[int, Kin]:
    """Return living `founders`, all their descendants, and who is in `session`; no zombies.

    One pass over /proc: about 20 us for each process of the machine.
    """
    table = read_all_kin(roots)
    family = {p for p, k in table.items() if p in founders or k.session == session}
    grown = -1
    while grown != len(family):
        grown = len(family)
        family |= {p for p, k in table.items() if k.ppid in family}
    return {p: table[p] for p in family if table[p].living}


def is_still(pid: int, roots: Roots = LIVE) -> bool:
    """Whether no thread of a process can do anything: stopped, traced, or ended."""
    path = path_of(roots, pid, "task")
    try:
        threads = os.listdir(path)
    except OSError:
        return True
    kin = (parse_kin(read_optional(f"{path}/{t}/stat") or b"") for t in threads)
    return all(k is None or k.state in b"TtZX" for k in kin)


def read_marked(marker: bytes, roots: Roots = LIVE) -> dict[int, Kin]:
    """Return living processes that were started with `marker` ("NAME=value") in their environment.

    One pass over /proc; other users' processes cannot be asked.
    """
    found = {}
    for name in list_pids(roots):
        data = read_optional(path_of(roots, name, "environ")) or b""
        kin = read_kin(name, roots) if marker in data.split(b"\0") else None
        if kin and kin.living:
            found[int(name)] = kin
    return found


def read_descendants(
    pid: int, roots: Roots = LIVE, apart: Collection[int] = frozenset()
) -> set[int]:
    """Return everybody below `pid`, zombies too: each thread may have children of its own.

    Who is in `apart` is left out, with all below them.
    """
    if not os.path.exists(f"{roots.proc}/{pid}/task/{pid}/children"):
        family = read_family({pid}, None, roots).keys() - {pid}
        return family - read_family(set(apart), None, roots).keys()
    found = set(apart)
    rest = [pid]
    while rest:
        born = set(_children(rest.pop(), roots)) - found
        found |= born
        rest += born
    return found - set(apart)


def _children(pid: int, roots: Roots) -> list[int]:
    path = path_of(roots, pid, "task")
    try:
        threads = os.listdir(path)
    except OSError:
        return []
    found = b" ".join(read_optional(f"{path}/{t}/children") or b"" for t in threads)
    return [int(p) for p in found.split()]
