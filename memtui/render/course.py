"""A command's memory from its start on, as an area, and the limit that it had as a line in it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from memtui.render.graph import area
from memtui.render.palette import level
from memtui.render.spans import Line
from memtui.units import duration, size

_SPANS_S = (30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
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


def course_lines(
    course: Course, limits: Limits, seconds: float, width: int, height: int
) -> list[Line]:
    """Return the graph alone; its colours say how near the limit each height is."""
    values = sampled(course, seconds, 2 * width)
    most = max(limit for _, limit in limits)
    top = max([float(most), *(v for v in values if v is not None)])
    top *= height / (height - 0.5) if height > 2 else 1.0  # so that the line has a row
    drawn = area(values, top, width, height)
    span = span_of(seconds)
    marks = [_limit_at(limits, x / width * span) for x in range(width)]
    rows = [min(height - 1, int(limit / top * height)) for limit in marks]
    return [
        _row(line, [row == y for row in rows] if height > 2 else [], _role(y, top, height, most))
        for y, line in zip(range(height - 1, -1, -1), drawn, strict=True)
    ]


def _role(y: int, top: float, height: int, limit: int) -> str:
    return level(100 * (y + 0.5) / height * top / limit if limit else None)


def _row(line: str, marked: Sequence[bool], role: str) -> Line:
    """One line of the area, the limit drawn where the area leaves room."""
    out: Line = []
    for x, char in enumerate(line):
        limit = x < len(marked) and marked[x] and char == " "
        span = (LIMIT, "warn") if limit else (char, role)
        if out and out[-1][1] == span[1]:
            out[-1] = (out[-1][0] + span[0], role if not limit else "warn")
        else:
            out.append(span)
    return out


def course_graph(
    course: Course, limits: Limits, seconds: float, width: int, height: int
) -> list[Line]:
    """Return the graph with sizes at its left and times below it."""
    inner, rows = width - _GUTTER - 2, height - 1
    if inner < 10 or rows < 2:
        return course_lines(course, limits, seconds, max(1, width), max(1, height))
    lines = course_lines(course, limits, seconds, inner, rows)
    marked = [i for i, line in enumerate(lines) if any(LIMIT in text for text, _ in line)]
    now = limits[-1][1]
    labels = {rows - 1: "0", (marked[0] if marked else 0): size(now)}
    framed: list[Line] = []
    for i, line in enumerate(lines):
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
