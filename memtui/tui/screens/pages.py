"""Full-screen pages of text that scroll; the page of limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

from memtui.render.levels import limit_lines
from memtui.render.spans import Line, fitted
from memtui.tui.state import State
from memtui.tui.theme import styles_of
from memtui.tui.widgets.lines import Lines


def keys_of(keys: Sequence[tuple[str, str]], width: int) -> Line:
    """Return the bar that names a page's keys, from (key, what it does)."""
    line: Line = [(" ", "label")]
    for key, does in keys:
        line += [(key, "key"), (f" {does}   ", "label")]
    return fitted(line, width, "label")


class DrawnScreen(Screen[None]):
    """A screen of parts that `show_state` draws: for a new size, and when what hid it has gone."""

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.show_state)

    def on_screen_resume(self) -> None:
        """Draw what happened while a dialog stood before this."""
        self.call_after_refresh(self.show_state)

    def show_state(self) -> None:
        """Draw everything from the state as it is now."""
        raise NotImplementedError


class Page(DrawnScreen):
    """A titled page that scrolls; any of the usual keys leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f10,enter", "leave", "leave", id="page.leave"),
        Binding("up,k", "by(-1)", "up", id="page.up"),
        Binding("down,j", "by(1)", "down", id="page.down"),
        Binding("pageup", "by_page(-1)", "page up", id="page.page_up"),
        Binding("pagedown,space", "by_page(1)", "page down", id="page.page_down"),
        Binding("home", "go(False)", "top", id="page.top"),
        Binding("end", "go(True)", "bottom", id="page.bottom"),
    ]
    HEADING = ""

    def __init__(self) -> None:
        super().__init__(classes="page")
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Put the text between a title and the keys."""
        yield Lines(id="page-title")
        with VerticalScroll(can_focus=False):
            yield Static(id="page-text")
        yield Lines(id="page-keys")

    def show_state(self) -> None:
        """Draw the page from the state as it is now."""
        if not self.is_mounted or self.app.screen is not self:  # it was left meanwhile
            return
        width = self.size.width
        self.query_one("#page-title", Lines).show([[(f" {self.HEADING}", "accent")]])
        self.query_one("#page-keys", Lines).show([self.keys()])
        lines = self.lines(max(20, width - 3))
        drawn = lines, self.app.theme, self.app.no_color
        if drawn != self._drawn:
            self._drawn = drawn
            self.query_one("#page-text", Static).update(self._content(lines))

    def keys(self) -> Line:
        """Return the bar that names the page's keys."""
        return keys_of([("Esc", "back"), ("↑ ↓", "scroll")], self.size.width)

    def lines(self, width: int) -> list[Line]:
        """Return the page's text."""
        return []

    def _content(self, lines: list[Line]) -> Content:
        styles, theme = styles_of(self.app).normal, self.app.ansi_theme
        parts: list[Content] = []
        for line in lines:
            spans = (
                Content.styled(t, Style.from_rich_style(styles[role], theme)) for t, role in line
            )
            parts.append(Content("").join(spans))
        return Content("\n").join(parts)

    def action_leave(self) -> None:
        """Go back to the main screen."""
        self.dismiss(None)

    def action_by(self, rows: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_by_page(self, pages: int) -> None:
        """Scroll by pages."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)

    def action_go(self, down: bool) -> None:
        """Scroll to the top or the bottom."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_to(y=scroll.max_scroll_y if down else 0, animate=False)


class LimitsScreen(Page):
    """Every level's limit and usage, and which file says so."""

    HEADING = "Limits"

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def lines(self, width: int) -> list[Line]:
        """Return the limits of every visible level, our own first."""
        return limit_lines(self._state.snapshot.quota)
