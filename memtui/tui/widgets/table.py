"""The process table: our own line-rendering widget; only visible rows are ever formatted."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from memtui.model.fields import chosen, needs
from memtui.model.query import Order, sort
from memtui.model.snapshot import Identity, Proc
from memtui.render.frame import Shown
from memtui.render.rows import Column, View, column_at, header, row, solve
from memtui.render.spans import Line, fitted
from memtui.render.totals import totals_line
from memtui.tui.widgets.lines import Lines

_WHEEL = 3  # rows a notch of the wheel scrolls


class ProcessTable(Lines):
    """Processes in an order, with a cursor that stays on its process through every re-sort."""

    class HeaderClicked(Message):
        """A column's header was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class HeaderAsked(Message):
        """A header was clicked with the right button: which columns there are."""

    def __init__(
        self, procs: list[Proc], order: Order, view: View, shown: Shown | None = None
    ) -> None:
        super().__init__(id="processes")
        self.shown = shown or Shown()
        self.count = 0  # processes in all; of a first look only the biggest are in the rows
        self._procs = procs
        self._pools: Sequence[Proc] = ()
        self.order = order
        self.view = view
        self.tagged: set[Identity] = set()
        self.jobs: frozenset[int] = frozenset()  # PIDs of commands that memtui runs
        self.rows: list[Proc] = sort(procs, order)
        self.cursor = 0  # index into rows
        self.top = 0  # index of the first visible row
        self.shift = 0  # cells that the command line is scrolled to the left
        self._columns: tuple[Column, ...] = ()
        self._formatted: dict[Identity, tuple[Proc, str, Line]] = {}

    # -- what it shows

    @property
    def page(self) -> int:
        """How many rows are visible."""
        return max(1, self.size.height - 1 - self._has_totals)

    @property
    def _has_totals(self) -> bool:
        return self.shown.has_totals(self.app.size.height)

    @property
    def _held(self) -> Proc | None:
        return self.rows[self.cursor] if self.rows else None

    @property
    def current(self) -> Proc | None:
        """The process under the cursor; None on memory that belongs to none."""
        held = self._held
        return None if held is None or held.pool else held

    @property
    def pool(self) -> Proc | None:
        """The row under the cursor where it is memory that belongs to no process."""
        held = self._held
        return held if held is not None and held.pool else None

    @property
    def needs(self) -> int:
        """What has to be read for what is shown, and sorted by: bits as `fields.needs`."""
        return needs((*self.shown.columns, self.order.key))

    @property
    def in_view(self) -> list[Identity]:
        """Who is on the screen now."""
        return [p[:2] for p in self.rows[self.top : self.top + self.page]]

    def set_procs(self, procs: list[Proc], view: View, pools: Sequence[Proc] = ()) -> None:
        """Show these processes; the cursor stays on its process, or on its row if that is gone.

        `pools` are the rows for memory that belongs to none.
        """
        now = view.now if "age" in self.shown.columns else None
        view = view._replace(shift=self.shift, now=now)
        if view != self.view:
            self._formatted.clear()
        self.view = view
        self._pools = pools
        self._resort(procs)
        self.tagged &= {p.identity for p in procs} if self.tagged else self.tagged

    def set_order(self, order: Order) -> None:
        """Sort by `order` from now on."""
        self.order = order
        self._resort(self._procs)

    def set_shown(self, shown: Shown) -> None:
        """Show these columns, and totals and pools or not, from now on."""
        self.shown = shown
        self._columns = ()
        self._resort(self._procs)

    def _resort(self, procs: list[Proc]) -> None:
        self._procs = procs
        held = self._held
        seen = self.top <= self.cursor < self.top + self.page
        self.rows = sort(procs, self.order, self._pools if self.shown.pools else ())
        if held is not None:
            identity = held.identity
            found = (
                i
                for i, p in enumerate(self.rows)
                if p.pid == identity[0] and p.start == identity[1]
            )
            self.cursor = next(found, self.cursor)
        self._settle(seen)

    def _settle(self, follow: bool = True) -> None:
        """Keep cursor and window inside the list, and the window on the cursor if `follow`."""
        last = max(0, len(self.rows) - 1)
        self.cursor = min(max(0, self.cursor), last)
        if follow and self.size.height:  # before that a page is unknown
            self.top = min(max(self.top, self.cursor - self.page + 1), self.cursor)
        self.top = min(max(0, self.top), max(0, len(self.rows) - self.page))
        self.draw()

    # -- drawing

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the visible rows; the last column is the scroll bar."""
        if not self._columns or sum(self._columns[-1][1:]) != width - 1:
            self._columns = solve(width - 1, chosen(self.shown.columns))
            self._formatted.clear()
        shown = self.rows[self.top : self.top + self.page]
        bar = self._scrollbar()
        lines = [fitted(header(self._columns, self.order), width, "head")]
        for i, proc in enumerate(shown):
            lines.append([*self._row(proc, width - 1), bar[i]])
        if self._has_totals:
            blank: list[Line] = [[(" " * (width - 1), ""), b] for b in bar[len(shown) :]]
            line = totals_line(self._procs, self._columns, self.count)
            lines += [*blank, fitted(line, width, "head")]
        if len(self._formatted) > 4 * self.page:
            keep = {p.identity for p in shown}
            self._formatted = {k: v for k, v in self._formatted.items() if k in keep}
        selected = self.cursor - self.top + 1
        return lines, selected if 1 <= selected <= self.page else None

    def _row(self, proc: Proc, width: int) -> Line:
        identity = proc.identity
        mark = "tag" if identity in self.tagged else "job" if proc.pid in self.jobs else ""
        known = self._formatted.get(identity)
        if known is not None and known[0] is proc and known[1] == mark:
            return known[2]
        line = fitted(row(proc, self._columns, self.view, mark), width)
        self._formatted[identity] = proc, mark, line
        return line

    def _scrollbar(self) -> list[tuple[str, str]]:
        page, n = self.page, len(self.rows)
        if n <= page:
            return [(" ", "")] * page
        size = max(1, page * page // n)
        at = round(self.top / (n - page) * (page - size))
        return [("▐", "muted") if at <= y < at + size else ("▕", "rule") for y in range(page)]

    def on_resize(self) -> None:
        """Solve the columns anew and keep the cursor in view."""
        self._settle()

    # -- moving

    def move(self, rows: int) -> None:
        """Move the cursor; the window follows."""
        self.cursor += rows
        self._settle()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row; beyond the end means the last."""
        self.cursor = index
        self._settle()

    def pan(self, cells: int) -> None:
        """Scroll the command lines sideways."""
        self.shift = max(0, self.shift + cells)
        self.view = self.view._replace(shift=self.shift)
        self._formatted.clear()
        self.draw()

    def tag(self) -> None:
        """Tag or untag the process under the cursor and move down."""
        if self.current is not None:
            self.tagged ^= {self.current.identity}
        self.move(1)

    # -- the mouse: a click selects or sorts; it never acts on a process

    def on_click(self, event: events.Click) -> None:
        """Select the row clicked, or sort by the header clicked; right: choose the columns."""
        if event.y == 0 and event.button == 3:
            self.post_message(self.HeaderAsked())
        elif event.y == 0:
            field = column_at(self._columns, event.x)
            if field is not None:
                self.post_message(self.HeaderClicked(field.key))
        elif event.x >= self.size.width - 1:
            self._jump(event.y - 1)
        elif event.y <= self.page and self.top + event.y - 1 < len(self.rows):
            self.move_to(self.top + event.y - 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll; the cursor stays on its process."""
        self._wheel(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll; the cursor stays on its process."""
        self._wheel(-_WHEEL)

    def _wheel(self, rows: int) -> None:
        self.top += rows
        self._settle(follow=False)

    def _jump(self, y: int) -> None:
        self.top = round(y / max(1, self.page - 1) * max(0, len(self.rows) - self.page))
        self._settle(follow=False)
