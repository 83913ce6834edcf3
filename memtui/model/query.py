"""Sorting: which process comes first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from memtui.model.fields import BY_KEY, Field
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


def sort(procs: Iterable[Proc], order: Order) -> list[Proc]:
    """Return `procs` in `order`; equal ones keep the order in which they came."""
    return sorted(procs, key=order.field.sort, reverse=order.descending)
