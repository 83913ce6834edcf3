"""What of the main screen puts its borders elsewhere: by the mouse, and by keys."""

from __future__ import annotations

from memtui.render.borders import BORDERS, DETAILS, cleared, dragged, placed, size_of, words
from memtui.render.frame import Shown
from memtui.tui.detailed import Detailed
from memtui.tui.widgets.bordered import Bordered


class Bordering(Detailed):
    """The borders left of the details, left of the graph, and above the panels."""

    _pointed: Bordered | None = None  # the panel that the mouse was at last

    def place_parts(self) -> None:
        """Give every part its size."""
        raise NotImplementedError

    def on_bordered_pointed(self, message: Bordered.Pointed) -> None:
        """Light the borders that the mouse has, in every panel that they are part of."""
        if not message.borders and self._pointed is not message.panel:
            return  # it left one when it was at another already
        self._pointed = message.panel
        for panel in self.query(Bordered):
            panel.light(message.borders)

    def on_bordered_dragged(self, message: Bordered.Dragged) -> None:
        """Put the borders held where the mouse is."""
        shown = self.table.shown
        for border in message.borders:
            shown = dragged(border, message.x, message.y, shown, *self.app.size)
        self._put(shown)
        self._say_size(message.borders[0])

    def on_bordered_cleared(self, message: Bordered.Cleared) -> None:
        """Put the borders that were double-clicked back."""
        self._put(cleared(message.borders, self.table.shown))
        self._say_size(message.borders[0])

    def action_border(self, border: str, by: int) -> None:
        """Move a border by some cells."""
        if border == DETAILS and self.no_process():
            return
        shown, size = self.table.shown, self.app.size
        self._put(placed(border, size_of(border, shown, *size) + by, shown, *size))
        self._say_size(border)

    def action_borders_back(self) -> None:
        """Put all borders back where the screen has them."""
        self._put(cleared(BORDERS, self.table.shown))
        self.say("all borders are back")

    def _put(self, shown: Shown) -> None:
        if shown != self.table.shown:
            self.table.shown = shown  # columns follow the width: nothing is sorted anew
            self.place_parts()

    def _say_size(self, border: str) -> None:
        self.say(words(border, self.table.shown, *self.app.size))
