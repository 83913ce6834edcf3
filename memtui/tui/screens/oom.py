"""OOM events: a list with what is known of the one under the cursor, and the full post-mortem."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from memtui.model.victims import OomEvent
from memtui.render.eventlist import list_header, list_row
from memtui.render.events import watched
from memtui.render.postmortem import as_text, postmortem, wrap
from memtui.render.spans import Line, fitted, rule
from memtui.tui.screens.pages import DrawnScreen, Page, keys_of
from memtui.tui.state import State
from memtui.tui.widgets.lines import Lines

_WHEEL = 3  # rows a notch of the wheel scrolls
_SAID_S = 8.0  # seconds that a message stands in place of the keys


def copy(app: App[Any], event: OomEvent) -> str:
    """Send the post-mortem to the terminal's clipboard (OSC 52); return what to say of it."""
    text = as_text(event)
    app.copy_to_clipboard(text)
    return f"{text.count(chr(10))} lines sent to the terminal's clipboard (OSC 52)"


class OomList(Lines):
    """Events, newest first, with a cursor that stays on its event."""

    class Opened(Message):
        """The event under the cursor was asked for in full."""

    def __init__(self) -> None:
        super().__init__(id="kills")
        self.events: list[OomEvent] = []
        self.cursor = 0
        self._top = 0

    @property
    def current(self) -> OomEvent | None:
        """The event under the cursor."""
        return self.events[self.cursor] if self.events else None

    @property
    def page(self) -> int:
        """How many events are visible."""
        return max(1, self.size.height - 1)

    def set_events(self, found: list[OomEvent]) -> None:
        """Show these events; the cursor stays on its own, or at the top while it is there."""
        held = self.current
        self.events = found
        if held is not None and self.cursor > 0:
            ids = [e.id for e in found]
            self.cursor = ids.index(held.id) if held.id in ids else self.cursor
        self.move_to(self.cursor)

    def move_to(self, index: int) -> None:
        """Put the cursor on a row; beyond the ends means the first or the last."""
        self.cursor = max(0, min(index, len(self.events) - 1))
        self._top = min(max(self._top, self.cursor - self.page + 1), self.cursor)
        self.draw()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the visible events."""
        shown = self.events[self._top : self._top + self.page]
        lines = [list_header(width), *(list_row(e, width) for e in shown)]
        return lines, self.cursor - self._top + 1 if shown else None

    def on_click(self, event: events.Click) -> None:
        """Select the event clicked; a double click opens it."""
        i = self._top + event.y - 1
        if event.y > 0 and i < len(self.events):
            self.move_to(i)
            self.post_message(self.Opened() if event.chain > 1 else self.Selected())

    class Selected(Message):
        """The cursor has moved."""

    def on_mouse_scroll_down(self) -> None:
        """Move the cursor down."""
        self._turn(_WHEEL)

    def on_mouse_scroll_up(self) -> None:
        """Move the cursor up."""
        self._turn(-_WHEEL)

    def _turn(self, rows: int) -> None:
        self.move_to(self.cursor + rows)
        self.post_message(self.Selected())


class OomScreen(DrawnScreen):
    """The list above, the beginning of the selected event's post-mortem below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,o,f10", "leave", "leave", id="oom.leave"),
        Binding("enter", "open", "post-mortem", id="oom.open"),
        Binding("up,k", "by(-1)", "up", id="oom.up"),
        Binding("down,j", "by(1)", "down", id="oom.down"),
        Binding("pageup", "page(-1)", "page up", id="oom.page_up"),
        Binding("pagedown,space", "page(1)", "page down", id="oom.page_down"),
        Binding("home", "go(0)", "newest", id="oom.first"),
        Binding("end", "go(-1)", "oldest", id="oom.last"),
        Binding("y", "copy", "copy the post-mortem", id="oom.copy"),
    ]

    def __init__(self, state: State) -> None:
        super().__init__(classes="page")
        self._state = state
        self._list = OomList()
        self._title = Lines(id="page-title")
        self._preview = Lines(id="preview")
        self._keys = Lines(id="page-keys")
        self._shown: tuple[int, int] = (0, 0)  # which event, and how wide
        self._event: OomEvent | None = None
        self._said = "", 0.0

    @property
    def selected(self) -> OomEvent | None:
        """The event under the cursor."""
        return self._list.current

    def compose(self) -> ComposeResult:
        """Put the list above the preview."""
        yield self._title
        yield self._list
        yield self._preview
        yield self._keys

    def show_state(self) -> None:
        """Draw the events as they are known now."""
        if not self.is_mounted:
            return
        found = self._state.events
        rows = 1 + max(1, min(len(found), self.size.height // 3)) if found else 0
        self._list.styles.height = rows
        self._list.set_events(found)
        self._draw()

    def _draw(self) -> None:
        """Draw everything but the list."""
        if not self.is_mounted or self.app.screen is not self:  # it was left meanwhile
            return
        width, count = self.size.width, len(self._list.events)
        where: Line = [(f"  {self._list.cursor + 1} of {count}", "muted")] if count else []
        self._title.show([[(" OOM events", "accent"), *where]])
        event = self._list.current
        if event is not self._event or event is None or self._shown != (event.id, width):
            self._event, self._shown = event, (event.id if event else 0, width)
            self._preview.show(self._below(event, width))
        said, until = self._said
        if time.monotonic() < until:
            self._keys.show([fitted([(" " + said, "accent")], width)])
            return
        keys = [("Esc", "back"), ("↑ ↓", "select")]
        keys += [("Enter", "post-mortem"), ("y", "copy")] if event else []
        self._keys.show([keys_of(keys, width)])

    def _below(self, event: OomEvent | None, width: int) -> list[Line]:
        if event is not None:
            page = postmortem(event, max(20, width - 2))
            more: Line = [("Enter", "accent"), (" all of it", "muted")]
            return [rule([("post-mortem", "bold")], width, more), *([(" ", ""), *x] for x in page)]
        now = self._state.snapshot
        words = ["No OOM kill is known.", watched(now.quota, now.log)]
        lines: list[Line] = [[]]
        for text, role in zip(words, ("bold", "muted"), strict=True):
            lines += [[(" " + row, role)] for row in wrap(text, max(8, width - 2))]
        return lines

    # -- actions

    def action_leave(self) -> None:
        """Go back to the main screen."""
        self.dismiss(None)

    def action_by(self, rows: int) -> None:
        """Move the cursor."""
        self._list.move_to(self._list.cursor + rows)
        self._draw()

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.action_by(pages * self._list.page)

    def action_go(self, index: int) -> None:
        """Go to the newest, or to the oldest."""
        self._list.move_to(index if index >= 0 else len(self._list.events))
        self._draw()

    def action_open(self) -> None:
        """Open the post-mortem of the event under the cursor."""
        if self._list.current is not None:
            self.app.push_screen(PostmortemScreen(self._state, self._list.current))

    def action_copy(self) -> None:
        """Copy the post-mortem of the event under the cursor."""
        if self._list.current is not None:
            self._said = copy(self.app, self._list.current), time.monotonic() + _SAID_S
            self._draw()

    def on_key(self) -> None:
        """Let the keys come back."""
        self._said = "", 0.0
        self.call_after_refresh(self._draw)

    def on_oom_list_selected(self) -> None:
        """Show the event that the mouse chose."""
        self._draw()

    def on_oom_list_opened(self) -> None:
        """Open the event that was clicked twice."""
        self._draw()
        self.action_open()


class PostmortemScreen(Page):
    """Everything known of one event; drawn anew when more becomes known."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy as text", id="postmortem.copy"),
    ]
    HEADING = "Post-mortem"

    def __init__(self, state: State, event: OomEvent) -> None:
        super().__init__()
        self._state = state
        self._event = event
        self._width = 0
        self._page: list[Line] = []
        self._said = "", 0.0

    def lines(self, width: int) -> list[Line]:
        """Return the post-mortem of the event as it is known now."""
        known = (e for e in self._state.events if e.id == self._event.id)
        event = next(known, self._event)
        if event is not self._event or width != self._width:  # 7 ms, and most ticks tell nothing
            self._event, self._width = event, width
            self._page = postmortem(event, width)
        return self._page

    def keys(self) -> Line:
        """Return the keys, or what was copied just now."""
        said, until = self._said
        if time.monotonic() < until:
            return fitted([(" " + said, "accent")], self.size.width)
        keys = [("Esc", "back"), ("↑ ↓", "scroll"), ("y", "copy as text")]
        return keys_of(keys, self.size.width)

    def action_copy(self) -> None:
        """Copy the post-mortem as text."""
        self._said = copy(self.app, self._event), time.monotonic() + _SAID_S
        self.show_state()

    def on_key(self) -> None:
        """Let the keys come back."""
        self._said = "", 0.0
        self.call_after_refresh(self.show_state)
