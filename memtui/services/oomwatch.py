"""Watches the OOM counters: how many were killed, in which cgroup, and probably who.

Quiet ticks cost nothing but a comparison: the visible cgroups are walked only when
/proc/vmstat's oom_kill or a level's counter moved. Kernels before 4.13 have no oom_kill in
vmstat: there the levels' own counters decide, which the quota reader sums over 256 groups.
"""

from __future__ import annotations

import os
import time as clock
from collections import deque
from collections.abc import Sequence

from memtui.kernel.cgroup import Hierarchy, HierarchyReader, Level, at_or_below
from memtui.kernel.meminfo import read_oom_kill
from memtui.kernel.oomcount import Kills, read_kills
from memtui.kernel.roots import LIVE, Roots
from memtui.model.snapshot import Identity, Proc, Quota
from memtui.model.victims import Departed, OomEvent, candidates, home, identities, name_victims

WINDOW_S = 5.0
"""How long after its counter a victim may vanish, and how long kills in a group are one event."""

_RING_S = 10.0
_RING = 2000  # departed processes kept at most
_GROUPS = 4096  # walked at most
_RECHECKS = 2  # walks after one that was called for: the counters do not move as one
_BEFORE = 50  # events of before the start at most

_Gate = tuple[int | None, ...]


class _Ring:
    """Who was alive at the last tick, and who ended in the last seconds."""

    def __init__(self) -> None:
        self.departed: deque[Departed] = deque(maxlen=_RING)
        self.last: float | None = None
        self._alive: dict[Identity, Proc] = {}
        self._earlier: dict[Identity, Proc] = {}  # the tick before that
        self._zombies: set[Identity] = set()

    def turn(self, time: float, procs: Sequence[Proc]) -> None:
        """Compare with the tick before; a zombie has ended, though its row is still there."""
        alive = {p[:2]: p for p in procs if p.state not in "ZX"}
        zombies = {p[:2]: p for p in procs if p.state in "ZX"}
        last = time if self.last is None else self.last
        for identity in self._alive.keys() - alive.keys():
            self.departed.append(Departed(self._last_seen(identity), last, time))
        if self.last is not None:
            for identity in zombies.keys() - self._zombies - self._alive.keys():
                self.departed.append(Departed(zombies[identity], time, time))
        self._earlier, self._alive = self._alive, alive
        self._zombies, self.last = set(zombies), time
        while self.departed and self.departed[0].missed < time - _RING_S:
            self.departed.popleft()

    def _last_seen(self, identity: Identity) -> Proc:
        """The process before it began to exit: while it does, v1 shows it in /, and it shrinks."""
        last = self._alive[identity]
        earlier = self._earlier.get(identity)
        if earlier is None:
            return last
        cgroup = earlier.cgroup if last.cgroup in (None, "/") else last.cgroup
        return last._replace(cgroup=cgroup, rss=max(last.rss, earlier.rss))


class _Open:
    """An event that may still gain victims."""

    def __init__(self, event: OomEvent, since: float, hidden: bool) -> None:
        self.event = event
        self.since = since  # who vanished from this tick on may be a victim
        self.hidden = hidden  # no group's own counter tells of it


