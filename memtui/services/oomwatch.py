"""OOM kills as events: counted by the kernel, named on the best evidence there is."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import at_or_below
from memtui.kernel.namespaces import is_initial
from memtui.kernel.roots import LIVE, Roots
from memtui.model.attribution import attribute
from memtui.model.logmatch import Logged, Match, View, claim, find_logged, is_surely_of
from memtui.model.snapshot import Identity, Proc, Quota
from memtui.model.victims import SURE, OomEvent, candidates, identities, killed_by_9
from memtui.services.departures import Departures, Exit
from memtui.services.oomcounters import Cause, News, OomCounters, Rise, unseen
from memtui.services.restarts import Restarts
from memtui.services.sigkills import BIG, OtherKiller, Sigkills, sigkill_event

WINDOW_S = 5.0
"""How long after its counter a victim may vanish, and how long kills in a group are one event."""

_BEFORE = 50  # events of before the start at most
_UNCLAIMED_S = 2.0  # a record of the log that no counter explained is an event of its own


class Evidence(NamedTuple):
    """What is known beside the samples."""

    exits: Mapping[Identity, Exit] = {}
    logged: Sequence[Logged] = ()  # the kernel log's records of the last seconds
    fired: Mapping[str, float] = {}  # groups in which the kernel told of an OOM just now
    badness: Mapping[Identity, int] = {}  # bytes, at the last sample
    killers: Sequence[OtherKiller] = ()  # what programs said that kill for memory's sake
    kills: int | None = None  # the machine's count of OOM kills, read after the processes


NO_EVIDENCE = Evidence()


class _Open:
    """An event that may still gain victims."""

    def __init__(self, event: OomEvent, since: float, hidden: bool, before: int | None) -> None:
        self.event = event
        self.before = before  # the machine's count of OOM kills when all was quiet
        self.since = since  # who vanished from this tick on may be a victim
        self.hidden = hidden  # no group's own counter tells of it
        self.logged: tuple[Match, ...] = ()


class OomWatch:
    """Finds OOM kills; call `start` once, then `observe` once per look, from one thread."""

    def __init__(self, roots: Roots = LIVE, cgroup: str | None = None) -> None:
        """Watch all cgroups that are visible; those around `cgroup` (or ours) concern us."""
        self.counters = OomCounters(roots, cgroup)
        self.departures = Departures(roots)
        self.sigkills = Sigkills()
        self._restarts = Restarts()
        self._view = View(is_initial(roots, "pid"), is_initial(roots, "cgroup"))
        self._open: list[_Open] = []
        self._taken: set[Identity] = set()  # victims of events that are closed
        self._taken_pids: set[int] = set()  # and of those whom the log alone told of then
        self._claimed: set[tuple[int, bytes]] = set()  # records of the log
        self._next_id = 1
        self._looked_since = 0.0  # `since` of the look before
        self._quiet: int | None = None  # the machine's count at the last look without a kill

    def start(self, news: News = unseen) -> list[OomEvent]:
        """Read all counters; return one event per group that counts kills nobody has seen."""
        now = clock.time()
        found = self.counters.start(news)[:_BEFORE]
        return [
            self._event(b.cgroup, b.number, now, before=True)._replace(last_looked=b.last_looked)
            for b in found
        ]

    def observe(
        self, time: float, procs: Sequence[Proc], quota: Quota, evidence: Evidence = NO_EVIDENCE
    ) -> list[OomEvent]:
        """Return the events that are new or know more than before (same `id`), oldest first.

        `time` is in seconds since the epoch. An event stays open for five seconds, because the
        counter rises before the victim is gone.
        """
        last = self.departures.last
        self.departures.turn(time, procs, evidence.badness, evidence.kills)
        self.departures.learn(evidence.exits)
        since = time if last is None else last
        changed: dict[int, None] = {}
        for rise in self.counters.look(quota, evidence.fired):
            changed[self._add(rise, time, since)] = None
        changed.update(dict.fromkeys(self._from_log_alone(time, since, evidence.logged)))
        self._looked_since = since
        for held in self._open:
            self._claim(held, evidence.logged)
            if self._name(held, _is_over(held, time)):
                changed.setdefault(held.event.id)
        told = [h.event for h in self._open if h.event.id in changed]
        told += self._killed_otherwise(time, quota, evidence.killers)
        self._close(time, evidence.logged)
        if not self.counters.restless:
            self._quiet = quota.host_oom_kill
        return self._restarts.mark(time, told, procs)

    @property
    def unsettled(self) -> bool:
        """Whether a look soon may tell more of an event."""
        return self.counters.restless or any(
            len(h.event.victims) < h.event.count
            or any(v.evidence not in SURE for v in h.event.victims)
            for h in self._open
        )

    def concerns(self, cgroup: str | None) -> bool:
        """Whether kills in that group concern us."""
        home = self.counters.home
        return home is not None and cgroup is not None and at_or_below(cgroup, home)

    # -- events

    def _event(self, path: str | None, number: int, time: float, before: bool = False) -> OomEvent:
        if path is None:
            scope = "gone"
        else:
            # a group of our number from before the start is not of our making
            ours = self.concerns(path) or (not before and _is_own_job(path))
            scope = "cgroup" if ours else "elsewhere"
        event = OomEvent(self._next_id, time, number, path, scope, before)
        self._next_id += 1
        return event

    def _add(self, rise: Rise, time: float, since: float) -> int:
        """Add kills to the open event of that group, or open one; return its id."""
        for held in self._open:
            same = held.event.cgroup == rise.cgroup and held.hidden == rise.hidden
            if same and not _is_over(held, time):
                count = held.event.count + rise.number
                held.event = held.event._replace(count=count)
                held.event = _because(held.event, rise.cause, rise.group_kill)
                return held.event.id
        event = self._event(rise.cgroup, rise.number, time)
        event = _because(event, rise.cause, rise.group_kill)
        # a hidden one is told a look late: it had to be seen twice
        since = self._looked_since if rise.hidden else since
        self._open.append(_Open(event, since, rise.hidden, self._quiet))
        return event.id

    def _from_log_alone(self, time: float, since: float, logged: Sequence[Logged]) -> list[int]:
        """Open an event for each record that no counter explained in time."""
        late = [k for k in logged if k.key not in self._claimed and time - k.time > _UNCLAIMED_S]
        ids = []
        for kill in late:
            if any(h.event.cgroup == kill.task_memcg or h.hidden for h in self._open):
                continue
            rise = Rise(kill.task_memcg, 1, True)
            ids.append(self._add(rise, time, min(since, kill.time - 1.0)))
        return ids

    # -- victims

    def _claim(self, held: _Open, logged: Sequence[Logged]) -> None:
        """Take the records of the log that tell of this event, and whom each means."""
        known = {m.kill.key: m for m in held.logged}
        pool = [k for k in logged if k.key in known or k.key not in self._claimed]
        counted = self.counters.groups if held.event.cgroup is None else {}
        settled = {m.gone.proc[:2] for m in held.logged if m.gone is not None and m.sure}
        taken = self._taken_by_others(held) | settled
        found = []
        for kill in claim(held.event, pool, counted, WINDOW_S + _UNCLAIMED_S, self._view):
            match = known.get(kill.key, Match(kill))._replace(kill=kill)
            if match.gone is None or not match.sure:
                departed, alive = self.departures.departed, self.departures.alive.values()
                match = find_logged(kill, departed, alive, taken, self._view)
            ours = is_surely_of(held.event, kill, self._view)
            if match.gone is not None:
                taken = taken | {match.gone.proc[:2]}
                found.append(match if ours or killed_by_9(match.gone.status) else _unsure(match))
            elif ours:
                found.append(match)
        held.logged = tuple(found)
        self._claimed |= {m.kill.key for m in found}

    def _taken_by_others(self, held: _Open) -> set[Identity]:
        return self._named_by([o.event for o in self._open if o is not held])

    def _named_by(self, events: Sequence[OomEvent]) -> set[Identity]:
        """Who is a victim of these events, or of one that is closed."""
        victims = [v for e in events for v in e.victims]
        pids = {v.pid for v in victims if v.start is None} if self._view.pids else set()
        pids |= self._taken_pids
        late = {d.proc[:2] for d in self.departures.departed if pids and d.proc.pid in pids}
        return self._taken | identities(victims) | late

    def _name(self, held: _Open, last: bool) -> bool:
        """Name the event's victims anew; True if that changed it.

        Processes too short-lived for their cgroup to be known end all the time, anywhere on the
        machine: they are named only when the time is up and nobody better vanished.
        """
        taken = self._taken_by_others(held)
        free = [
            d
            for d in self.departures.departed
            if d.proc[:2] not in taken and (last or d.proc.cgroup is not None)
        ]
        # a kill in one of these is counted there: it is another event's
        groups = self.counters.groups.items()
        own = None if held.hidden else held.event.cgroup
        counted = {p for p, k in groups if k.number is not None and p != own}
        found = candidates(free, held.event, held.since, counted, held.before)
        event = attribute(held.event, found, held.logged, self._heaviest(held.event.cgroup))
        changed = event != held.event
        held.event = event
        return changed

    def _killed_otherwise(
        self, time: float, quota: Quota, killers: Sequence[OtherKiller]
    ) -> list[OomEvent]:
        """Events of big processes of ours that SIGKILL ended, but no OOM killer."""
        limit = quota.binding.bytes // 20 if quota.binding else BIG
        named = self._named_by([o.event for o in self._open])
        if any(len(o.event.victims) < o.event.count for o in self._open):
            return []  # they may yet be named
        departed = [
            d
            for d in self.departures.departed
            if self.concerns(d.proc.cgroup) and not _is_own_job(d.proc.cgroup or "")
        ]
        return [
            sigkill_event(self._event(d.proc.cgroup, 1, d.missed), d, killers, d.proc.cgroup)
            for d in self.sigkills.find(time, departed, named, min(BIG, limit))
        ]

    def _heaviest(self, cgroup: str | None) -> int:
        """The highest badness of who lives in that very group."""
        if cgroup is None:
            return 0
        return self.departures.heaviest(cgroup)

    def _close(self, time: float, logged: Sequence[Logged]) -> None:
        done = [h for h in self._open if _is_over(h, time)]
        self._open = [h for h in self._open if h not in done]
        for held in done:
            self._taken |= identities(held.event.victims)
            if self._view.pids:
                self._taken_pids |= {v.pid for v in held.event.victims if v.start is None}
        self._taken_pids &= {k.pid for k in logged}
        if not self._open:
            self._taken &= {d.proc[:2] for d in self.departures.departed}
        self._claimed &= {k.key for k in logged}


def _unsure(match: Match) -> Match:
    return match._replace(sure=False)


def _because(event: OomEvent, cause: Cause, group_kill: bool) -> OomEvent:
    if cause.cause and not event.cause:
        event = event._replace(
            cause=cause.cause, limit_cgroup=cause.cgroup, limit_bytes=cause.bytes
        )
    return event._replace(group_kill=event.group_kill or group_kill)


def _is_own_job(path: str) -> bool:
    """Whether the cgroup is, or lies below, one that this process made for a command."""
    from memtui.services.cgrouplimit import PREFIX  # only a kill needs it

    own = f"{PREFIX}{os.getpid()}-"
    return any(name.startswith(own) for name in path.split("/"))


def _is_over(held: _Open, time: float) -> bool:
    return not 0 <= time - held.event.time < WINDOW_S
