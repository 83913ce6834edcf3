"""The memory cgroups above a process, read once or every second.

The records are those of `levels`, `place` finds where they are, `cgroup1` and `cgroup2` read
one level each; here is what has changed since. Where a file is absent, unreadable or cut
short, its number is None.
"""

from __future__ import annotations

import os

from memtui.kernel import cgroup1, cgroup2
from memtui.kernel.files import Files
from memtui.kernel.levels import Events, Hierarchy, Level, Parts, at_or_below
from memtui.kernel.meminfo import Psi, parse_pressure
from memtui.kernel.oomcount import read_kills
from memtui.kernel.place import Place, find_place
from memtui.kernel.roots import LIVE, Roots

__all__ = [
    "Events",
    "Hierarchy",
    "HierarchyReader",
    "Level",
    "Parts",
    "at_or_below",
    "read_hierarchy",
]

_RECOUNT = 30  # reads after which v1's kills are summed again: groups come and go


class HierarchyReader:
    """Reads the levels again and again; about 5 us per file, through kept descriptors.

    A move to another cgroup is noticed at the next read, a removed group is left for the one
    above it.
    """

    def __init__(self, roots: Roots = LIVE, cgroup: str | None = None) -> None:
        """Look at our own levels, or at those of `cgroup`, a path as in /proc/self/cgroup."""
        self._roots = roots
        self._asked = cgroup
        self._files = Files(roots)
        self._own: bytes | None = None
        self.place = Place(None, False, None)
        self._kills: tuple[int | None, ...] = ()
        self._gate: int | None = None
        self._recount = 0

    def read(self, host_oom_kill: int | None = None) -> Hierarchy:
        """Return all levels as they are now.

        `host_oom_kill` is /proc/vmstat's count. While it stands, v1's sums over the subtrees
        are not made anew; where it is None they are made each time, over a bounded number of
        groups.
        """
        own = self._files.read(self._roots.proc + "/self/cgroup")
        if own is None:
            own = self._own or b""
        if own != self._own:
            self._own = own
            self._locate()
        levels = self._levels()
        if self._vanished(levels):
            self._locate()
            levels = self._levels()
        place = self.place
        if place.version != 1:
            return Hierarchy(place.version, place.hybrid, place.cgroup, tuple(levels))
        return self._with_v1(levels, host_oom_kill)

    def pressure(self) -> Psi:
        """Return `memory.pressure` of the first level; v1 has none."""
        if self.place.version != 2:
            return Psi()
        directory = self._roots.at(self.place.chain[0][1]).rstrip("/")
        return parse_pressure(self._files.read(directory + "/memory.pressure") or b"")

    def close(self) -> None:
        """Close the kept descriptors."""
        self._files.close()

    def _locate(self) -> None:
        self.place = find_place(self._roots, self._asked)
        directories = tuple(self._roots.at(d) for _, d in self.place.chain)
        self._files.keep_only((*directories, self._roots.proc + "/self"))
        self._recount = 0

    def _levels(self) -> list[Level]:
        read_level = cgroup1.read_level if self.place.version == 1 else cgroup2.read_level
        at = self._roots.at
        return [read_level(self._files, path, at(d), d) for path, d in self.place.chain]

    def _vanished(self, levels: list[Level]) -> bool:
        return any(
            level.usage is None and not os.path.isdir(self._roots.at(level.directory))
            for level in levels
        )

    def _with_v1(self, levels: list[Level], host_oom_kill: int | None) -> Hierarchy:
        """Add what v1 tells in other ways: kills below each level, and hidden limits."""
        if self._recount <= 0 or host_oom_kill is None or host_oom_kill != self._gate:
            # the machine's counter rises a moment before the group's: look twice
            self._recount = _RECOUNT if host_oom_kill == self._gate else 1
            self._gate = host_oom_kill
            self._kills = self._count(levels, host_oom_kill is None)
        self._recount -= 1
        events = [Events(oom_kill=n) for n in self._kills]
        done = tuple(lv._replace(events=e) for lv, e in zip(levels, events, strict=True))
        own = levels[0].directory
        limit, memsw = cgroup1.read_hierarchical(self._files, self._roots.at(own))
        stat = own.rstrip("/") + "/memory.stat"
        place = self.place
        return Hierarchy(1, place.hybrid, place.cgroup, done, limit, stat, memsw)

    def _count(self, levels: list[Level], ungated: bool) -> tuple[int | None, ...]:
        top = levels[-1]
        kills = read_kills(1, top.path, self._roots.at(top.directory), 256 if ungated else 4096)
        sums: list[int | None] = []
        for level in levels:
            below = [
                k.number
                for path, k in kills.items()
                if k.number is not None and at_or_below(path, level.path)
            ]
            sums.append(sum(below) if below else None)
        return tuple(sums)


def read_hierarchy(roots: Roots = LIVE, cgroup: str | None = None) -> Hierarchy:
    """Return the levels of this process, or of the group `cgroup`, read once."""
    reader = HierarchyReader(roots, cgroup)
    try:
        return reader.read()
    finally:
        reader.close()
