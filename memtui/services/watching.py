"""The limit that needs nothing: memtui looks at all processes together, and ends them itself.

What counts is what a program cannot give back: private and shared memory, and swap. File cache
does not. Between two looks a burst may pass the limit. No rlimit helps it out: that counts what
is mapped, not what is used, and would refuse programs that stay far below the limit.
"""

from __future__ import annotations

import os

from memtui.kernel import proctree
from memtui.model.limits import WATCH, Limits
from memtui.services.limiter import Evidence, Unavailable
from memtui.services.lineage import ByLineage
from memtui.services.peaks import Peaks
from memtui.units import size, size_long

_EXACT_FROM = 0.8  # of the limit: below it pages that several share may count several times


class WatchLimiter(ByLineage):
    """All processes together, looked at again and again."""

    method = WATCH
    per_process = False
    peak_of = "all processes together without file cache, sampled: a lower bound"

    def __init__(self) -> None:
        super().__init__()
        self._limits = Limits(0)

    def probe(self) -> Unavailable | None:
        """Say so where not even our own memory can be seen."""
        seen = proctree.read_held(os.getpid())
        return None if seen else Unavailable("/proc does not show the memory of processes")

    def prepare(self, limits: Limits) -> None:
        """Take in what is asked for."""
        self._limits, self.mark, self._leave = limits, limits.limit, limits.leave
        if limits.high is not None:
            self.unmet.append("--high")

    def enter(self) -> None:
        """Do nothing."""

    def shell_enter(self) -> tuple[str, str]:
        """Return a command that does nothing."""
        return ":", ""

    def confirm(self, pid: int) -> int:
        """Return the limit, once the memory of `pid` could be read."""
        if proctree.read_held(pid) is None:
            raise Unavailable(f"the memory of process {pid} cannot be read")
        return self._limits.limit

    def change(self, pid: int, session: bool, limit: int) -> int:
        """Go by another limit from now on."""
        self._limits = self._limits._replace(limit=limit)
        self.mark = limit
        return limit

    def describe(self) -> str:
        """Say what is counted, and that it is looked at now and then."""
        given = f"{size_long(self._limits.limit)} of all processes together, no file cache"
        swap = f", swap {size(self._limits.swap)}"
        return f"watchdog: {given}{swap}; a burst between two looks may pass it"

    def usage(self, pid: int, session: bool) -> int | None:
        """Return what they have together now."""
        return self.weigh(pid, session)

    def weigh(self, pid: int, session: bool) -> int | None:
        """Return the same; shared pages count once from four fifths of the limit on."""
        members = self.members(pid, session)
        held = {p: h for p in members if (h := proctree.read_held(p)) is not None}
        used = self._counted(held)
        if len(held) > 1 and used > _EXACT_FROM * self._limits.limit:
            used = self._counted({p: proctree.read_held_share(p) or h for p, h in held.items()})
        self._most = max(self._most, used)
        return used if held else None

    def _counted(self, held: dict[int, proctree.Held]) -> int:
        swap = sum(h.swap for h in held.values())
        return sum(h.memory for h in held.values()) + max(0, swap - self._limits.swap)

    def peak(self, peaks: Peaks) -> int | None:
        """Return the most that was seen."""
        return self._most or None

    def evidence(self, peaks: Peaks) -> Evidence:
        """Return nothing: who ended it knows."""
        return Evidence()
