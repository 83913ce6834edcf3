"""A widget that is a list of ready lines: only those that changed are drawn again."""

from __future__ import annotations

from collections.abc import Callable

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from memtui.render.spans import Line, fitted
from memtui.tui.theme import styles_of

Source = Callable[[int, int], list[Line]]
"""Makes the lines for a width and a height in cells."""


class Lines(Widget):
    """Shows lines without border, padding or markup, past Textual's styles cache.

    The lines come from `source`, or from whoever calls `show`. They are made for the widget's
    size at its first painting already, so that no blank frame comes before them; `draw` makes
    them anew, and costs nothing for a line that says what it said before.
    """

    def __init__(
        self,
        source: Source | None = None,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._source: Source = source or (lambda width, height: [])
        self._lines: list[Line] = []
        self._strips: list[Strip | None] = []
        self._made_for = Size(0, 0)
        self._marked: int | None = None  # the line drawn as selected

    @property
    def lines(self) -> list[Line]:
        """The lines on the screen now."""
        return self._lines

    def show(self, lines: list[Line]) -> None:
        """Show these lines from the top, blank below."""
        self._source = lambda width, height: lines
        self.draw()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the lines for a size, and which of them is drawn as selected."""
        return self._source(width, height), None

    def draw(self) -> None:
        """Make the lines anew and draw those that changed."""
        if not self.size:
            return
        if self._made_for != self.size:
            self._fill()
            self.refresh()
            return
        old, was = self._lines, self._marked
        self._lines, self._marked = self._made()
        dirty = [
            y
            for y, line in enumerate(self._lines)
            if old[y] != line or (was != self._marked and y in (was, self._marked))
        ]
        for y in dirty:
            self._strips[y] = None
        if dirty:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in dirty))

    def on_show(self) -> None:
        """Draw what was changed while the widget was hidden."""
        self.draw()

    def _made(self) -> tuple[list[Line], int | None]:
        width, height = self.size
        lines, marked = self.make(width, height)
        shown = [fitted(line, width) for line in lines[:height]]
        shown += [[(" " * width, "")]] * (height - len(shown))
        return shown, marked

    def _fill(self) -> None:
        self._lines, self._marked = self._made()
        self._strips = [None] * len(self._lines)
        self._made_for = self.size

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips inside `crop`."""
        if self._made_for != self.size:
            self._fill()
        width = self.size.width
        strips = [self._strip(y, width) for y in crop.line_range]
        x1, x2 = crop.column_span
        if x1 or x2 != width:
            strips = [s.crop(x1, x2) for s in strips]
        return strips

    def notify_style_update(self) -> None:
        """Forget the strips: the theme has changed."""
        super().notify_style_update()
        self._strips = [None] * len(self._strips)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Take the width there is."""
        return container.width

    def _strip(self, y: int, width: int) -> Strip:
        if y >= len(self._lines):
            return styles_of(self.app).strip([(" " * width, "")], width)
        strip = self._strips[y]
        if strip is None:
            marked = y == self._marked
            strip = self._strips[y] = styles_of(self.app).strip(self._lines[y], width, marked)
        return strip
