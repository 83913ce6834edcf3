"""A command's memory over time, bounded, in plain arrays; and what it amounts to at the end.

Times are seconds since the command's start, sizes bytes; NaN in an array is "not known then".
"""

from __future__ import annotations

import math
from array import array
from typing import NamedTuple

COLUMNS = ("seconds", "memory", "anon", "swap", "processes", "major_faults")
_POINTS = 2048  # then neighbours merge, and the step doubles
_NAN = float("nan")


class Point(NamedTuple):
    """One look; None where it could not be told."""

    seconds: float
    memory: int | None = None  # what is limited: of all processes, or of the largest
    anon: int | None = None  # of `memory` what cannot be dropped, or all processes' own memory
    swap: int | None = None
    processes: int | None = None
    major_faults: int | None = None


class Points:
    """The points of one run. Where two merge, the one with more memory stays: peaks survive."""

    def __init__(self) -> None:
        self.columns = tuple(array("d") for _ in COLUMNS)
        self._step = 0.0
        self._open_until = -math.inf

    @property
    def times(self) -> array[float]:
        """The moments of the points, ascending."""
        return self.columns[0]

    @property
    def memory(self) -> array[float]:
        """What was used of what is limited, at each moment."""
        return self.columns[1]

    @property
    def anon(self) -> array[float]:
        """What of it could not be dropped, at each moment."""
        return self.columns[2]

    def add(self, point: Point) -> None:
        """Take in the newest point."""
        if point.seconds < self._open_until:
            if not _less(point.memory, self.memory[-1]):
                self._put(point, len(self.times) - 1)
            return
        self._open_until = point.seconds + self._step
        for column in self.columns:
            column.append(_NAN)
        self._put(point, len(self.times) - 1)
        if len(self.times) >= _POINTS:
            self._merge()

    def copy(self) -> Points:
        """Return these points, to be read while others are added."""
        made = Points()
        made.columns = tuple(array("d", column) for column in self.columns)
        return made

    def _put(self, point: Point, at: int) -> None:
        for column, value in zip(self.columns, point, strict=True):
            column[at] = _NAN if value is None else value

    def _merge(self) -> None:
        kept = [
            i if _less(self.memory[i + 1], self.memory[i]) else i + 1
            for i in range(0, len(self.times) - 1, 2)
        ]
        for column in self.columns:
            column[:] = array("d", [column[i] for i in kept])
        self._step = (self.times[-1] - self.times[0]) / len(kept)


def _less(a: float | None, b: float) -> bool:
    """Whether `a` is less than `b`; the unknown is less than anything."""
    return a is None or math.isnan(a) or a < b


class Seen(NamedTuple):
    """A process of the command, as it was last seen."""

    pid: int
    name: str
    hwm: int  # the most resident memory it had


class Account(NamedTuple):
    """What the looks at a run amount to; None is not known."""

    peak_at: float | None = None  # seconds after the start: when most memory was seen
    anon_peak: int | None = None
    swap_peak: int | None = None
    major_faults: int | None = None
    some_s: float | None = None  # seconds in which some process waited for memory
    full_s: float | None = None  # seconds in which all did
    stall_of: str = ""  # whose the two are: the command's, or the machine's
    throttled: int | None = None  # times that the group was slowed by memory.high
    start_size: int | None = None  # of what is limited, in its first 0.05 s
    biggest: tuple[Seen, ...] = ()
