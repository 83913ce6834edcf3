"""A run's memory over time: bounded, with its peaks."""

from __future__ import annotations

import math

from memtui.model.memseries import Point, Points


def test_a_peak_survives_however_long_the_run() -> None:
    points = Points()
    for i in range(100_000):
        points.add(Point(i * 0.05, 10**9 if i in (777, 54_321) else 1000 + i, anon=i))
    assert len(points.times) <= 2048
    peaks = [(t, a) for t, m, a, *_ in zip(*points.columns, strict=True) if m == 10**9]
    assert peaks == [(777 * 0.05, 777.0), (54_321 * 0.05, 54_321.0)]
    assert list(points.times) == sorted(points.times)
    gaps = [b - a for a, b in zip(points.times, list(points.times)[1:], strict=False)]
    assert max(gaps) < 5000 / 250, "evenly, the early part as finely as the late one"


def test_the_unknown_stays_unknown_and_gives_way() -> None:
    points = Points()
    points.add(Point(0.0))
    points.add(Point(1.0, 5, swap=0))
    assert math.isnan(points.memory[0])
    assert list(points.memory)[1:] == [5.0]
    kept = points.copy()
    points.add(Point(2.0, 7))
    assert len(kept.times) == 2
