"""The process table: our own line-rendering widget; only visible rows are ever formatted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.message import Message

from memtui.model.fields import chosen, needs
from memtui.model.listing import Arranged, Listing, Narrowing, arrange, folders
from memtui.model.query import Order, sort
from memtui.model.snapshot import Identity, Proc
from memtui.model.tasks import Task
from memtui.model.tree import LONE, Twig, descendants, nearest
from memtui.render.frame import Shown
from memtui.render.rows import Column, View, column_at, header, row, solve
from memtui.render.spans import Line, fitted
from memtui.render.totals import totals_line
from memtui.render.tree import lead_width
from memtui.text import cells
from memtui.tui.widgets.scrolling import Scrolling


class ProcessTable(Scrolling):
    """Processes in an order, with a cursor that stays on the process that it was put on."""

    class HeaderClicked(Message):
        """A column's header was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """A row was clicked twice: its details."""

    class HeaderAsked(Message):
        """A header was clicked with the right button: which columns there are."""

    def __init__(
        self,
        procs: list[Proc],
        order: Order,
        view: View,
        shown: Shown | None = None,
        narrowing: Narrowing = Narrowing(),  # noqa: B008 - immutable
    ) -> None:
        super().__init__(id="processes")
        self.shown = shown or Shown()
        self.count = 0  # processes in all; of a first look only the biggest are in the rows
        self._procs = procs
        narrowing = narrowing._replace(kernel=self.shown.kernel)
        self._listing = Listing(order, self.shown.tree, narrowing=narrowing)
        self._around = view  # what a filter looks at beside the process
        self._arranged: Arranged = arrange(procs, self._listing, view)
        self.view = view
        self.tagged: set[Identity] = set()
        self.jobs: frozenset[int] = frozenset()  # PIDs of commands that memtui runs
        self.following = False  # the window stays on the cursor's process, whatever scrolls
        self.shift = 0  # cells that the command line is scrolled to the left
        self._columns: tuple[Column, ...] = ()
        self._formatted: dict[Identity, tuple[Proc, str, Twig, Line]] = {}

    # -- what it shows

    @property
    def rows(self) -> list[Proc]:
        """The rows, those above and below the window too."""
        return self._arranged.rows

    @property
    def length(self) -> int:
        """How many rows there are."""
        return len(self._arranged.rows)

    @property
    def order(self) -> Order:
        """What it is sorted by."""
        return self._listing.order

    @property
    def narrowing(self) -> Narrowing:
        """Which processes are shown."""
        return self._listing.narrowing

    @property
    def listed(self) -> list[Proc]:
        """The processes that are shown, or folded away below one that is."""
        return self._arranged.procs

    @property
    def matched(self) -> int:
        """How many processes are shown, or folded away below one that is."""
        return len(self._arranged.procs)

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
        """The process under the cursor; None on a thread, and on memory that belongs to none."""
        held = self._held
        return None if held is None or held.pool or isinstance(held, Task) else held

    @property
    def thread(self) -> Task | None:
        """The row under the cursor where it is a thread."""
        held = self._held
        return held if isinstance(held, Task) else None

    @property
    def marked(self) -> list[Proc]:
        """Whoever is tagged, shown or not."""
        return sort((p for p in self._procs if p.identity in self.tagged), self.order)

    @property
    def pool(self) -> Proc | None:
        """The row under the cursor where it is memory that belongs to no process."""
        held = self._held
        return held if held is not None and held.pool else None

    @property
    def needs(self) -> int:
        """What has to be read for what fits the screen, and is sorted by: see `fields.needs`."""
        self._solve(self.size.width)
        shown = needs((*(c.field.key for c in self._columns), self.order.key))
        return shown | self.narrowing.filter.needs

    @property
    def in_view(self) -> list[Identity]:
        """Who is on the screen now."""
        return [p[:2] for p in self.rows[self.top : self.top + self.page]]

    def set_procs(
        self,
        procs: list[Proc],
        view: View,
        pools: Sequence[Proc] = (),
        tasks: Mapping[int, Sequence[Proc]] | None = None,
    ) -> None:
        """Show these processes; the cursor stays on its process, or on its row if that is gone.

        `pools` are the rows for memory that belongs to none, `tasks` threads by their process.
        """
        self._around = view
        self._set_view()
        self._listing = self._listing._replace(pools=pools, tasks=tasks or {})
        self._arrange(procs)
        self.tagged &= {p.identity for p in procs} if self.tagged else self.tagged

    def _set_view(self) -> None:
        shown = self.shown
        view = self._around._replace(
            shift=self.shift,
            now=self._around.now if "age" in shown.columns else None,
            paths=shown.paths,
            names=shown.names,
            unit=shown.unit,
        )
        if view != self.view:
            self._formatted.clear()
        self.view = view

    def set_order(self, order: Order) -> None:
        """Sort by `order` from now on."""
        self._listing = self._listing._replace(order=order)
        self._arrange(self._procs)

    def set_shown(self, shown: Shown) -> None:
        """Show these columns, and totals, pools, a tree or not, from now on."""
        self.shown = shown
        self._columns = ()
        self._set_view()
        self.narrow(self.narrowing._replace(kernel=shown.kernel))

    def narrow(self, narrowing: Narrowing) -> None:
        """Show only those processes from now on."""
        self._listing = self._listing._replace(narrowing=narrowing)
        self._arrange(self._procs)

    def _arrange(self, procs: list[Proc]) -> None:
        self._procs = procs
        held = self._held
        seen = self.following or self.top <= self.cursor < self.top + self.page
        pools = self._listing.pools if self.shown.pools else ()
        listing = self._listing._replace(tree=self.shown.tree, pools=pools)
        self._arranged = arrange(procs, listing, self._around)
        if self.at_rest:
            self.cursor = self._first
        elif held is not None:
            at = self._find(held)
            self.following = self.following and at is not None
            self.cursor = self.cursor if at is None else at
        self.settle(seen)

    def rest(self) -> None:
        """Put the cursor on the first process, to stay there through every sort and sample."""
        self.at_rest = True
        self.cursor, self.top = self._first, 0
        self.settle()

    @property
    def _first(self) -> int:
        """The first row that is a process: what signals go to, without a further key."""
        return next((i for i, p in enumerate(self.rows) if not p.pool), 0)

    def _find(self, held: Proc) -> int | None:
        """The row of a process; where it is folded away, of whom it is below."""
        pid, start = held.pid, held.start
        for i, p in enumerate(self.rows):
            if p.pid == pid and p.start == start:
                return i
        parents = self._arranged.parents
        if self._listing.folded and pid in parents:
            return nearest(parents[pid], {p.pid: i for i, p in enumerate(self.rows)}, parents)
        return None

    # -- the tree

    def _twig(self, index: int) -> Twig:
        twigs = self._arranged.twigs
        return LONE if twigs is None else twigs[index]

    def fold(self, closed: bool | None = None) -> bool:
        """Fold away what is below the cursor (True), unfold it, or turn it round (None).

        Return whether there was anything to do.
        """
        held = self._held
        if held is None or not self._twig(self.cursor).children:
            return False
        identity, folded = held.identity, set(self._listing.folded)
        if closed is None:
            closed = identity not in folded
        if closed == (identity in folded):
            return False
        self._fold(folded | {identity} if closed else folded - {identity})
        return True

    def fold_parent(self) -> bool:
        """Fold the nearest row that the cursor's stands below, and go there."""
        held = self._held
        parents = self._arranged.parents
        if held is None or held.pid not in parents:
            return False
        at = nearest(held.ppid, {p.pid: i for i, p in enumerate(self.rows)}, parents)
        if at is None or at == self.cursor:
            return False
        self.move_to(at)
        return self.fold(True)

    def fold_all(self) -> bool:
        """Fold everything below the topmost rows, or unfold all if anything is folded."""
        if self._listing.folded:
            self._fold(set())
        else:
            self._fold(folders(self._arranged))
        return bool(self._listing.folded)

    def _fold(self, folded: set[Identity]) -> None:
        self._listing = self._listing._replace(folded=frozenset(folded))
        self._arrange(self._procs)

    # -- drawing

    @property
    def pointing(self) -> Identity | None:
        """Who is under the cursor."""
        return None if self._held is None else self._held.identity

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the visible rows; the last column is the scroll bar."""
        self._solve(width)
        shown = self.rows[self.top : self.top + self.page]
        bar = self.scrollbar()
        lines = [fitted(header(self._columns, self.order), width, "head")]
        for i, proc in enumerate(shown):
            lines.append([*self._row(proc, self._twig(self.top + i), width - 1), bar[i]])
        if self._has_totals:
            blank: list[Line] = [[(" " * (width - 1), ""), b] for b in bar[len(shown) :]]
            procs = self._arranged.procs
            count = len(procs) if len(self._procs) >= self.count else self.count
            line = totals_line(procs, self._columns, count, self.shown.unit)
            lines += [*blank, fitted(line, width, "head")]
        if len(self._formatted) > 4 * self.page:
            keep = {p.identity for p in shown}
            self._formatted = {k: v for k, v in self._formatted.items() if k in keep}
        selected = self.cursor - self.top + 1
        return lines, selected if 1 <= selected <= self.page else None

    def _solve(self, width: int) -> None:
        if not self._columns or sum(self._columns[-1][1:]) != width - 1:
            shown = self.shown
            self._columns = solve(width - 1, chosen(shown.columns), shown.unit, shown.tree)
            self._formatted.clear()

    def _row(self, proc: Proc, twig: Twig, width: int) -> Line:
        identity = proc.identity
        mark = "tag" if identity in self.tagged else "job" if proc.pid in self.jobs else ""
        known = self._formatted.get(identity)
        if known is not None and known[0] is proc and known[1] == mark and known[2] == twig:
            return known[3]
        line = fitted(row(proc, self._columns, self.view, mark, twig), width)
        self._formatted[identity] = proc, mark, twig, line
        return line

    # -- moving

    def pan(self, by: int) -> None:
        """Scroll the command lines sideways."""
        self.shift = max(0, self.shift + by)
        self.view = self.view._replace(shift=self.shift)
        self._formatted.clear()
        self.draw()

    def pan_to_end(self) -> None:
        """Scroll so that the longest command line in view ends at the right."""
        if self._columns:
            shown = self.rows[self.top : self.top + self.page]
            longest = max((cells(p.command) for p in shown), default=0)
            self.pan(max(0, longest - self._columns[-1].width) - self.shift)

    def tag(self) -> None:
        """Tag or untag the process under the cursor and move down."""
        if self.current is not None:
            self.tagged ^= {self.current.identity}
        self.move(1)

    def tag_family(self) -> int:
        """Tag the process under the cursor and all below it; return how many those are."""
        if self.current is None:
            return 0
        family = [self.current, *descendants(self._procs, self.current.pid)]
        self.tagged |= {p.identity for p in family}
        self.draw()
        return len(family)

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
            self.jump(event.y - 1)
        elif event.y <= self.page and self.top + event.y - 1 < self.length:
            self._click_row(self.top + event.y - 1, event)

    def _click_row(self, index: int, event: events.Click) -> None:
        """Put the cursor on a row; on the lines of the tree, or again on the same row, fold it."""
        again = index == self.cursor and event.chain == 1
        self.move_to(index)
        if event.chain == 2:
            self.post_message(self.Opened())
            return
        twig, command = self._twig(index), self._columns[-1]
        on_lead = 0 <= event.x - command.x < lead_width(twig, command.width)
        if twig.children and (again or on_lead):
            self.fold()
