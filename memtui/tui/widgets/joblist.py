"""Commands under a limit as a list, and the output of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from memtui.model.job import JobView
from memtui.render.jobs import job_row, list_header, no_jobs, output_lines, output_rule
from memtui.render.spans import Line
from memtui.tui.widgets.lines import Lines
from memtui.tui.widgets.scrolling import Scrolling

_WHEEL = 3  # lines a notch of the wheel scrolls


class JobList(Scrolling):
    """Commands, the newest first, with a cursor that stays on its command."""

    class Selected(Message):
        """The cursor has moved."""

    def __init__(self) -> None:
        super().__init__(id="joblist")
        self.views: Sequence[JobView] = ()
        self.earlier: Sequence[str] = ()

    @property
    def length(self) -> int:
        """How many there are."""
        return len(self.views)

    @property
    def current(self) -> JobView | None:
        """The command under the cursor."""
        return self.views[self.cursor] if self.views else None

    def set_views(self, views: Sequence[JobView]) -> None:
        """Show these; the cursor stays on its command, or goes to a new one at the top."""
        held, newest = self.current, max((v.id for v in self.views), default=0)
        self.views = sorted(views, key=lambda v: -v.id)
        if self.views and self.views[0].id > newest:
            self.cursor = 0
        elif held is not None:
            places = (i for i, v in enumerate(self.views) if v.id == held.id)
            self.cursor = next(places, self.cursor)
        self.settle()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the commands in view."""
        if not self.views:
            return no_jobs(width, self.earlier), None
        shown = self.views[self.top : self.top + self.page]
        lines = [list_header(width), *(job_row(v, width) for v in shown)]
        return lines, self.cursor - self.top + 1

    def on_click(self, event: events.Click) -> None:
        """Choose the command clicked."""
        if 0 < event.y <= len(self.views) - self.top:
            self.choose(self.top + event.y - 1)

    def choose(self, index: int) -> None:
        """Put the cursor on a command."""
        self.move_to(index)
        self.post_message(self.Selected())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Choose the next one."""
        self.choose(self.cursor + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Choose the one before."""
        self.choose(self.cursor - 1)


class OutputView(Lines):
    """The last lines that a command wrote; it follows them until it is scrolled back."""

    def __init__(self, read: Callable[[int], list[Line]]) -> None:
        """`read` returns the lines of the command with a number."""
        super().__init__(id="output")
        self._read = read
        self._view: JobView | None = None
        self._behind = 0  # lines below what is in view
        self._pan = 0

    def set_view(self, view: JobView | None) -> None:
        """Show the output of this command; what is read stands still when it was scrolled back."""
        old = self._view
        if old is None or view is None or old.id != view.id:
            self._behind = self._pan = 0
        elif self._behind:
            self._behind += view.written[1] - old.written[1]
        self._view = view
        self.draw()

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return a heading, and the lines in view."""
        if self._view is None or height < 1:
            return [], None
        lines, room = self._read(self._view.id), max(1, height - 1)
        self._behind = min(self._behind, max(0, len(lines) - room))
        end = len(lines) - self._behind
        shown = lines[max(0, end - room) : end]
        if not lines:
            yet = "" if self._view.result else " yet"
            shown = [[(f"nothing was written{yet}", "muted")]]
        head = output_rule(self._view, width, self._behind)
        return [head, *output_lines(shown, width, self._pan)], None

    def roll(self, lines: int) -> None:
        """Scroll; below the end it follows again."""
        self._behind = max(0, self._behind - lines)
        self.draw()

    def page(self, pages: int) -> None:
        """Scroll by pages."""
        self.roll(pages * max(1, self.size.height - 2))

    def go(self, down: bool) -> None:
        """Go to the first line that is kept, or follow."""
        self.roll(1 << 30 if down else -(1 << 30))

    def pan(self, cells: int) -> None:
        """Scroll sideways."""
        self._pan = max(0, self._pan + cells)
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self.roll(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self.roll(-_WHEEL)
