"""The process tree: who stands below whom, in which order, and what is folded away; pure.

It is made from rows that are sorted already, so that a sort applies among siblings: the parents
are put in the order in which they come, and so are the children of each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from memtui.model.snapshot import Identity, Proc

_MIDDLE, _LAST, _OPEN, _NONE = "├─ ", "└─ ", "│  ", "   "


class Twig(NamedTuple):
    """How one row stands in the tree."""

    lead: str = ""  # what is drawn before the command
    children: int = 0  # shown right below it, or folded away
    hidden: int = 0  # all below it, where it is folded


LONE = Twig()


class Tree(NamedTuple):
    """Rows in the order of the tree, and how each stands in it."""

    rows: list[Proc]
    twigs: list[Twig]


def parents_of(procs: Sequence[Proc]) -> dict[int, int]:
    """Return the parent's PID of each process, for those that are not shown too."""
    return {p[0]: p[2] for p in procs}


def grow(
    rows: Sequence[Proc], parents: Mapping[int, int], folded: Collection[Identity] = ()
) -> Tree:
    """Return the tree of `rows`, which are sorted; rows that are no process come last.

    Whose parent is not among the rows stands below the nearest ancestor that is. `folded` are
    those whose descendants are hidden.
    """
    pools = [p for p in rows if p.pool]
    procs = [p for p in rows if not p.pool] if pools else rows
    places = {p[0]: i for i, p in enumerate(procs)}
    above = [places.get(p[2]) if p[2] in places else nearest(p[2], places, parents) for p in procs]
    closed = {i for i, p in enumerate(procs) if p[:2] in folded} if folded else set()
    order, twigs = layout(above, closed)
    return Tree([procs[i] for i in order] + pools, twigs + [LONE] * len(pools))


def nearest(pid: int, places: Mapping[int, int], parents: Mapping[int, int]) -> int | None:
    """Return the place of `pid`, or of its nearest ancestor that has one."""
    steps = 0
    while (at := places.get(pid)) is None:
        steps += 1
        above = parents.get(pid)
        if above is None or steps > len(parents):
            return None
        pid = above
    return at


def layout(
    above: Sequence[int | None], folded: Collection[int] = ()
) -> tuple[list[int], list[Twig]]:
    """Return the order, depth first, in which things are drawn, and how each stands.

    `above` is the index of what each stands below, None at the top; siblings keep their order.
    """
    children: dict[int | None, list[int]] = {}
    for i, at in enumerate(above):
        children.setdefault(None if at == i else at, []).append(i)
    walk = _Walk(children, folded)
    walk.go(children.get(None, ()))
    if len(walk.done) < len(above):  # a circle: nobody is his own ancestor, but reads may say so
        for i in range(len(above)):
            walk.go((i,))
    return walk.order, walk.twigs


class _Walk:
    """A walk through a tree without recursion, and what it has gathered."""

    def __init__(self, children: Mapping[int | None, list[int]], folded: Collection[int]) -> None:
        self.order: list[int] = []
        self.twigs: list[Twig] = []
        self.done: set[int] = set()
        self._children = children
        self._folded = folded

    def go(self, tops: Sequence[int]) -> None:
        """Gather `tops` and all below them."""
        stack = [(i, "", "") for i in reversed(tops)]
        while stack:
            i, lead, below = stack.pop()
            if i in self.done:
                continue
            self.done.add(i)
            self.order.append(i)
            kids = self._children.get(i)
            if not kids:
                self.twigs.append(Twig(lead) if lead else LONE)
            elif i in self._folded:
                self.twigs.append(Twig(lead, len(kids), self._hide(i)))
            else:
                self.twigs.append(Twig(lead, len(kids)))
                stack.append((kids[-1], below + _LAST, below + _NONE))
                middle, beside = below + _MIDDLE, below + _OPEN
                stack += [(k, middle, beside) for k in reversed(kids[:-1])]

    def _hide(self, top: int) -> int:
        """Count what is below one, and leave it out from now on."""
        count = 0
        stack = list(self._children.get(top, ()))
        while stack:
            i = stack.pop()
            if i not in self.done:
                self.done.add(i)
                count += 1
                stack += self._children.get(i, ())
        return count


def descendants(procs: Sequence[Proc], pid: int) -> list[Proc]:
    """Return everybody below `pid`, in no promised order."""
    children: dict[int, list[Proc]] = {}
    for p in procs:
        children.setdefault(p[2], []).append(p)
    found, seen, stack = [], {pid}, [pid]
    while stack:
        for p in children.get(stack.pop(), ()):
            if p[0] not in seen:
                seen.add(p[0])
                found.append(p)
                stack.append(p[0])
    return found
