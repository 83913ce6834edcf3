"""From all processes to the rows of the table: who is shown, in which order, in a tree or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from memtui.kernel.cgroup import at_or_below
from memtui.model.filter import ALL, Filter, parse_filter
from memtui.model.query import Order, sort
from memtui.model.snapshot import Identity, Proc
from memtui.model.tree import Twig, grow, parents_of

if TYPE_CHECKING:
    from memtui.model.fields import Context


class Narrowing(NamedTuple):
    """Which processes are shown."""

    filter: Filter = ALL
    user: str | None = None  # by the name that the USER column shows
    kernel: bool = True  # kernel threads too
    cgroup: str | None = None  # those at or below this group

    @property
    def narrows(self) -> bool:
        """Whether somebody was asked for by name: then memory of nobody is not shown."""
        return bool(self.filter.alternatives) or self.user is not None or self.cgroup is not None

    def keep(self, procs: Sequence[Proc], context: Context) -> list[Proc]:
        """Return those of `procs` that are shown, in their order."""
        rows = list(procs)
        if not self.kernel:
            rows = [p for p in rows if not p.kernel_thread]
        if self.user is not None:
            rows = [p for p in rows if p.user == self.user]
        group = self.cgroup
        if group is not None:
            rows = [p for p in rows if p.cgroup is not None and at_or_below(p.cgroup, group)]
        if self.filter.alternatives:
            matches = self.filter.matches
            rows = [p for p in rows if matches(p, context)]
        return rows


class Listing(NamedTuple):
    """Everything that decides on the rows beside the processes themselves."""

    order: Order = Order()
    tree: bool = False
    folded: Collection[Identity] = frozenset()
    narrowing: Narrowing = Narrowing()
    pools: Sequence[Proc] = ()  # rows for memory that belongs to no process
    tasks: Mapping[int, Sequence[Proc]] = {}


class Arranged(NamedTuple):
    """The rows of the table."""

    rows: list[Proc]
    twigs: list[Twig] | None  # how each row stands in the tree; None: there is none
    procs: list[Proc]  # the processes among them, or folded away below them; what is added up
    parents: Mapping[int, int]  # by PID, of all processes; empty where there is no tree


def arrange(procs: Sequence[Proc], listing: Listing, context: Context) -> Arranged:
    """Return the rows for `procs`."""
    kept = listing.narrowing.keep(procs, context)
    rows = _with_tasks(kept, listing.tasks) if listing.tasks else kept
    pools = () if listing.narrowing.narrows else listing.pools
    rows = sort(rows, listing.order, pools)
    if not listing.tree:
        return Arranged(rows, None, kept, {})
    parents = parents_of(procs)
    grown = grow(rows, parents, listing.folded)
    return Arranged(grown.rows, grown.twigs, kept, parents)


def listed(
    procs: Sequence[Proc], order: Order, tree: bool, kernel: bool, wanted: str, context: Context
) -> tuple[list[Proc], list[Twig] | None, list[Proc]]:
    """Return rows, how they stand in the tree, and who they are, for the first frame.

    Raises FilterError.
    """
    narrowing = Narrowing(parse_filter(wanted), kernel=kernel)
    done = arrange(procs, Listing(order, tree, narrowing=narrowing), context)
    return done.rows, done.twigs, done.procs


def _with_tasks(procs: Sequence[Proc], tasks: Mapping[int, Sequence[Proc]]) -> list[Proc]:
    """Put the threads of each process behind it: equal memory keeps them there in every sort."""
    rows: list[Proc] = []
    for proc in procs:
        rows.append(proc)
        rows += tasks.get(proc.pid, ())
    return rows


def folders(arranged: Arranged) -> set[Identity]:
    """Return whoever has somebody below: all that can be folded."""
    if arranged.twigs is None:
        return set()
    pairs = zip(arranged.rows, arranged.twigs, strict=True)
    return {row.identity for row, twig in pairs if twig.children}
