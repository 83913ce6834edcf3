"""Charts by plotext: the one file that imports it, when the first chart is drawn.

plotext draws on a figure that the whole process shares, so this is for one thread only, and it is
fed finite, down-sampled numbers. The screen and the report on a run both draw with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from memtui.units import duration, size

Color = tuple[int, int, int] | str
Point = tuple[float, float]
_Y_TICKS, _X_TICKS = 6, 6
_SPANS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300),
    *(600, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)


class Curve(NamedTuple):
    """A line of values in bytes at the chart's times; NaN where unknown."""

    values: Sequence[float]
    color: str  # "#rrggbb", or anything else for the terminal's own
    marker: str = "braille"


def chart(
    times: Sequence[float],
    curves: Sequence[Curve],
    box: tuple[int, int],
    grounds: tuple[str, str] = ("", ""),
    filled: bool = False,
) -> str:
    """Return a chart of `box` = (width, height) cells, with escape sequences for its colours.

    `times` are ascending seconds, with the end at 0 ("now") or the beginning. Curves that come
    first are on top. `filled` fills each below its line; `grounds` are the colours of background
    and text.
    """
    import plotext as plt

    _blank(plt, box, *map(_rgb, grounds))
    drawn = []
    for curve in reversed(curves):
        points = _thin(times, curve.values, 2 * box[0])
        if points:
            x, y = [t for t, _ in points], [v for _, v in points]
            plt.plot(x, y, color=_rgb(curve.color), marker=curve.marker, fillx=filled)
            drawn += y
    _scale(plt, times[0], times[-1], max(drawn, default=0.0))
    text = str(plt.build())
    plt.clear_figure()
    return text


def without_colors(drawn: str) -> str:
    """Return a chart's text alone."""
    import plotext as plt

    return str(plt.uncolorize(drawn))


def _blank(plt: ModuleType, box: tuple[int, int], background: Color, foreground: Color) -> None:
    plt.clear_figure()
    plt.limit_size(False, False)
    plt.plotsize(*box)
    plt.canvas_color(background)
    plt.axes_color(background)
    plt.ticks_color(foreground)
    plt.xaxes(True, False)
    plt.yaxes(True, False)


def _scale(plt: ModuleType, first_s: float, last_s: float, top: float) -> None:
    """Put ticks at round sizes and round times: plotext's own are neither."""
    step = _round_step(max(top, 1.0) / _Y_TICKS)
    ys = [step * i for i in range(int(top / step) + 2)]
    length = last_s - first_s
    span = next((s for s in _SPANS_S if length / s <= _X_TICKS), _SPANS_S[-1])
    xs = [span * i for i in range(math.ceil(first_s / span), math.floor(last_s / span) + 1)]
    plt.ylim(0, max(top * 1.02, ys[-2]))
    plt.xlim(first_s, last_s)
    plt.yticks(ys[:-1], [size(int(y)) for y in ys[:-1]])
    plt.xticks(xs, ["now" if last_s == x == 0 else _moment(x, span) for x in xs])


def _moment(seconds: float, span: float) -> str:
    """Name a moment: before now, or after the start."""
    if span < 1:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + "s"
    if seconds < 0:
        return "-" + duration(-seconds)
    return duration(seconds)


def _round_step(least: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten of K, M or G that is not below `least`."""
    unit = 1024.0 ** max(0, int(math.log(least, 1024)))
    ten = 10.0 ** math.floor(math.log10(least / unit))
    return next(n * ten * unit for n in (1, 2, 5, 10) if n * ten * unit >= least * 0.999)


def _rgb(color: str) -> Color:
    if not color.startswith("#"):
        return "default"
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _thin(times: Sequence[float], values: Sequence[float], most: int) -> list[Point]:
    """Return at most about `most` finite points, the lowest and highest of each stretch kept."""
    points = [(t, v) for t, v in zip(times, values, strict=True) if math.isfinite(v)]
    step = math.ceil(2 * len(points) / most) if most else 1
    if step <= 1:
        return points
    out = []
    for i in range(0, len(points), step):
        stretch = points[i : i + step]
        low, high = min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])
        out += sorted({low, high})
    return out
