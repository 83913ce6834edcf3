"""The table of sums: by cgroup, by user, by program; Enter leads to the processes of a row."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual import events
from textual.message import Message

from memtui.model.groups import MEASURES, Group, arrange_groups
from memtui.model.scopes import CGROUPS, NOTEBOOKS, USERS
from memtui.model.snapshot import Identity, Proc
from memtui.model.tree import LONE, Twig
from memtui.render.scopes import (
    GroupColumn,
    group_column_at,
    group_row,
    groups_header,
    solve_groups,
)
from memtui.render.spans import Line, fitted
from memtui.tui.widgets.scrolling import Scrolling


class GroupTable(Scrolling):
    """Groups in an order of their own for each scope, with a cursor that stays on its group."""

    class Chosen(Message):
        """A group was double-clicked."""

    def __init__(self) -> None:
        super().__init__(id="groups")
        self.scope = USERS
        self._keys = {CGROUPS: "usage"}  # what each scope is sorted by
        self._inverted: set[str] = set()
        self._folded: frozenset[str] = frozenset()
        self._groups: Sequence[Group] = ()
        self._rows: list[Group] = []
        self._twigs: list[Twig] | None = None
        self._limit: int | None = None  # bytes, of the limit that binds
        self.tagged: Collection[Identity] = ()  # kernels that are
        self._columns: list[GroupColumn] = []

    @property
    def length(self) -> int:
        """How many groups there are."""
        return len(self._rows)

    @property
    def key(self) -> str:
        """What is sorted by."""
        return self._keys.get(self.scope, "rss")

    @property
    def current(self) -> Group | None:
        """The group under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    @property
    def pointing(self) -> Identity | None:
        """The kernel of the notebook under the cursor."""
        return None if self.kernel is None else self.kernel.identity

    @property
    def kernel(self) -> Proc | None:
        """The kernel of the notebook under the cursor; None where the rows are no notebooks."""
        return self.current.kernel if self.current is not None else None

    def name_at(self, index: int) -> str:
        """Return what names a row."""
        return self._rows[index].key

    def set_groups(self, scope: str, groups: Sequence[Group], limit: int | None) -> None:
        """Show these groups; the cursor stays on its group, or on its row if that is gone."""
        if scope != self.scope:
            self.cursor = self.top = 0
            self.at_rest = True
            self._rows = []
        self.scope, self._groups, self._limit = scope, groups, limit
        self._arrange()

    def _arrange(self) -> None:
        held = self.current
        seen = self.top <= self.cursor < self.top + self.page
        inverted = self.scope in self._inverted
        self._rows, self._twigs = arrange_groups(self._groups, self.key, inverted, self._folded)
        if self.at_rest:
            self.cursor = 0
        elif held is not None:
            places = (i for i, g in enumerate(self._rows) if g.key == held.key)
            self.cursor = next(places, self.cursor)
        self.settle(seen)

    def sort_by(self, key: str) -> bool:
        """Sort by a column; again inverts. Return whether this scope has that column."""
        if key not in [c.key for c in solve_groups(self.scope, 1 << 10)]:
            return False
        if key == self.key:
            self.invert()
        else:
            self._keys[self.scope] = key
            self._inverted.discard(self.scope)
            self._arrange()
        return True

    def sort_next(self) -> str:
        """Sort by the next column at the right; return its title."""
        keys = [c.key for c in self._columns]
        at = keys.index(self.key) if self.key in keys else -1
        column = self._columns[(at + 1) % len(keys)]
        self.sort_by(column.key)
        return column.title

    def invert(self) -> None:
        """Turn the order round."""
        self._inverted ^= {self.scope}
        self._arrange()

    def fold(self, closed: bool | None = None) -> bool:
        """Fold away the groups below the cursor's, unfold them, or turn it round (None)."""
        held = self.current
        if held is None or self._twigs is None or not self._twigs[self.cursor].children:
            return False
        if closed is None:
            closed = held.key not in self._folded
        changed = self._folded | {held.key} if closed else self._folded - {held.key}
        if changed == self._folded:
            return False
        self._folded = changed
        self._arrange()
        return True

    def fold_all(self) -> bool:
        """Fold everything, or unfold all if anything is folded; whether all is folded now."""
        if self._folded or self._twigs is None:
            self._folded = frozenset()
        else:
            pairs = zip(self._rows, self._twigs, strict=True)
            self._folded = frozenset(g.key for g, t in pairs if t.children)
        self._arrange()
        return bool(self._folded)

    # -- drawing

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the header and the visible rows; the last column is the scroll bar."""
        told = any(g.use is not None and g.use.some_avg10 is not None for g in self._groups)
        self._columns = solve_groups(
            self.scope, width - 1, frozenset() if told else frozenset({"psi"})
        )
        descending = MEASURES[self.key].descending != (self.scope in self._inverted)
        lines = [fitted(groups_header(self._columns, self.key, descending), width, "head")]
        bar = self.scrollbar()
        shown = self._rows[self.top : self.top + self.page]
        for i, group in enumerate(shown):
            twig = LONE if self._twigs is None else self._twigs[self.top + i]
            tagged = group.kernel is not None and group.kernel.identity in self.tagged
            mark = "tag" if tagged else ""
            line = group_row(group, self._columns, width - 1, self._limit, twig, mark)
            lines.append([*fitted(line, width - 1), bar[i]])
        if not shown:
            none = "no kernel runs" if self.scope == NOTEBOOKS else "none is visible from here"
            lines.append([(f" {none}", "muted")])
        selected = self.cursor - self.top + 1
        return lines, selected if shown and 1 <= selected <= self.page else None

    # -- the mouse

    def on_click(self, event: events.Click) -> None:
        """Select the row clicked, sort by the header clicked, open by a double click."""
        if event.y == 0:
            key = group_column_at(self._columns, event.x)
            if key is not None:
                self.sort_by(key)
        elif event.x >= self.size.width - 1:
            self.jump(event.y - 1)
        elif self.top + event.y - 1 < self.length:
            self.move_to(self.top + event.y - 1)
            if event.chain == 2:
                self.post_message(self.Chosen())
