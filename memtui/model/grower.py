"""Who grew: the process that explains most of a level's growth, or nobody. Pure.

Compared is memory of a process's own (RSS less shared and file pages), because mapped files grow
RSS without any harm; then RSS as a whole, for those who fill shared memory. Only processes that
are big enough to matter are remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import at_or_below
from memtui.model.snapshot import Identity, Proc

_SHARE = 512  # a process smaller than 1/512 of the limit is nobody
_LEAST_GROWN = 200  # less than 1/200 of the limit is no growth
_TABLES, _EVERY_S = 24, 3.0  # looks back that are kept, and the seconds between two
_SHORTEST_S = 2.0


class Grown(NamedTuple):
    """The process that grew most. Strings are safe to display; sizes are bytes."""

    identity: Identity
    name: str
    command: str
    grown: int
    over_s: float  # seconds in which it did
    share: float  # of the level's growth: more than 0.5, above 1 where others shrank


class _Table(NamedTuple):
    at: float  # monotonic seconds
    hard: int
    own: dict[Identity, int]
    rss: dict[Identity, int]


def _own(proc: Proc) -> int:
    return proc.rss - proc.shr


def _rss(proc: Proc) -> int:
    return proc.rss


class Grower:
    """Remembers the big processes of the last minute; bounded for ever."""

    def __init__(self) -> None:
        self._tables: deque[_Table] = deque(maxlen=_TABLES)
        self._key: tuple[str, int] = ("", 0)

    def add(
        self,
        at: float,
        hard: int | None,
        limit: int,
        procs: Sequence[Proc],
        cgroup: str | None = None,
        window_s: float = 30.0,
    ) -> Grown | None:
        """Return who grew most of what `hard` grew within about `window_s` seconds.

        `at` is monotonic seconds, `hard` and `limit` are bytes of the level whose path is
        `cgroup` (None: the whole machine); another level or limit begins anew.
        """
        key = cgroup or "", limit
        if key != self._key or (self._tables and at < self._tables[-1].at):
            self._tables.clear()
            self._key = key
        if hard is None:
            return None
        least = limit // _SHARE
        big = [p for p in procs if p.rss >= least]
        then = self._before(at - window_s)
        found = None if then is None else _judge(at, hard, limit, big, cgroup, then)
        if not self._tables or at - self._tables[-1].at >= _EVERY_S:
            own, rss = ({p[:2]: size(p) for p in big} for size in (_own, _rss))
            self._tables.append(_Table(at, hard, own, rss))
        return found

    def _before(self, at: float) -> _Table | None:
        """The latest table that is as old as that, else the oldest."""
        old = None
        for table in self._tables:
            if old is not None and table.at > at:
                break
            old = table
        return old


def _judge(
    at: float, hard: int, limit: int, big: list[Proc], cgroup: str | None, then: _Table
) -> Grown | None:
    """Who explains more than half of what was added since `then`."""
    total = hard - then.hard
    if at - then.at < _SHORTEST_S or total < max(1, limit // _LEAST_GROWN):
        return None
    mine = [p for p in big if cgroup is None or _inside(p, cgroup)]
    for size, base, most in ((_own, then.own, None), (_rss, then.rss, 1.25 * total)):
        found = _biggest(mine, size, base)
        if found and found[1] > total / 2 and (most is None or found[1] <= most):
            p, grown = found
            return Grown(p.identity, p.name, p.command, grown, at - then.at, grown / total)
    return None


def _inside(proc: Proc, cgroup: str) -> bool:
    """Whether it is charged there; where its cgroup is not visible, it may be."""
    return proc.cgroup is None or at_or_below(proc.cgroup, cgroup)


def _biggest(
    procs: Sequence[Proc], size: Callable[[Proc], int], base: dict[Identity, int]
) -> tuple[Proc, int] | None:
    """Who grew most, and by how many bytes; who was small then counts from 0."""
    grown = ((p, size(p) - base.get(p[:2], 0)) for p in procs)
    return max(grown, key=lambda pair: pair[1], default=None)
