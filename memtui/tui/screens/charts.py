"""Charts over the time that memtui has run: the quota by part, and the biggest processes."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from memtui.model.series import PARTS
from memtui.render.spans import Line, fitted
from memtui.tui.state import State
from memtui.tui.theme import palette_of
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.plot import Curve, Plot
from memtui.units import duration

_BIGGEST = 5


class ChartsScreen(Screen[None]):
    """Two charts, drawn anew with every sample."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,g,f10,enter", "leave", "leave", id="charts.leave")
    ]

    def __init__(self, state: State) -> None:
        super().__init__(classes="page")
        self._state = state

    def compose(self) -> ComposeResult:
        """Put the charts between a title and the keys."""
        yield Lines(id="page-title")
        yield Plot("quota by part", id="parts")
        yield Plot("biggest processes, RES", id="biggest")
        yield Lines(id="page-keys")

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.show_state)

    def show_state(self) -> None:
        """Draw both charts from what is remembered."""
        series, width = self._state.series, self.size.width
        p = palette_of(self.app.current_theme, self.app.theme_variables, self.app.no_color)
        ground = p.background, p.foreground
        lines = [p.calm, p.warn, p.crit, p.muted, p.foreground]
        span = series.times[-1] - series.times[0] if len(series.times) > 1 else 0.0
        title: Line = [(" charts", "accent"), (f"  the last {duration(span)}", "muted")]
        self.query_one("#page-title", Lines).show([title])
        keys: Line = [(" Esc", "key"), (" back", "label")]
        self.query_one("#page-keys", Lines).show([fitted(keys, width, "label")])
        parts = [Curve(n, series.parts[n], c) for n, c in zip(PARTS, lines, strict=False)]
        self.query_one("#parts", Plot).plot(series.times, parts, ground)
        top = series.biggest(_BIGGEST)
        curves = [
            Curve(series.names[i], series.processes[i], c) for i, c in zip(top, lines, strict=False)
        ]
        self.query_one("#biggest", Plot).plot(series.times, curves, ground)

    def action_leave(self) -> None:
        """Go back to the main screen."""
        self.dismiss(None)
