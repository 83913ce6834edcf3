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
    kills: int | None = None  # the machine's count of OOM kills, read after the end


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
        self._glimpsed: set[Identity] = set()  # in no complete look yet

    @property
    def settled(self) -> dict[int, str | None]:
        """The cgroups of the living that a complete look has seen, by PID."""
        return {i[0]: p.cgroup for i, p in self.alive.items() if i not in self._glimpsed}

    def turn(
        self,
        time: float,
        procs: Sequence[Proc],
        badness: Mapping[Identity, int] | None = None,
        kills: int | None = None,
    ) -> None:
        """Compare with the tick before; a zombie has ended, though its row is still there.

        `badness` of the living now, in bytes, where it is known; `kills` is the machine's count of
        OOM kills, read after `procs` were.
        """
        alive = {p[:2]: p for p in procs if p.state not in "ZX"}
        zombies = {p[:2]: p for p in procs if p.state in "ZX"}
        last = time if self.last is None else self.last
        statuses = self._statuses(zombies) if self.last is not None else {}
        for identity in self.alive.keys() - alive.keys():
            seen = self._last_seen(identity)
            known = statuses.get(identity)
            gone = Departed(seen, last, time, known, self._badness.get(identity), kills)
            self.departed.append(gone)
        if self.last is not None:
            for identity in zombies.keys() - self._zombies - self.alive.keys():
                status = statuses.get(identity)
                self.departed.append(Departed(zombies[identity], time, time, status, None, kills))
        self._earlier, self.alive = self.alive, alive
        self._zombies, self.last = set(zombies), time
        self._badness = dict(badness or {})
        self._glimpsed.clear()
        while self.departed and self.departed[0].missed < time - _KEPT_S:
            self.departed.popleft()

    def glimpsed(self, procs: Sequence[Proc]) -> None:
        """Add processes that were seen between two ticks, to be missed at the next.

        Of those that are known already only the size is taken, where it grew: who ends shrinks. A
        new process may have been seen before it moved to its cgroup.
        """
        for proc in procs:
            identity = proc[:2]
            known = self.alive.get(identity)
            if known is None or identity in self._glimpsed or proc.cgroup != known.cgroup:
                self._glimpsed.add(identity)
                least = 0 if known is None else known.rss
                self.alive[identity] = proc._replace(rss=max(proc.rss, least))
            elif proc.rss > known.rss:
                self.alive[identity] = known._replace(rss=proc.rss)
                if identity in self._badness:
                    self._badness[identity] += proc.rss - known.rss

    def learn(self, exits: Mapping[Identity, Exit]) -> None:
        """Add what pidfds told of how processes ended."""
        for i, gone in enumerate(self.departed):
            told = exits.get(gone.proc[:2])
            if told is None:
                continue
            if told.status is not None and gone.status is None:
                gone = gone._replace(status=told.status)
            if told.kills is not None and told.kills < (gone.kills or told.kills + 1):
                gone = gone._replace(kills=told.kills)
            self.departed[i] = gone

    def heaviest(self, cgroup: str) -> int:
        """Return the highest badness in bytes among those who live in that very group.

        Who is just ending has no memory left, and on v1 is shown in /: as it was a tick before.
        """
        found = 0
        for identity, proc in self.alive.items():
            before = self._earlier.get(identity, proc)
            if cgroup in (proc.cgroup, before.cgroup):
                now = self._badness.get(identity, proc.rss)
                found = max(found, now if proc.rss else before.rss)
        return found

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
