"""Who ended in the last seconds, as they were when last seen alive, and how they ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from memtui.kernel.procfs import read_exit_status
from memtui.kernel.roots import Roots
from memtui.model.snapshot import Identity, Proc
from memtui.model.victims import Departed

_KEPT_S = 10.0
_MOST = 2000
_ZOMBIES = 64  # asked for their status in one tick at most: a heap of them is of the past


class Exit(NamedTuple):
    """The end of one process, seen on its pidfd."""

    time: float  # seconds since the epoch
    status: int | None  # wait status; None: not told (yet)


class Departures:
    """Compares each tick's processes with those before."""

    def __init__(self, roots: Roots) -> None:
        self.departed: deque[Departed] = deque(maxlen=_MOST)
        self.last: float | None = None  # time of the last tick
        self.alive: dict[Identity, Proc] = {}
        self._roots = roots
        self._earlier: dict[Identity, Proc] = {}  # the tick before that
        self._zombies: set[Identity] = set()
        self._badness: dict[Identity, int] = {}

    def turn(
        self, time: float, procs: Sequence[Proc], badness: Mapping[Identity, int] | None = None
    ) -> None:
        """Compare with the tick before; a zombie has ended, though its row is still there.

        `badness` of the living now, in bytes, where it is known.
        """
        alive = {p[:2]: p for p in procs if p.state not in "ZX"}
        zombies = {p[:2]: p for p in procs if p.state in "ZX"}
        last = time if self.last is None else self.last
        statuses = self._statuses(zombies) if self.last is not None else {}
        for identity in self.alive.keys() - alive.keys():
            seen = self._last_seen(identity)
            known = statuses.get(identity)
            gone = Departed(seen, last, time, known, self._badness.get(identity))
            self.departed.append(gone)
        if self.last is not None:
            for identity in zombies.keys() - self._zombies - self.alive.keys():
                status = statuses.get(identity)
                self.departed.append(Departed(zombies[identity], time, time, status))
        self._earlier, self.alive = self.alive, alive
        self._zombies, self.last = set(zombies), time
        self._badness = dict(badness or {})
        while self.departed and self.departed[0].missed < time - _KEPT_S:
            self.departed.popleft()

    def glimpsed(self, procs: Sequence[Proc]) -> None:
        """Add processes that were seen between two ticks, to be missed at the next."""
        for proc in procs:
            if proc.state not in "ZX":
                self.alive[proc[:2]] = proc

    def learn(self, exits: Mapping[Identity, Exit]) -> None:
        """Add what pidfds told of how processes ended."""
        for i, gone in enumerate(self.departed):
            told = exits.get(gone.proc[:2])
            if told is not None and told.status is not None and gone.status is None:
                self.departed[i] = gone._replace(status=told.status)

    def heaviest(self, cgroup: str) -> int:
        """Return the highest badness in bytes among those who live in that very group."""
        here = (p for p in self.alive.values() if p.cgroup == cgroup)
        return max((self._badness.get(p[:2], p.rss) for p in here), default=0)

    def _statuses(self, zombies: Mapping[Identity, Proc]) -> dict[Identity, int | None]:
        new = [i for i in zombies if i not in self._zombies][:_ZOMBIES]
        return {i: read_exit_status(self._roots, i[0]) for i in new}

    def _last_seen(self, identity: Identity) -> Proc:
        """The process before it began to exit: while it does, v1 shows it in /, and it shrinks."""
        last = self.alive[identity]
        earlier = self._earlier.get(identity)
        if earlier is None:
            return last
        cgroup = earlier.cgroup if last.cgroup in (None, "/") else last.cgroup
        return last._replace(cgroup=cgroup, rss=max(last.rss, earlier.rss))
