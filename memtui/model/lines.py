"""Lines of steady growth through (seconds, bytes), and how they bend. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from memtui.model.robust import Point, Slopes, spread, theil_sen

JUMP = 0.6
"""Of the rise: more in one step is no line."""

_NOISES = 5.0  # growth must be so many times the noise
_STEEPER = 1.7  # a later half this much steeper: the earlier one tells of another time


class Line(NamedTuple):
    """Growth that a detector believes in, in bytes and seconds."""

    detector: str
    slopes: Slopes
    seen_s: float  # how long it was seen
    at: float  # monotonic seconds of `level`
    level: float  # on the line at `at`
    slack: float  # bytes by which usage may fall short of the line
    until: float  # monotonic seconds: nothing is known later
    decay: float = 0.0  # 1/s: how quickly growth gets slower
    gain: float = 0.0  # bytes/s²: how quickly it gets faster


def _halves(points: list[Point], apart: float) -> tuple[float, float, float] | None:
    """The slopes of the earlier and of the later half, and the seconds between their middles."""
    n = len(points) // 2
    early, late = theil_sen(points[: n + 1], apart), theil_sen(points[-n - 1 :], apart)
    if early is None or late is None:
        return None
    return early.mid, late.mid, max(1.0, (points[-1][0] - points[0][0]) / 2)


def _decay(early: float, late: float, between_s: float) -> float:
    """How quickly growth gets slower, as of an exponential; inf where it ended."""
    if late >= early:
        return 0.0
    return math.log(early / late) / between_s if late > 0 else math.inf


def _jumps(points: list[Point], grown: float) -> bool:
    """Whether most of the growth was one step, or was over some time ago."""
    steps = [b[1] - a[1] for a, b in pairwise(points)]
    bends = sorted(abs(b - a) for a, b in pairwise(steps))
    noise = bends[len(bends) // 2] if len(bends) > 4 else 0.0  # few points: no excuse
    if max(steps) > JUMP * grown + noise:
        return True
    return sum(steps[-2:]) < 0.6 * grown / len(steps) - noise


def straight(points: list[Point], rise: float, apart: float) -> Line | str:
    """Return the line through block minima, or why there is none."""
    slopes = theil_sen(points, apart)
    parts = _halves(points, apart)
    if slopes is None or parts is None:
        return "not enough samples yet"
    span = points[-1][0] - points[0][0]
    level, noise = spread(points, slopes.mid)
    grown = slopes.mid * span
    if slopes.low <= 0 or grown < max(rise, _NOISES * noise) or _jumps(points, grown):
        return "no steady growth"
    early, late, between = parts
    if late > _STEEPER * max(early, 0.0):
        return "growth gets faster"
    decay, gain = _decay(early, late, between), max(0.0, late - early) / between
    slack = max(rise, 4 * noise, slopes.mid * apart * 2)
    end = points[-1][0]
    until = end + max(span / 2, 3 * span / (len(points) - 1))
    return Line("slow", slopes, span, end, level, slack, until, decay, gain)


def run(points: Sequence[Point]) -> list[Point]:
    """Return the latest points that rose steadily: each two steps make a third of the mean.

    The first and the last step do, each by itself.
    """
    last = points[-1]
    found, good = [last], 1
    for i in range(len(points) - 2, -1, -1):
        at, value = points[i]
        third = (last[1] - value) / (last[0] - at) / 3
        here, after = points[i + 1], points[min(i + 2, len(points) - 1)]
        if third <= 0 or after[1] - value < third * (after[0] - at):
            break
        found.append((at, value))
        if here[1] - value >= third * (here[0] - at):
            good = len(found)
    points = found[:good][::-1]
    if good > 1 and _steepness(points[-2:]) < _steepness(points) / 3:
        return points[-1:]
    return points


def _steepness(points: Sequence[Point]) -> float:
    return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


def gaining(line: Line, left: float) -> float:
    """Return the seconds until `left` bytes are full, if growth gets faster as it did."""
    if line.gain <= 0:
        return math.inf
    now = line.slopes.mid + line.gain * line.seen_s / 2
    return (math.sqrt(now * now + 2 * line.gain * left) - now) / line.gain
