"""What is asked of one level beside the quota, and of the machine in its place. Sizes are bytes."""

from __future__ import annotations

from typing import NamedTuple

from memtui.kernel.files import find_field, parse_number
from memtui.kernel.meminfo import parse_pressure, read_table
from memtui.kernel.roots import Roots, read_optional


class GroupMore(NamedTuple):
    """None: not told, or no such file."""

    dirty: int | None = None  # to be written out, or being so
    oom_group: bool | None = None  # v2: an OOM kill ends the whole group
    io_some_pct: float | None = None  # the machine's: of the last 10 s, tasks waited for I/O


_DIRTY = {1: (b"total_dirty", b"total_writeback"), 2: (b"file_dirty", b"file_writeback")}


def parse_dirty(stat: bytes, version: int) -> int | None:
    """Return what `memory.stat` says that is dirty or being written."""
    found = [find_field(stat, key) for key in _DIRTY[version]]
    known = [n for n in found if n is not None]
    return sum(known) if known else None


def read_more(roots: Roots, version: int | None, directory: str | None) -> GroupMore:
    """Return what the level at `directory` says; None: what the machine says."""
    io = parse_pressure(read_optional(roots.proc + "/pressure/io") or b"").some_avg10
    if version not in _DIRTY or directory is None:
        table = read_table(roots)
        parts = [table[k] for k in ("Dirty", "Writeback") if k in table]
        return GroupMore(sum(parts) if parts else None, None, io)
    base = roots.at(directory.rstrip("/")) + "/memory."
    dirty = parse_dirty(read_optional(base + "stat") or b"", version)
    group = parse_number(read_optional(base + "oom.group")) if version == 2 else None
    return GroupMore(dirty, None if group is None else group == 1, io)
