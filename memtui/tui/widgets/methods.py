"""A field that holds one of the methods of limiting, and a list of commands of before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from memtui.model.limits import METHODS
from memtui.render.runs import Known, method_line, past_lines
from memtui.render.spans import Line
from memtui.tui.widgets.lines import Lines


class MethodField(Lines, can_focus=True):
    """One of the methods; left and right, or a click, choose another."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "method before", id="method.before"),
        Binding("right,space", "turn(1)", "next method", id="method.next"),
    ]

    class Changed(Message):
        """Another method was chosen."""

    def __init__(self) -> None:
        super().__init__(id="method")
        self.method = METHODS[0]

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the one line."""
        return [method_line(self.method, self.has_focus, width)], None

    def choose(self, method: str) -> None:
        """Hold this one."""
        if method != self.method and method in METHODS:
            self.method = method
            self.draw()
            self.post_message(self.Changed())

    def action_turn(self, by: int) -> None:
        """Hold the next one, or the one before."""
        self.choose(METHODS[(METHODS.index(self.method) + by) % len(METHODS)])

    def on_click(self, event: events.Click) -> None:
        """Turn back at the left arrow, else on."""
        self.action_turn(-1 if event.x == 0 else 1)

    def on_focus(self) -> None:
        """Show that it has the focus."""
        self.draw()

    def on_blur(self) -> None:
        """Show that it has lost the focus."""
        self.draw()


class PastList(Lines):
    """Commands of before; a click takes one into the fields."""

    class Clicked(Message):
        """One of them was clicked: which, from the top of all."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__(id="recent")
        self._past: Sequence[Known] = ()
        self._chosen: int | None = None
        self._top = 0

    def set_past(self, past: Sequence[Known], chosen: int | None) -> None:
        """Show these, with the chosen one in view."""
        self._past, self._chosen = past, chosen
        room = max(1, self.size.height - 1)
        at = chosen or 0
        self._top = min(max(self._top, at - room + 1), at)
        self.draw()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the heading and the commands."""
        return past_lines(self._past, self._top, self._chosen, width, height), None

    def on_click(self, event: events.Click) -> None:
        """Take the command clicked."""
        index = self._top + event.y - 1
        if event.y > 0 and index < len(self._past):
            self.post_message(self.Clicked(index))

    def on_mouse_scroll_down(self) -> None:
        """Show later ones."""
        self._turn(1)

    def on_mouse_scroll_up(self) -> None:
        """Show earlier ones."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        room = max(1, self.size.height - 1)
        self._top = min(max(0, self._top + by), max(0, len(self._past) - room))
        self.draw()
