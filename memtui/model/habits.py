"""How processes behave while they are looked at: who rests, who waits, who grows. Pure.

Idleness needs a window: a process that rests still uses a tick now and then, so what it used
within ten seconds counts. Whoever is small is not followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memtui.model.snapshot import Identity, Proc

BLOCK_S = 10.0
"""Seconds over which it is judged whether a process worked."""

_LEAST = 16 << 20  # bytes of RES: who has less is not worth a word
_WORK = 0.02  # of one CPU: more is work
_TICKS_S = 0.05  # and so much is none, however short the window is
_SIZES = 12
_SIZES_EVERY_S = 0.9
_RESTS = 8


class Habit(NamedTuple):
    """What was seen of one process. Seconds are of the time that it was looked at."""

    seen_s: float  # how long it was looked at
    idle_s: float  # since it last worked; it may be more, if it is as long as `seen_s`
    waits_s: float  # in state D, or Z, without a break
    sizes: tuple[tuple[float, int], ...]  # (monotonic seconds, RES), the newest last
    rests: tuple[int, ...]  # RES whenever it came to rest after work, the newest last
    cpu_pct: float | None = None  # of one CPU over the last ten seconds, or less at first


class _Followed:
    """One process that is looked at."""

    __slots__ = ("block", "cpu_pct", "first", "rests", "sizes", "tired", "waits", "worked")

    def __init__(self, at: float, proc: Proc) -> None:
        self.first = at
        self.worked: float | None = None  # when it last did
        self.tired = False  # it worked, and did not rest since
        self.block = at, proc.cpu_time  # the begin of the present one
        self.waits: float | None = None
        self.sizes: list[tuple[float, int]] = []
        self.rests: list[int] = []
        self.cpu_pct: float | None = None

    def add(self, at: float, proc: Proc) -> None:
        since, cpu = self.block
        used, span = proc.cpu_time - cpu, at - since
        if span > 0:
            self.cpu_pct = 100 * used / span
        if used > max(_TICKS_S, _WORK * span):
            self.worked, self.tired = at, True
        if span >= BLOCK_S:
            if self.tired and self.worked is not None and self.worked <= since:
                self.rests, self.tired = [*self.rests, proc.rss][-_RESTS:], False
            self.block = at, proc.cpu_time
        if proc.state not in "DZ":
            self.waits = None
        elif self.waits is None:
            self.waits = at
        if not self.sizes or at - self.sizes[-1][0] >= _SIZES_EVERY_S:
            self.sizes = [*self.sizes, (at, proc.rss)][-_SIZES:]

    def habit(self, at: float) -> Habit:
        seen = at - self.first
        idle = seen if self.worked is None else at - self.worked
        waits = 0.0 if self.waits is None else at - self.waits
        return Habit(seen, idle, waits, tuple(self.sizes), tuple(self.rests), self.cpu_pct)


class Habits:
    """Follows everybody who is big, sample by sample; about 0.1 ms for 1000 processes."""

    def __init__(self) -> None:
        self._followed: dict[Identity, _Followed] = {}
        self._at = 0.0

    def add(self, at: float, procs: Sequence[Proc]) -> None:
        """Take the sample of `at` monotonic seconds."""
        found: dict[Identity, _Followed] = {}
        for proc in procs:
            if proc.rss < _LEAST and proc.state not in "DZ":
                continue
            known = self._followed.get(proc.identity) or _Followed(at, proc)
            known.add(at, proc)
            found[proc.identity] = known
        self._followed, self._at = found, at

    def found(self) -> dict[Identity, Habit]:
        """Return how everybody behaved who is followed."""
        return {i: f.habit(self._at) for i, f in list(self._followed.items())}
