"""Rows below a header, with a cursor and a window that follows it: what all tables have."""

from __future__ import annotations

from textual import events
from textual.message import Message

from memtui.tui.widgets.lines import Lines

_WHEEL = 3  # rows a notch of the wheel scrolls


class Scrolling(Lines):
    """A cursor and a window on rows; whoever inherits says how many there are and draws them."""

    class Pointed(Message):
        """The cursor stands on another row."""

    _pointed: object = None  # what it stood on when that was told last

    cursor = 0  # index of the row that the cursor stands on
    top = 0  # index of the first visible row
    at_rest = True  # nobody has put the cursor anywhere: it stays at the top, whoever is there

    @property
    def length(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def pointing(self) -> object:
        """What the cursor stands on, where somebody wants to be told; else None."""
        return None

    def draw(self) -> None:
        """Draw what has changed; tell where the cursor stands on another row."""
        super().draw()
        if self.pointing != self._pointed:
            self._pointed = self.pointing
            self.post_message(self.Pointed())

    @property
    def page(self) -> int:
        """How many rows are visible."""
        return max(1, self.size.height - 1)

    def settle(self, follow: bool = True) -> None:
        """Keep cursor and window inside the list, and the window on the cursor if `follow`."""
        last = max(0, self.length - 1)
        self.cursor = min(max(0, self.cursor), last)
        if follow and self.size.height:  # before that a page is unknown
            self.top = min(max(self.top, self.cursor - self.page + 1), self.cursor)
        self.top = min(max(0, self.top), max(0, self.length - self.page))
        self.draw()

    def scrollbar(self) -> list[tuple[str, str]]:
        """Return one cell of the scroll bar for each visible row."""
        page, n = self.page, self.length
        if n <= page:
            return [(" ", "")] * page
        size = max(1, page * page // n)
        at = round(self.top / (n - page) * (page - size))
        return [("▐", "muted") if at <= y < at + size else ("▕", "rule") for y in range(page)]

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.settle()

    def move(self, rows: int) -> None:
        """Move the cursor; the window follows."""
        self.at_rest = False
        self.cursor += rows
        self.settle()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row; beyond the end means the last."""
        self.at_rest = False
        self.cursor = index
        self.settle()

    def rest(self) -> None:
        """Put the cursor on the first row, to stay there through every sort and sample."""
        self.at_rest = True
        self.cursor = 0
        self.settle()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll; the cursor stays on its row."""
        self.roll(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll; the cursor stays on its row."""
        self.roll(-_WHEEL)

    def roll(self, rows: int) -> None:
        """Move the window alone."""
        self.top += rows
        self.settle(follow=False)

    def jump(self, y: int) -> None:
        """Move the window to where the scroll bar was clicked, `y` lines below its top."""
        self.top = round(y / max(1, self.page - 1) * max(0, self.length - self.page))
        self.settle(follow=False)
