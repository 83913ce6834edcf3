"""What a cgroup of a limited run tells of its memory, beside usage and peak.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst, accounting/psi.rst.
Sizes are bytes; None where the kernel has no such file or line.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel.files import find_field, parse_number
from memtui.kernel.meminfo import parse_pressure
from memtui.kernel.roots import LIVE, Roots, read_optional


class Contents(NamedTuple):
    """What the group holds now."""

    anon: int | None = None  # anonymous, tmpfs and shared memory: what cannot be dropped
    swap: int | None = None
    major_faults: int | None = None  # since the group was made


class Strain(NamedTuple):
    """What befell the group since it was made."""

    some_us: int | None = None  # some process of it waited for memory (PSI)
    full_us: int | None = None  # all of them did
    throttled: int | None = None  # times that memory.high slowed it; v1 has no such limit
    swap_peak: int | None = None


def _sum(*parts: int | None) -> int | None:
    """Add what is known; None where nothing is."""
    known = [n for n in parts if n is not None]
    return sum(known) if known else None


def parse_contents(version: int, stat: bytes) -> Contents:
    """Return what `memory.stat` says; on v1 of the whole subtree, with its swap."""
    lead = b"" if version == 2 else b"total_"
    anon = b"anon" if version == 2 else b"total_rss"
    return Contents(
        _sum(find_field(stat, anon), find_field(stat, lead + b"shmem")),
        None if version == 2 else find_field(stat, b"total_swap"),
        find_field(stat, lead + b"pgmajfault"),
    )


def read_contents(version: int, directory: str) -> Contents:
    """Return what the group at `directory` holds."""
    found = parse_contents(version, read_optional(directory + "/memory.stat") or b"")
    if version == 2:
        swap = parse_number(read_optional(directory + "/memory.swap.current"))
        return found._replace(swap=swap)
    return found


def read_strain(version: int, directory: str) -> Strain:
    """Return what befell the group: v1 tells nothing of it."""
    if version == 1:
        return Strain()
    base = directory + "/memory."
    psi = parse_pressure(read_optional(base + "pressure") or b"")
    high = find_field(read_optional(base + "events") or b"", b"high", whole=False)
    peak = parse_number(read_optional(base + "swap.peak"))  # Linux 6.5
    return Strain(psi.some_total, psi.full_total, high, peak)


def read_stalls(roots: Roots = LIVE) -> tuple[int | None, int | None]:
    """Return the same two totals of PSI for the whole machine, in microseconds since boot."""
    psi = parse_pressure(read_optional(roots.proc + "/pressure/memory") or b"")
    return psi.some_total, psi.full_total


class Ceiling(NamedTuple):
    """A limit around a group."""

    directory: str
    limit: int | None
    hits: int  # times that it was reached; v1 counts reclaim at the limit, too


def read_ceilings(version: int, directory: str) -> list[Ceiling]:
    """Return the groups around the one at `directory` that count how often theirs was reached."""
    found = []
    while (directory := os.path.dirname(directory)) not in ("", "/"):
        base = directory + "/memory."
        if version == 2:
            hits = find_field(read_optional(base + "events.local") or b"", b"oom", whole=False)
        else:
            hits = parse_number(read_optional(base + "failcnt"))
        if hits is None and not os.path.exists(base + "stat"):
            break  # above the mount
        name = "max" if version == 2 else "limit_in_bytes"
        limit = parse_number(read_optional(base + name))
        if hits is not None:
            found.append(Ceiling(directory, limit, hits))
    return found
