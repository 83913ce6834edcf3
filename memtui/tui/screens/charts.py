"""Charts over the time that memtui has run: the quota by part, and the biggest processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from memtui.model.series import PARTS
from memtui.render.spans import Line, fitted, rule, width_of
from memtui.text import elide
from memtui.tui.state import State
from memtui.tui.theme import palette_of
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.plot import Curve, Plot
from memtui.units import duration, size

_BIGGEST = 5
_PARTS = (0, 2, 3, 4)  # colours of anon, tmpfs, kernel; the cache is grey
_NAN = float("nan")
_Values = Sequence[Sequence[float]]


class ChartsScreen(Screen[None]):
    """Two charts, drawn anew with every sample."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,g,f10,enter", "leave", "leave", id="charts.leave")
    ]

    def __init__(self, state: State) -> None:
        super().__init__(classes="page")
        self._state = state

    def compose(self) -> ComposeResult:
        """Put each chart under a line that names its curves."""
        yield Lines(id="page-title")
        yield Lines(id="parts-legend", classes="legend")
        yield Plot(id="parts")
        yield Lines(id="biggest-legend", classes="legend")
        yield Plot(id="biggest")
        yield Lines(id="page-keys")

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.show_state)

    def show_state(self) -> None:
        """Draw both charts from what is remembered."""
        series, width = self._state.series, self.size.width
        span = series.times[-1] - series.times[0] if len(series.times) > 1 else 0.0
        title: Line = [(" charts", "accent"), (f"  the last {duration(span)}", "muted")]
        self.query_one("#page-title", Lines).show([title])
        keys: Line = [(" Esc", "key"), (" back", "label")]
        self.query_one("#page-keys", Lines).show([fitted(keys, width, "label")])
        if width:
            self._show_parts()
            self._show_biggest()

    def _show_parts(self) -> None:
        series = self._state.series
        names = list(PARTS)
        values = [series.parts[n] for n in names]
        self._legend("parts", "quota by part", names, values, _PARTS)
        self._plot("parts", _stack(values), _PARTS, filled=True)

    def _show_biggest(self) -> None:
        series = self._state.series
        top = series.biggest(_BIGGEST)
        names, values = [series.names[i] for i in top], [series.processes[i] for i in top]
        self._legend("biggest", "biggest by RES", names, values, range(_BIGGEST))
        self._plot("biggest", values, range(_BIGGEST), filled=False)

    def _legend(
        self, chart: str, heading: str, names: list[str], values: _Values, colors: Sequence[int]
    ) -> None:
        line: Line = [(heading, "bold")]
        for label, curve, color in zip(names, values, colors, strict=False):
            now = curve[-1] if len(curve) else _NAN
            words = size(int(now)) if now == now else "ended"
            item: Line = [
                ("   ━ ", f"series{color}"),
                (elide(label, 24) + " ", ""),
                (words, "muted"),
            ]
            if width_of(line) + width_of(item) <= self.size.width - 4:
                line += item
        self.query_one(f"#{chart}-legend", Lines).show([rule(line, self.size.width)])

    def _plot(self, chart: str, values: _Values, colors: Sequence[int], filled: bool) -> None:
        app = self.app
        p = palette_of(app.current_theme, app.theme_variables, app.no_color)
        curves = [Curve(v, p.series[c]) for v, c in zip(values, colors, strict=False)]
        grounds = p.background, p.foreground
        self.query_one(f"#{chart}", Plot).plot(self._state.series.times, curves, grounds, filled)

    def action_leave(self) -> None:
        """Go back to the main screen."""
        self.dismiss(None)


def _stack(layers: _Values) -> _Values:
    """Return each layer on top of those before it; unknown counts as nothing."""
    sums: list[Sequence[float]] = []
    below: Sequence[float] = ()
    for layer in layers:
        base = below or [0.0] * len(layer)
        below = [b + (v if v == v else 0.0) for b, v in zip(base, layer, strict=True)]
        sums.append(below)
    return sums
