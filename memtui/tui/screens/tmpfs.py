"""What is in a tmpfs: its biggest files, which are memory until they are deleted."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from memtui.render.spans import Line
from memtui.services.bigfiles import Big, Listing, biggest
from memtui.services.identify import user_name
from memtui.text import elide, elide_left, fit, safe
from memtui.tui.screens.pages import Page, keys_of
from memtui.units import duration, size

_FILES = 200
_HEAD = f"{'SIZE':>6}  {'USER':<10} {'CHANGED':>8}  FILE"


class TmpfsScreen(Page):
    """The biggest files below a mount point, looked for off the UI thread."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f5,r", "look", "look again", id="tmpfs.look")]
    HEADING = "Files in memory"

    def __init__(self, point: str) -> None:
        super().__init__()
        self._point = point
        self._found: Listing | None = None

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_look()

    def action_look(self) -> None:
        """Look again."""
        self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        found = biggest(self._point, _FILES)
        self.app.call_from_thread(self._show, found)

    def _show(self, found: Listing) -> None:
        self._found = found
        if self.is_mounted:
            self.show_state()

    def keys(self) -> Line:
        """Return the bar that names the page's keys."""
        keys = [("Esc", "back"), ("↑ ↓", "scroll"), ("F5", "look again")]
        return keys_of(keys, self.size.width)

    def lines(self, width: int) -> list[Line]:
        """Return the files, and what could not be seen."""
        found = self._found
        head: list[Line] = [[("tmpfs ", "muted"), (safe(self._point), "bold")]]
        if found is None:
            return [*head, [], [("looking…", "muted")]]
        head.append([(elide(_summary(found), width), "muted")])
        if not found.files:
            return head
        now = time.time()
        return [*head, [], [(_HEAD, "head")], *(_line(f, width, now) for f in found.files)]


def _summary(found: Listing) -> str:
    noun = "file takes" if found.seen == 1 else "files take"
    words = f"{found.seen} {noun} {size(found.total)}"
    if not found.whole:
        words += ", and there are more than were looked at"
    if found.unreadable:
        words += f"; {found.unreadable} directories are not readable for you"
    return words + "; deleted files that are still open have no name here (lsof +L1 lists them)"


def _line(file: Big, width: int, now: float) -> Line:
    left = f"{size(file.bytes):>6}  {fit(user_name(file.uid), 10)} "
    left += f"{duration(max(0.0, now - file.modified)):>8}  "
    return [(left, ""), (elide_left(safe(file.path), max(8, width - len(left))), "bold")]
