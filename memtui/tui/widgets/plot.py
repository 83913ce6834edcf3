"""Charts by plotext: the one file that imports it, when the first chart is drawn.

plotext draws on a figure that the whole process shares, so this runs on the UI thread only and
is fed finite, down-sampled numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual.widget import Widget

from memtui.units import duration, size

_MIN_WIDTH, _MIN_HEIGHT = 24, 5
_Y_TICKS, _X_TICKS = 6, 6
_SPANS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class Curve(NamedTuple):
    """A line of values in bytes at the plot's times; NaN where unknown."""

    values: Sequence[float]
    color: str


class Plot(Widget):
    """One chart of bytes over the time that memtui has run."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._times: Sequence[float] = ()
        self._curves: Sequence[Curve] = ()
        self._filled = False
        self._grounds = ("default", "default")

    def plot(
        self,
        times: Sequence[float],
        curves: Sequence[Curve],
        grounds: tuple[str, str],
        filled: bool = False,
    ) -> None:
        """Draw `curves` over `times` (monotonic seconds), those named first on top.

        `filled` fills each below its line; `grounds` are background and foreground colours.
        """
        self._times, self._curves = times, curves
        self._grounds, self._filled = grounds, filled
        self.refresh()

    def render(self) -> Text:
        """Return the chart, or a sentence where there is nothing to draw yet."""
        width, height = self.size
        if width < _MIN_WIDTH or height < _MIN_HEIGHT:
            return Text("too small for a chart: make the terminal larger")
        if len(self._times) < 3 or self._times[0] == self._times[-1]:
            return Text("\n collecting: the chart begins with the third sample")
        return Text.from_ansi(self._build(width, height))

    def _build(self, width: int, height: int) -> str:
        import plotext as plt

        background, foreground = (_rgb(c) for c in self._grounds)
        plt.clear_figure()
        plt.plotsize(width, height)
        plt.canvas_color(background)
        plt.axes_color(background)
        plt.ticks_color(foreground)
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        now = self._times[-1]
        for curve in reversed(self._curves):
            points = _thin(self._times, curve.values, 2 * width)
            if points:
                x, y = [t - now for t, _ in points], [v for _, v in points]
                plt.plot(x, y, color=_rgb(curve.color), marker="braille", fillx=self._filled)
        self._scale(plt, self._times[0] - now)
        text = str(plt.build())
        plt.clear_figure()
        return text

    def _scale(self, plt: object, start_s: float) -> None:
        """Put ticks at round sizes and round times: plotext's own are neither."""
        top = max((v for c in self._curves for v in c.values if math.isfinite(v)), default=0.0)
        step = round_step(max(top, 1.0) / _Y_TICKS)
        ys = [step * i for i in range(int(top / step) + 2)]
        span = next((s for s in _SPANS_S if -start_s / s <= _X_TICKS), _SPANS_S[-1])
        xs = [-span * i for i in range(int(-start_s / span), -1, -1)]
        labels = ["now" if x == 0 else "-" + duration(-x) for x in xs]
        plt.ylim(0, max(top * 1.02, ys[-2]))  # type: ignore[attr-defined]
        plt.xlim(start_s, 0)  # type: ignore[attr-defined]
        plt.yticks(ys[:-1], [size(int(y)) for y in ys[:-1]])  # type: ignore[attr-defined]
        plt.xticks(xs, labels)  # type: ignore[attr-defined]


def round_step(least: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten of K, M or G that is not below `least`."""
    unit = 1024.0 ** max(0, int(math.log(least, 1024)))
    ten = 10.0 ** math.floor(math.log10(least / unit))
    return next(n * ten * unit for n in (1, 2, 5, 10) if n * ten * unit >= least * 0.999)


def _rgb(color: str) -> tuple[int, int, int] | str:
    if not color.startswith("#"):
        return "default"
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _thin(times: Sequence[float], values: Sequence[float], most: int) -> list[tuple[float, float]]:
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
