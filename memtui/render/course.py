"""A command's memory from its start on, as an area, and the limit that it had as a line in it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from memtui.render.graph import area
from memtui.render.palette import level
from memtui.render.spans import Line
from memtui.units import duration, size

_SPANS_S = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
_DAY = 86400
LIMIT = "┄"
"""What the limit is drawn with."""
_GUTTER = 6  # cells for the sizes at the left

Limits = Sequence[tuple[float, int]]
"""Each limit in bytes, from which second on."""
Course = tuple[Sequence[float], Sequence[float]]
"""Seconds since the start, and bytes then; NaN where it was not known."""


def span_of(seconds: float) -> float:
    """Return the time that the whole width stands for: it grows in steps, so nothing jitters."""
    fitting = (s for s in _SPANS_S if seconds <= s)
    return next(fitting, math.ceil(seconds / _DAY) * _DAY)


def sampled(course: Course, seconds: float, count: int) -> list[float | None]:
    """Return the highest value of each of `count` equal stretches; None before and after it ran."""
    span = span_of(seconds)
    values: list[float | None] = [None] * count
    for at, value in zip(*course, strict=True):
        i = min(count - 1, int(at / span * count))
        if not math.isnan(value):
            values[i] = max(values[i] or 0.0, value)
    last: float | None = None
    for i in range(min(count, int(seconds / span * count) + 1)):
        last = values[i] = last if values[i] is None else values[i]
    return values


def _limit_at(limits: Limits, second: float) -> int:
    return limits[max(0, bisect_right([at for at, _ in limits], second) - 1)][1]


def _top(course: Course, limits: Limits, height: int) -> float:
    """Return how many bytes the whole height stands for: the highest limit has a row of its own."""
    highest = max((v for v in course[1] if not math.isnan(v)), default=0.0)
    top = max(float(max(limit for _, limit in limits)), highest, 1.0)
    return top * height / (height - 0.5) if height > 2 else top


def course_lines(
    course: Course, limits: Limits, seconds: float, width: int, height: int
) -> list[Line]:
    """Return the graph alone; its colours say how near the limit of then each height is."""
    top, span = _top(course, limits, height), span_of(seconds)
    drawn = area(sampled(course, seconds, 2 * width), top, width, height)
    then = [_limit_at(limits, x / width * span) for x in range(width)]
    return [
        _row(line, y, then, top / height, height > 2)
        for y, line in zip(range(height - 1, -1, -1), drawn, strict=True)
    ]


def _row(line: str, y: int, limits: Sequence[int], each: float, lined: bool) -> Line:
    """Row `y` from the bottom, of `each` bytes; a limit is drawn where the area leaves room."""
    cells = []
    for char, limit in zip(line, limits, strict=True):
        if char == " " and lined and int(limit / each) == y:
            cells.append((LIMIT, "warn"))
        else:
            cells.append((char, level(100 * (y + 0.5) * each / limit if limit else None)))
    return [("".join(c for c, _ in run), role) for role, run in groupby(cells, itemgetter(1))]


def course_graph(
    course: Course, limits: Limits, seconds: float, width: int, height: int
) -> list[Line]:
    """Return the graph with sizes at its left and times below it."""
    inner, rows = width - _GUTTER - 2, height - 1
    if inner < 10 or rows < 2:
        return course_lines(course, limits, seconds, max(1, width), max(1, height))
    now = limits[-1][1]
    place = int(now / _top(course, limits, rows) * rows)
    labels = {rows - 1: "0", rows - 1 - min(place, rows - 1): size(now)}
    framed: list[Line] = []
    for i, line in enumerate(course_lines(course, limits, seconds, inner, rows)):
        tick = "┤" if i in labels else "│"
        framed.append([(f"{labels.get(i, ''):>{_GUTTER}}", "muted"), (tick, "rule"), *line])
    return [*framed, _axis(span_of(seconds), inner)]


def _axis(span: float, width: int) -> Line:
    """Times along the width: as many as there is room for."""
    parts = next(n for n in (6, 5, 4, 3, 2, 1) if n * 10 <= width or n == 1)
    text = [" "] * (width + 4)
    for i in range(parts + 1):
        label = duration(span * i / parts) if i else "0"
        at = min(round(i * width / parts), width - len(label)) if i else 0
        text[at : at + len(label)] = label
    return [(" " * (_GUTTER + 1), ""), ("".join(text).rstrip(), "muted")]
