"""How fast each process grows: the median of the slopes over the last minute.

The median of all slopes (Theil-Sen) is not moved by a burst that comes and goes, nor by one step.
Pure: the caller tells the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from statistics import median

from memtui.model.snapshot import Identity, Proc

WINDOW_S = 60.0
KNOWN_S = 10.0
"""Seconds that must be known before anything is said."""

_EVERY_S = 5  # seconds between two points of one process; each second a fifth of them is looked at
_POINTS = 3

Point = tuple[float, int]
"""Seconds, resident bytes."""


def per_minute(points: list[Point]) -> float | None:
    """Return the growth in bytes a minute; None where too little is known."""
    if len(points) < _POINTS or points[-1][0] - points[0][0] < KNOWN_S:
        return None
    if all(rss == points[0][1] for _, rss in points):
        return 0.0
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return 60.0 * median(slopes)


class Growth:
    """The last minute of every process, a point each 5 s."""

    def __init__(self) -> None:
        self._points: dict[Identity, list[Point]] = {}
        self._at = -1  # the second that was looked at last

    def turn(self, table: Mapping[str, Proc], now: float) -> list[tuple[str, float | None]]:
        """Take what is there at `now` (seconds); return whose growth is another than it has."""
        second = int(now)
        slots = {s % _EVERY_S for s in range(max(self._at + 1, second - _EVERY_S + 1), second + 1)}
        self._at = second
        found = []
        for name, proc in table.items():
            if proc[0] % _EVERY_S not in slots:
                continue
            points = self._points.setdefault(proc[:2], [])
            points.append((now, proc.rss))
            while points[0][0] < now - WINDOW_S:
                del points[0]
            growth = per_minute(points)
            if growth != proc.growth:
                found.append((name, growth))
        if len(self._points) > 2 * len(table):
            there = {proc[:2] for proc in table.values()}
            self._points = {i: p for i, p in self._points.items() if i in there}
        return found
