"""Heights from which a level came down again: what rose so far before, and fell, may again.

A garbage collector's sawtooth looks like a leak until it falls. Whoever remembers from where it
fell does not cry at the next tooth.
"""

from __future__ import annotations

from typing import NamedTuple

_MOST = 16  # ceilings and cycles that are remembered
_SHORTEST_S, _LONGEST_S = 600.0, 4 * 3600.0  # a ceiling is remembered for some teeth, and so long
_REACH = 0.15  # of a tooth's depth: by so much may the next one be higher


class Ceiling(NamedTuple):
    """A level from which it fell."""

    at: float  # monotonic seconds
    level: float
    floor: float  # the lowest since
    until: float  # forgotten then


class Cycle(NamedTuple):
    """One tooth: the top, and the lowest point after it."""

    at: float  # monotonic seconds, of the floor
    top: float
    floor: float


class Swings:
    """Follows a level through its turns; bounded for ever, constant cost for each value."""

    def __init__(self) -> None:
        self.ceilings: list[Ceiling] = []  # levels fall strictly: an older lower one says no more
        self.cycles: list[Cycle] = []
        self._top: tuple[float, float] | None = None  # level, when; since the last floor
        self._high = 0.0  # the highest reading, which may lie between the levels
        self._floor: tuple[float, float] | None = None  # while it has fallen
        self._began = 0.0  # of this tooth

    def add(self, at: float, level: float, high: float, theta: float) -> None:
        """Follow `level`, whose highest reading was `high`; less than `theta` is no turn."""
        self._expire(at)
        if self._top is None:
            self._top, self._high, self._began = (level, at), high, at
        elif self._floor is None:
            self._rising(at, level, high, theta)
        else:
            self._fallen(at, level, high, theta)

    def bound(self, margin: float) -> float | None:
        """Return the level above which it is higher than any tooth; None if it never fell."""
        if not self.ceilings:
            return None
        c = self.ceilings[0]
        return c.level + max(margin, _REACH * (c.level - c.floor))

    def _rising(self, at: float, level: float, high: float, theta: float) -> None:
        assert self._top is not None
        self._high = max(self._high, high)
        if level >= self._top[0]:
            self._top = level, at
        elif level <= self._top[0] - theta:
            then = self._top[1]
            self._remember(Ceiling(then, self._high, level, self._until(then, at)))
            self._floor = level, at
            self._began = then

    def _until(self, top_at: float, now: float) -> float:
        tooth = top_at - self._began
        return now + min(_LONGEST_S, max(_SHORTEST_S, min(12 * tooth, 3600.0), 2.5 * tooth))

    def _remember(self, ceiling: Ceiling) -> None:
        kept = self.ceilings
        while kept and kept[-1].level <= ceiling.level:
            kept.pop()
        kept.append(ceiling)
        if len(kept) > _MOST:
            del kept[-1]  # the lowest one

    def _fallen(self, at: float, level: float, high: float, theta: float) -> None:
        assert self._floor is not None
        assert self._top is not None
        if level <= self._floor[0]:
            self._floor = level, at
            self.ceilings = [c._replace(floor=min(c.floor, level)) for c in self.ceilings]
        elif level >= self._floor[0] + theta:
            self.cycles.append(Cycle(self._floor[1], self._high, self._floor[0]))
            del self.cycles[:-_MOST]
            self._floor, self._top, self._high = None, (level, at), high

    def _expire(self, now: float) -> None:
        if self.ceilings and any(c.until < now for c in self.ceilings):
            self.ceilings = [c for c in self.ceilings if c.until >= now]