class OomWatch:
    """Finds OOM kills; call `start` once, then `observe` once per tick, from one thread."""

    def __init__(self, roots: Roots = LIVE, cgroup: str | None = None) -> None:
        """Watch all cgroups that are visible; those around `cgroup` (or ours) concern us."""
        self._roots = roots
        self._asked = cgroup
        self._ring = _Ring()
        self._open: list[_Open] = []
        self._taken: set[Identity] = set()  # victims of events that are closed
        self._next_id = 1
        self._gate: _Gate | None = None
        self._rechecks = 0
        self._version: int | None = None
        self._top = ("/", "")
        self._home: str | None = None
        self._groups: dict[str, Kills] = {}
        self._base_host: int | None = None
        self._base_levels: dict[str, int] = {}
        self._told: dict[str, int] = {}  # kills told since the start, by the group that counted
        self._told_hidden: dict[str | None, int] = {}  # and those that no group's own counter has
        self._unexplained: dict[str | None, int] = {}
        self._looked_since = 0.0  # `since` of the look before

    def start(self) -> list[OomEvent]:
        """Read all counters; return one event per group that counts kills already."""
        host = read_oom_kill(self._roots)
        reader = HierarchyReader(self._roots, self._asked)
        try:
            hierarchy = reader.read(host)
        finally:
            reader.close()
        self._place(hierarchy)
        self._groups = self._walk()
        self._base_host = host
        self._base_levels = self._summed(hierarchy.levels)
        self._gate = _gate(host, hierarchy.levels)
        return self._before()

    def observe(self, time: float, procs: Sequence[Proc], quota: Quota) -> list[OomEvent]:
        """Return the events that are new or know more than before (same `id`), oldest first.

        `time` is in seconds since the epoch. An event stays open for five seconds, because the
        counter rises before the victim is gone.
        """
        before = self._ring.last
        self._ring.turn(time, procs)
        since = time if before is None else before
        changed = self._count(time, since, quota)
        for held in self._open:
            if self._name(held, _is_over(held, time)):
                changed.setdefault(held.event.id)
        told = [h.event for h in self._open if h.event.id in changed]
        self._close(time)
        return told

    # -- counting

    def _count(self, time: float, since: float, quota: Quota) -> dict[int, None]:
        """Look for new kills if a counter moved; return the ids of events that changed."""
        gate = _gate(quota.host_oom_kill, quota.levels)
        if gate != self._gate:
            self._gate, self._rechecks = gate, 1 + _RECHECKS
            self._home = home(quota.levels)
        if self._rechecks <= 0:
            return {}
        self._rechecks -= 1
        changed: dict[int, None] = {}
        groups = self._walk()
        for path, number in _risen(self._groups, groups):
            self._told[path] = self._told.get(path, 0) + number
            changed[self._add(path, number, time, since, hidden=False)] = None
        self._groups = groups
        for place, number in self._hidden(quota):
            self._told_hidden[place] = self._told_hidden.get(place, 0) + number
            changed[self._add(place, number, time, since, hidden=True)] = None
        self._looked_since = since
        return changed

    def _walk(self) -> dict[str, Kills]:
        path, directory = self._top
        if self._version is None:
            return {}
        return read_kills(self._version, path, self._roots.at(directory), _GROUPS)

    def _place(self, hierarchy: Hierarchy) -> None:
        self._version = hierarchy.version
        self._home = home(hierarchy.levels)
        if hierarchy.levels:
            top = hierarchy.levels[-1]
            self._top = top.path, top.directory

    def _summed(self, levels: Sequence[Level]) -> dict[str, int]:
        """Counters that outlive the groups they sum over: v2's; v1 has none."""
        if self._version != 2:
            return {}
        return {lv.path: lv.events.oom_kill for lv in levels if lv.events.oom_kill is not None}

    def _hidden(self, quota: Quota) -> list[tuple[str | None, int]]:
        """Kills that no visible group's own counter explains, twice in a row.

        v2 levels remember those of removed groups below them; /proc/vmstat counts everybody's.
        """
        now: dict[str | None, int] = {}
        for path, number in self._summed(quota.levels).items():
            rise = number - self._base_levels.setdefault(path, number)
            now[path] = rise - self._explained(path) - _sum_below(now, path)
        if quota.host_oom_kill is not None and self._base_host is not None:
            told = sum(self._told.values()) + sum(self._told_hidden.values())
            pending = sum(n for n in now.values() if n > 0)
            now[None] = quota.host_oom_kill - self._base_host - told - pending
        before, self._unexplained = self._unexplained, now
        sure = [(p, min(n, before.get(p, 0))) for p, n in now.items()]
        return [(p, n) for p, n in sure if n > 0]

    def _explained(self, level: str) -> int:
        return _sum_below(self._told, level) + _sum_below(self._told_hidden, level)

    # -- events

    def _before(self) -> list[OomEvent]:
        known = {p: k.number for p, k in self._groups.items() if k.number}
        found: list[tuple[str, int]] = [(p, n) for p, n in known.items() if n]
        for path, number in self._base_levels.items():  # innermost first
            rest = number - _sum_below(dict(found), path)
            if rest > 0:
                found.append((path, rest))
        now = clock.time()
        found.sort(key=lambda f: -f[1])
        return [self._event(path, n, now, before=True) for path, n in found[:_BEFORE]]

    def _event(self, path: str | None, number: int, time: float, before: bool = False) -> OomEvent:
        if path is None:
            scope = "gone"
        else:
            around = self._home is not None and at_or_below(path, self._home)
            # a group of our number from before the start is not of our making
            ours = around or (not before and _is_own_job(path))
            scope = "cgroup" if ours else "elsewhere"
        event = OomEvent(self._next_id, time, number, path, scope, before)
        self._next_id += 1
        return event

    def _add(self, path: str | None, number: int, time: float, since: float, hidden: bool) -> int:
        """Add kills to the open event of that group, or open one; return its id."""
        for held in self._open:
            if held.event.cgroup == path and held.hidden == hidden:
                held.event = held.event._replace(count=held.event.count + number)
                return held.event.id
        event = self._event(path, number, time)
        # a hidden one is told a look late: it had to be seen twice
        self._open.append(_Open(event, self._looked_since if hidden else since, hidden))
        return event.id

    def _name(self, held: _Open, last: bool) -> bool:
        """Name the event's victims anew; True if that changed it.

        Processes too short-lived for their cgroup to be known end all the time, anywhere on the
        machine: they are named only when the time is up and nobody better vanished.
        """
        taken = self._taken.union(
            *(identities(o.event.victims) for o in self._open if o is not held)
        )
        free = [
            d
            for d in self._ring.departed
            if d.proc[:2] not in taken and (last or d.proc.cgroup is not None)
        ]
        counted = [p for p, k in self._groups.items() if k.number is not None]
        found = candidates(free, held.event, held.since, set(counted) if held.hidden else ())
        event = name_victims(held.event, found)
        changed = event != held.event
        held.event = event
        return changed

    def _close(self, time: float) -> None:
        done = [h for h in self._open if _is_over(h, time)]
        self._open = [h for h in self._open if h not in done]
        for held in done:
            self._taken |= identities(held.event.victims)
        if not self._open:
            self._taken &= {d.proc[:2] for d in self._ring.departed}


def _is_own_job(path: str) -> bool:
    """Whether the cgroup is, or lies below, one that this process made for a command."""
    from memtui.services.cgrouplimit import PREFIX  # only a kill needs it

    own = f"{PREFIX}{os.getpid()}-"
    return any(name.startswith(own) for name in path.split("/"))


def _is_over(held: _Open, time: float) -> bool:
    return not 0 <= time - held.event.time < WINDOW_S


def _gate(host: int | None, levels: Sequence[Level]) -> _Gate:
    return (host, *(lv.events.oom_kill for lv in levels))


def _risen(before: dict[str, Kills], now: dict[str, Kills]) -> list[tuple[str, int]]:
    """Return (path, kills) of the groups whose counter rose; a new group's began at 0."""
    found = []
    for path, (inode, number) in now.items():
        old = before.get(path)
        if old is None and len(before) >= _GROUPS:
            continue  # more groups than are walked: it need not be new
        same = old is not None and old.inode == inode
        base = old.number if same and old is not None else 0
        if number is not None and base is not None and number > base:
            found.append((path, number - base))
    return found


def _sum_below(counts: dict[str, int] | dict[str | None, int], level: str) -> int:
    return sum(n for p, n in counts.items() if p is not None and n > 0 and at_or_below(p, level))
