"""Sorting: which process comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from memtui.model.fields import BY_KEY, POOLED, Field
from memtui.model.snapshot import Proc


class Order(NamedTuple):
    """A column and a direction; `inverted` turns the column's natural one round."""

    key: str = "rss"
    inverted: bool = False

    @property
    def field(self) -> Field:
        """The column sorted by."""
        return BY_KEY[self.key]

    @property
    def descending(self) -> bool:
        """Whether the biggest comes first."""
        return self.field.descending != self.inverted

    def by(self, key: str) -> Order:
        """Return the order after a click on the header `key`: again inverts."""
        return Order(key, not self.inverted if key == self.key else False)


def sort(procs: Iterable[Proc], order: Order, pools: Sequence[Proc] = ()) -> list[Proc]:
    """Return `procs` in `order`; equal ones keep the order in which they came.

    What is unknown comes last in both directions. `pools`, rows for memory that belongs to no
    process, stand among the others where they have the quantity, and last where they have not.
    """
    key, descending = order.field.sort, order.descending
    last: list[Proc] = []
    rows = procs
    if pools:
        if order.key in POOLED:
            rows = [*procs, *pools]
        else:
            last = sorted(pools, key=attrgetter("rss"), reverse=True)
    rows = list(rows)
    try:
        return sorted(rows, key=key, reverse=descending) + last
    except TypeError:  # some are None: sorting those apart from the start would slow all others
        known = [p for p in rows if key(p) is not None]
        unknown = [p for p in rows if key(p) is None]
        return sorted(known, key=key, reverse=descending) + unknown + last
