"""What to do: the state in a paragraph, at most three suggestions, and a key for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, work
from textual.binding import Binding, BindingType

from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Advice
from memtui.render.explain import explain_lines, suggestion_at
from memtui.render.spans import Line
from memtui.tui.screens.pages import Page, keys_of


class ExplainScreen(Page):
    """The explanation of one moment: it stands still until somebody looks again.

    So a key never does what stood there a moment later.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,r", "look", "look again", id="explain.look"),
        Binding("x", "leave", "leave", id="explain.leave"),
        *(
            Binding(str(n), f"do({n})", f"do suggestion {n}, after a question", id=f"explain.{n}")
            for n in (1, 2, 3)
        ),
    ]
    HEADING = "Explain"

    def __init__(self, explain: Callable[[], Explained], do: Callable[[Advice], None]) -> None:
        """`explain` reads for a moment; `do` asks, and does what is suggested."""
        super().__init__()
        self._explain = explain
        self._do = do
        self._found: Explained | None = None

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_look()

    def action_look(self) -> None:
        """Look again."""
        self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        found = self._explain()
        self.app.call_from_thread(self._show, found)

    def _show(self, found: Explained) -> None:
        self._found = found
        if self.is_mounted:
            self.show_state()

    def on_screen_resume(self) -> None:
        """Draw anew when a dialog has gone."""
        self.call_after_refresh(self.show_state)

    def keys(self) -> Line:
        """Return the bar that names the page's keys."""
        advice = self._found.advice if self._found else ()
        numbers = [str(n) for n, a in enumerate(advice, 1) if a.action is not None]
        keys = [("Esc", "back"), ("↑ ↓", "scroll")]
        keys += [(" ".join(numbers), "do it (asks first)")] if numbers else []
        return keys_of([*keys, ("F5", "look again")], self.size.width)

    def lines(self, width: int) -> list[Line]:
        """Return the state, and what to do."""
        if self._found is None:
            return [[("looking…", "muted")]]
        at = time.strftime("%H:%M:%S", time.localtime(self._found.seen.time))
        head: Line = [("as of ", "muted"), (at, "muted")]
        return [*explain_lines(self._found, width, keys=True), [], head]

    # -- doing

    def action_do(self, number: int) -> None:
        """Do what a suggestion says, after a question."""
        advice = self._found.advice[number - 1 :][:1] if self._found else ()
        for each in advice:
            if each.action is not None:
                self._do(each)

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked; it asks first."""
        text = self.query_one("#page-text")
        if self._found is None or event.widget is not text:
            return
        at = event.get_content_offset(text)
        width = max(20, self.size.width - 3)
        if at is not None and (number := suggestion_at(self._found, width, at.y)):
            self.action_do(number)
