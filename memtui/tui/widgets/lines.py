"""A widget that is a list of ready lines: only those that changed are drawn again."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from memtui.render.spans import Line, fitted
from memtui.tui.theme import styles_of


class Lines(Widget):
    """Shows lines without border, padding or markup, past Textual's styles cache.

    Every line is exactly as wide as the widget. Subclasses call `show`; drawing then costs
    nothing for a line that says what it said before.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._marked: int | None = None  # the line drawn as selected
        self._strips: list[Strip | None] = []

    @property
    def lines(self) -> list[Line]:
        """The lines on the screen now."""
        return self._lines

    def show(self, lines: Sequence[Line], selected: int | None = None) -> None:
        """Show `lines` from the top, the one numbered `selected` marked; blank below."""
        width, height = self.size
        if not width or not height:
            return
        shown = [fitted(line, width) for line in lines[:height]]
        shown += [[(" " * width, "")]] * (height - len(shown))
        old, self._lines = self._lines, shown
        was, self._marked = self._marked, selected
        if len(old) != height or len(self._strips) != height:
            self._strips = [None] * height
            self.refresh()
            return
        dirty = [
            y
            for y in range(height)
            if old[y] != shown[y] or (was != selected and y in (was, selected))
        ]
        for y in dirty:
            self._strips[y] = None
        if dirty:
            self.refresh(*(Region(0, y, width, 1) for y in dirty))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips inside `crop`."""
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
        styles = styles_of(self.app)
        if y >= len(self._lines):
            return styles.strip([(" " * width, "")], width)
        strip = self._strips[y]
        if strip is None or strip.cell_length != width:
            line = fitted(self._lines[y], width)
            strip = self._strips[y] = styles.strip(line, width, y == self._marked)
        return strip
