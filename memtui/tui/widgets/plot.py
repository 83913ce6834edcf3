"""A chart as a widget: `render/chart.py` draws it, on the UI thread only."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from memtui.render.chart import Curve, chart

__all__ = ["Curve", "Plot"]

_MIN_WIDTH, _MIN_HEIGHT = 24, 5


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
        now = self._times[-1]
        times = [t - now for t in self._times]
        drawn = chart(times, self._curves, (width, height), self._grounds, self._filled)
        return Text.from_ansi(drawn)
