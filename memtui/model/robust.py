"""Slopes of short series of (seconds, value): least squares, and Theil-Sen, which outliers spare.

Pure; times rise strictly. Sen, Estimates of the Regression Coefficient, JASA 63 (1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

Point = tuple[float, float]
"""Seconds, value."""


class Slopes(NamedTuple):
    """Slopes over all pairs of points, in value per second: the quartiles and the median."""

    low: float
    mid: float
    high: float


def theil_sen(points: Sequence[Point], apart_s: float = 0.0) -> Slopes | None:
    """Return the slopes of pairs more than `apart_s` seconds apart; None without such a pair."""
    found = sorted(
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] - a[0] > apart_s
    )
    if not found:
        return None
    n = len(found)
    return Slopes(found[n // 4], found[n // 2], found[-1 - n // 4])


def spread(points: Sequence[Point], slope: float) -> tuple[float, float]:
    """Return the line of `slope` at the last point, and the median distance of points from it."""
    end = points[-1][0]
    levels = sorted(value + slope * (end - at) for at, value in points)
    middle = levels[len(levels) // 2]
    off = sorted(abs(level - middle) for level in levels)
    return middle, off[len(off) // 2]


def least_squares(points: Sequence[Point]) -> tuple[float, float] | None:
    """Return slope and its standard error; None for fewer than three points."""
    n = len(points)
    if n < 3:
        return None
    t0, v0 = points[0]
    st = sv = stt = stv = svv = 0.0
    for at, value in points:
        t, v = at - t0, value - v0
        st += t
        sv += v
        stt += t * t
        stv += t * v
        svv += v * v
    var_t = stt - st * st / n
    if var_t <= 0:
        return None
    cov = stv - st * sv / n
    slope = cov / var_t
    left = max(0.0, svv - sv * sv / n - slope * cov)
    return slope, (left / (n - 2) / var_t) ** 0.5
