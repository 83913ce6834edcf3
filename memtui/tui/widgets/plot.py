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

_MIN_WIDTH, _MIN_HEIGHT = 24, 6
_GIB, _MIB = 1 << 30, 1 << 20


class Curve(NamedTuple):
    """A named line: values in bytes at `Plot.times`; NaN where unknown."""

    name: str
    values: Sequence[float]
    color: str


class Plot(Widget):
    """One chart of bytes over the minutes that memtui has run."""

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._heading = title
        self._times: Sequence[float] = ()
        self._curves: Sequence[Curve] = ()
        self._stacked = False
        self._colors: tuple[str, str] = ("default", "default")

    def plot(
        self,
        times: Sequence[float],
        curves: Sequence[Curve],
        colors: tuple[str, str],
        stacked: bool = False,
    ) -> None:
        """Draw `curves` over `times` (monotonic seconds); `stacked` fills each below its line.

        `colors` are background and foreground, as #rrggbb.
        """
        self._times, self._curves = times, curves
        self._colors, self._stacked = colors, stacked
        self.refresh()

    def render(self) -> Text:
        """Return the chart, or a sentence where there is nothing to draw yet."""
        width, height = self.size
        if width < _MIN_WIDTH or height < _MIN_HEIGHT:
            return Text("too small for a chart: make the terminal larger")
        if len(self._times) < 2:
            return Text(
                f" {self._heading}\n\n collecting: the first chart stands after two samples"
            )
        return Text.from_ansi(self._build(width, height))

    def _build(self, width: int, height: int) -> str:
        import plotext as plt

        unit, name = self._unit()
        now = self._times[-1]
        plt.clear_figure()
        plt.plotsize(width, height)
        plt.theme("clear")
        background, foreground = (_rgb(c) for c in self._colors)
        plt.canvas_color(background)
        plt.axes_color(background)
        plt.ticks_color(foreground)
        plt.title(f"{self._heading} ({name})")
        for curve in self._curves:
            points = _thin(self._times, curve.values, 2 * width)
            if points:
                x = [(t - now) / 60 for t, _ in points]
                y = [v / unit for _, v in points]
                plt.plot(
                    x,
                    y,
                    label=curve.name,
                    color=_rgb(curve.color),
                    marker="braille",
                    fillx=self._stacked,
                )
        plt.xlabel("minutes")
        plt.ylim(0, None)
        text = plt.build()
        plt.clear_figure()
        return str(text)

    def _unit(self) -> tuple[int, str]:
        top = max((v for c in self._curves for v in c.values if math.isfinite(v)), default=0.0)
        return (_GIB, "GiB") if top >= _GIB else (_MIB, "MiB")


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
