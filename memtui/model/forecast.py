"""When a level will be full, from its hard usage: a range of seconds, or nothing. Pure.

Three detectors, each silent unless it is sure:

- *fast*: steady growth over the last seconds (bursts).
- *slow*: Theil-Sen over the minima of blocks of 15 s, so that short garbage collections do not
  show; a straight line, or one that gets steeper (leaks).
- *floor*: the lowest points between big falls, and the heights before them, all rising (leaks
  below a slow sawtooth).

None looks further ahead than three times as far as it looked back, none speaks below half of the
limit, and none below a height from which usage came down before (`swings`).
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import NamedTuple

from memtui.model.lines import JUMP, Line, gaining, run, straight
from memtui.model.robust import Point, Slopes, least_squares
from memtui.model.swings import Swings

AHEAD = 3.0
"""Seconds that may be looked ahead for each second of growth that was seen."""

_GATE = 0.5  # of the limit: below, nothing is said
_RISE = 0.015  # of the limit: less is no growth, and no fall
_BLOCK_S, _BLOCKS = 15.0, 24
_FEWEST = 4  # blocks for a line
_SURE = 8  # blocks that rose one after the other: growth began there, and nowhere else
_SIZES = (24, 16, 12, 8, 6, 4)  # blocks that are tried for a line
_SLOT_S, _POINTS = 1.0, 31
_PAUSE_S = 90.0
_SLOWER = 0.7  # of the way to the limit is how far growth will get; 1 if all were exact
_RUN = 4  # steps of a burst
_SPARE = 0.12  # a range is never narrower, either way


class Forecast(NamedTuple):
    """What is to be expected of a level.

    `rate` is bytes/s over the last half minute or of the detector that spoke; 0.0 means no
    change beyond noise. `eta_s` are seconds until full, (low, high); None where nothing can be
    said, and `reason` says why not.
    """

    rate: float | None = None
    eta_s: tuple[float, float] | None = None
    detector: str | None = None  # "fast", "slow" or "floor"
    reason: str = "not enough samples yet"


class Block(NamedTuple):
    """Fifteen seconds."""

    at: float  # monotonic seconds, of the minimum
    low: float
    high: float


def _kept(before: Line | str, now: Line | str, at: float) -> Line | str:
    """What to believe: a line that is not seen for a moment is not over yet."""
    if isinstance(now, str) and isinstance(before, Line) and at <= before.until:
        return before
    return now


def _longer(before: Line | str, now: Line | str, at_most_s: float) -> Line | str:
    """The line of now, seen since the one before was, if it is the same growth."""
    if isinstance(now, str) or isinstance(before, str) or now.at > before.until:
        return now
    if not 2 / 3 < now.slopes.mid / before.slopes.mid < 3 / 2:
        return now
    seen = min(at_most_s, before.seen_s + now.at - before.at)
    return now._replace(seen_s=max(now.seen_s, seen))


class _Slow:
    """Leaks: blocks of minima, and the teeth between them."""

    def __init__(self) -> None:
        self.swings = Swings()
        self.said: Line | str = "not enough samples yet"
        self._blocks: deque[Block] = deque(maxlen=_BLOCKS)
        self._now: Block | None = None  # the block that is being filled
        self._end = 0.0
        self._length = _BLOCK_S

    def add(self, at: float, hard: float, limit: float, delay: float) -> None:
        """Take a reading; a block that is full is judged."""
        if self._now is not None and at >= self._end:
            self._blocks.append(self._now)
            done, self._now = self._now, None
            self.swings.add(done.at, done.low, done.high, _RISE * limit)
            self.said = _kept(self.said, self._judge(limit), at)
        if self._now is None:
            self._length = max(_BLOCK_S, 3 * delay)
            self._now, self._end = Block(at, hard, hard), at + self._length
        else:
            low, high = self._now.low, max(self._now.high, hard)
            self._now = Block(at, hard, high) if hard < low else self._now._replace(high=high)

    @property
    def peak(self) -> float:
        """The highest reading of this block and the last."""
        highs = [b.high for b in (self._now, self._blocks[-1] if self._blocks else None) if b]
        return max(highs, default=0.0)

    def _judge(self, limit: float) -> Line | str:
        blocks = list(self._blocks)
        if len(blocks) < _FEWEST:
            return "not enough samples yet"
        bound = self.swings.bound(_RISE * limit)
        if bound is not None and self.peak < bound:
            return self._floors(limit)
        return self._line(blocks, limit)

    def _line(self, blocks: list[Block], limit: float) -> Line | str:
        """The line since growth began, or else the longest straight one up to now."""
        points = [(b.at, b.low) for b in blocks]
        steady = len(run(points)) - 1  # it began within the first of them
        said: Line | str = "no steady growth"
        sizes = (steady, *_SIZES) if steady >= _SURE else (*_SIZES[:-2], steady, *_SIZES[-2:])
        for n in sizes:
            if _FEWEST <= n <= len(points):
                said = straight(points[-n:], _RISE * limit, self._length / 2)
                if isinstance(said, Line):
                    break
        return said

    def _floors(self, limit: float) -> Line | str:
        """A line through the floors between big falls, where the heights rise, too."""
        cycles = self.swings.cycles[-8:]
        if len(cycles) < _FEWEST:
            return "it came down from here before"
        floors = straight([(c.at, c.floor) for c in cycles], _RISE * limit, 0.0)
        tops = straight([(c.at, c.top) for c in cycles], _RISE * limit, 0.0)
        if isinstance(floors, str) or isinstance(tops, str):
            return "it came down from here before"
        slopes = Slopes(min(floors.slopes.low, tops.slopes.low), *tops.slopes[1:])
        return tops._replace(detector="floor", slopes=slopes)


class _Fast:
    """Bursts: every step of the last seconds went up."""

    def __init__(self) -> None:
        self.swings = Swings()
        self.points: deque[Point] = deque(maxlen=_POINTS)
        self.said: Line | str = "not enough samples yet"

    def add(self, at: float, hard: float, limit: float, delay: float) -> None:
        """Take a reading; those within one second count as one."""
        slot = 0.7 * max(_SLOT_S, delay)
        self.swings.add(at, hard, hard, _RISE * limit)
        points = self.points
        if len(points) > 1 and points[-1][0] - points[-2][0] < slot:
            points[-1] = at, hard
        else:
            points.append((at, hard))
        if len(points) < 2 or points[-1][0] - points[-2][0] >= slot:
            said = _longer(self.said, self._judge(limit), at - points[0][0])
            self.said = _kept(self.said, said, at)

    def _judge(self, limit: float) -> Line | str:
        now = self.points[-1][1]
        bound = self.swings.bound(_RISE * limit)
        if bound is not None and now < bound:
            return "it came down from here before"
        up = run(self.points)
        grown = up[-1][1] - up[0][1]
        if len(up) <= _RUN or grown < 2 * _RISE * limit:
            return "no steady growth"
        if max(b[1] - a[1] for a, b in pairwise(up)) > JUMP * grown:
            return "one step so far"
        (t0, v0), (tm, vm), (t1, v1) = up[0], up[len(up) // 2], up[-1]
        rates = sorted(((vm - v0) / (tm - t0), (v1 - v0) / (t1 - t0), (v1 - vm) / (t1 - tm)))
        step = (t1 - t0) / (len(up) - 1)
        until = t1 + max((t1 - t0) / 2, 3 * step)
        return Line("fast", Slopes(*rates), t1 - t0, t1, v1, 1.5 * rates[1] * step, until)


class Forecaster:
    """Follows one level. A reading costs some 10 us, and memory stays bounded."""

    def __init__(self) -> None:
        self._key = ""
        self._last: float | None = None
        self._delay = 1.0
        self._fast, self._slow = _Fast(), _Slow()

    def add(self, at: float, hard: int | None, limit: int | None, key: str = "") -> Forecast:
        """Take `hard` bytes of `limit` at `at` monotonic seconds; return what is to be expected.

        `key` names the level: another one begins anew, as does a pause. Where usage or limit
        are not known, nothing is expected.
        """
        if hard is None or not limit:
            return Forecast(reason="hard usage is not known" if hard is None else "no limit")
        if key != self._key or self._last is None or at - self._last > self._pause:
            self._fast, self._slow = _Fast(), _Slow()
            self._key, self._last = key, at
        elif at <= self._last:
            return self._say(self._last, hard, limit)
        self._delay += 0.3 * (at - self._last - self._delay)
        self._last = at
        self._fast.add(at, hard, limit, self._delay)
        self._slow.add(at, hard, limit, self._delay)
        return self._say(at, hard, limit)

    @property
    def _pause(self) -> float:
        """Seconds without a reading after which all is begun anew."""
        return max(_PAUSE_S, 4 * self._delay)

    def _say(self, at: float, hard: float, limit: float) -> Forecast:
        rate = self._rate(limit)
        reasons = []
        for said in (self._fast.said, self._slow.said):
            eta = said if isinstance(said, str) else self._eta(said, at, hard, limit)
            if isinstance(said, Line) and not isinstance(eta, str):
                return Forecast(said.slopes.mid, eta, said.detector, _seen(said))
            reasons.append(str(eta))
        return Forecast(rate, reason=reasons[-1])

    def _rate(self, limit: float) -> float | None:
        fitted = least_squares(self._fast.points)
        if fitted is None:
            return None
        slope, error = fitted
        points = self._fast.points
        grown = abs(slope) * (points[-1][0] - points[0][0])
        return slope if abs(slope) > 3 * error and grown > limit / 1000 else 0.0

    def _eta(self, line: Line, at: float, hard: float, limit: float) -> tuple[float, float] | str:
        """When the line meets the limit, or why that is not said."""
        peak = hard if line.detector == "fast" else max(hard, self._slow.peak)
        expected = line.level + line.slopes.mid * (at - line.at)
        if line.detector == "floor":
            peak = max(expected, hard)
        elif hard < expected - line.slack:
            return "growth has stopped"
        if at > line.until:
            return "growth has stopped"
        if peak < _GATE * limit:
            return "below half of the limit"
        return _range(line, max(0.0, limit - peak))


def _range(line: Line, left: float) -> tuple[float, float] | str:
    """How soon and how late `left` bytes are used up, in seconds, or why that is not said."""
    eta = left / line.slopes.mid
    if eta > AHEAD * line.seen_s:
        return "too far away to tell"
    if eta * line.decay * math.exp(line.decay * line.seen_s / 2) > _SLOWER:
        return "growth gets slower"
    spare = _SPARE if line.detector != "fast" else 2 * _SPARE
    early = min(left / line.slopes.high, (1 - spare) * min(eta, gaining(line, left)))
    late = left / max(line.slopes.low, line.slopes.mid / 3)
    if line.decay:
        late = max(late, -math.log(1 - min(0.9, eta * line.decay)) / line.decay)
    return early, max(min(late, AHEAD * line.seen_s), eta * (1 + spare))


def _seen(line: Line) -> str:
    return f"steady growth for {line.seen_s:.0f} s"
