"""The lines of the main screen that are clicked: the key bar, the scopes, the panels below."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events

from memtui.render.borders import GRAPH, PANELS
from memtui.render.events import event_at
from memtui.render.frame import key_at
from memtui.render.spans import role_at
from memtui.render.tabs import scope_at
from memtui.tui.widgets.bordered import Bordered
from memtui.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen


class KeyBar(Lines):
    """The function-key bar; a click on a label is that key."""

    def on_click(self, event: events.Click) -> None:
        """Do what the label clicked says; a message that stands there is only put away."""
        screen = cast("MainScreen", self.screen)
        if screen.hush():
            return
        if action := key_at(event.x, self.size.width):
            screen.call_later(screen.run_action, action)


class EventsPanel(Bordered):
    """The OOM events; a click on one opens its post-mortem, one on the title opens them all."""

    TOP = PANELS

    def on_click(self, event: events.Click) -> None:
        """Open what was clicked."""
        screen = cast("MainScreen", self.screen)
        if event.y == 0 and self._on_words(event.x) and not self.dragged:
            screen.action_oom()
            return
        state = screen.state
        found = event_at(state.events, state.snapshot.quota, event.y)
        if not self.taken(event) and found:
            screen.open_event(found)

    def _on_words(self, x: int) -> bool:
        """Whether a cell of the title line holds words, and not the border."""
        return bool(self.lines) and role_at(self.lines[0], x) not in ("rule", "")


class GraphPanel(Bordered):
    """The last two minutes, or the newest command under a limit: a click on that shows all."""

    TOP, LEFT = PANELS, GRAPH

    def on_click(self, event: events.Click) -> None:
        """Put a border back that was double-clicked; show all commands where one is shown."""
        screen = cast("MainScreen", self.screen)
        if not self.taken(event) and event.y > 0 and screen.running.shown:
            screen.action_jobs()


class ScopeLine(Lines):
    """The scopes; a click on one shows it."""

    def on_click(self, event: events.Click) -> None:
        """Show the scope clicked."""
        screen = cast("MainScreen", self.screen)
        words = screen.words()
        if scope := scope_at(event.x, screen.there, screen.scope, words, self.size.width):
            screen.go_scope(scope)
