"""Panels whose top line or left column is a border that the mouse drags."""

from __future__ import annotations

from textual import events
from textual.message import Message

from memtui.render.borders import lit
from memtui.render.spans import Line
from memtui.tui.widgets.lines import Lines


class Bordered(Lines):
    """Lines with borders: held by the mouse they follow it, a double click puts them back."""

    TOP = ""
    """The border that the first line is, as `render.borders` names it."""
    LEFT = ""
    """The border that the first column is."""

    class Dragged(Message):
        """The mouse, holding borders, is at a cell of the screen."""

        def __init__(self, borders: tuple[str, ...], x: int, y: int) -> None:
            super().__init__()
            self.borders, self.x, self.y = borders, x, y

        def can_replace(self, message: Message) -> bool:
            """Let only the newest place count: drawing may be slower than the mouse."""
            return isinstance(message, Bordered.Dragged) and message.borders == self.borders

    class Cleared(Message):
        """Borders were double-clicked."""

        def __init__(self, borders: tuple[str, ...]) -> None:
            super().__init__()
            self.borders = borders

    class Pointed(Message):
        """The mouse came to borders of a panel, or left them (none)."""

        def __init__(self, panel: Bordered, borders: tuple[str, ...]) -> None:
            super().__init__()
            self.panel, self.borders = panel, borders

    _lit: tuple[str, ...] = ()
    _held: tuple[str, ...] = ()
    _from: tuple[int, int] | None = (0, 0)  # where it was taken, until it moved

    def light(self, borders: tuple[str, ...]) -> None:
        """Draw these borders as those that the mouse has."""
        if borders != self._lit:
            self._lit = borders
            self.draw()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the lines with their borders lit where the mouse has them."""
        lines, marked = super().make(width, height)
        if self.TOP and self.TOP in self._lit:
            lines[:1] = [lit(line) for line in lines[:1]]
        if self.LEFT and self.LEFT in self._lit:
            lines = [_lit_left(line) for line in lines]
        return lines, marked

    # -- the mouse

    def borders_at(self, x: int, y: int) -> tuple[str, ...]:
        """Return the borders at a cell; a corner is two."""
        found = (self.LEFT if x == 0 else "", self.TOP if y == 0 else "")
        return tuple(b for b in found if b)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a border."""
        self._held = self.borders_at(event.x, event.y) if event.button == 1 else ()
        self._from = event.screen_x, event.screen_y
        if self._held:
            self.capture_mouse()
            self.post_message(self.Pointed(self, self._held))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag what is held; else show what could be."""
        if self._held and event.button:
            self._drag(event)
        elif self._held:  # the button was let go where nobody told us
            self._drop()
        else:
            self.post_message(self.Pointed(self, self.borders_at(event.x, event.y)))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go."""
        if self._held:
            self._drag(event)
            self._drop()

    def on_leave(self) -> None:
        """Show the borders as they are: the mouse went elsewhere."""
        if not self._held:
            self.post_message(self.Pointed(self, ()))

    def _drag(self, event: events.MouseEvent) -> None:
        at = event.screen_x, event.screen_y
        if at != self._from:
            self._from = None
            self.post_message(self.Dragged(self._held, *at))

    def _drop(self) -> None:
        self._held = ()
        self.release_mouse()
        self.post_message(self.Pointed(self, ()))

    @property
    def dragged(self) -> bool:
        """Whether the mouse moved a border since its button went down."""
        return self._from is None

    def taken(self, event: events.Click) -> bool:
        """Whether a click was the end of a drag, or one on a border; twice puts that back."""
        if self.dragged:
            return True
        borders = self.borders_at(event.x, event.y)
        if borders and event.chain == 2:
            self.post_message(self.Cleared(borders))
        return bool(borders)


def _lit_left(line: Line) -> Line:
    """A line with its first cell lit, where that is a border."""
    if not line or line[0][1] != "rule":
        return line
    text = line[0][0]
    return [*lit([(text[:1], "rule")]), (text[1:], "rule"), *line[1:]]
