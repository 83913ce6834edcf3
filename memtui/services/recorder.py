"""The flight recorder: the last samples of every process, and all that tells of a kill.

It says when to look between two refreshes: at once when a process held was killed or the kernel log
has a record; more often the smaller the headroom; and whenever /proc/vmstat's count moved, which is
read when the kernel tells of an OOM, when a process held ended, and five times a second where the
kernel log cannot be followed. When a limited group grows, it is glimpsed who is in it.
"""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Sequence
from heapq import nlargest
from operator import attrgetter
from typing import NamedTuple

from memtui.kernel.levels import at_or_below
from memtui.kernel.meminfo import HostReader
from memtui.kernel.oomnotify import OOM
from memtui.kernel.roots import Roots
from memtui.model.attribution import name_earlier
from memtui.model.badness import weigh_in
from memtui.model.scene import Scene
from memtui.model.snapshot import Identity, Snapshot
from memtui.model.victims import LOG, OomEvent, Victim, killed_by_9
from memtui.services.departures import Exit
from memtui.services.glimpse import Glimpse
from memtui.services.growth import PAUSE_S, Growth
from memtui.services.held import Held
from memtui.services.oomlogs import OomLogs, history
from memtui.services.oomsignals import OomSignals
from memtui.services.oomwatch import Evidence, OomWatch
from memtui.services.remembered import Remembered
from memtui.services.sigkills import SETTLED_S
from memtui.services.waker import Waker

_POLL_S = 0.2
_CALM_S = 1.0  # between two samples of the recorder's, however long the delay is
_SHARE = 0.01  # of one CPU that they may take; near the limit five times as much
_NEAR = 0.9  # of the limit in hard memory: sample faster
_NEAR_S = 0.1
_GAP_S = 0.04  # between two looks that somebody called for
_PEEK_S = 0.03  # between two glimpses of a group
_AFTER_OOM_S = (0.015, 0.04, 0.1, 0.2, 0.5)  # the count rises a moment after the kernel told
_AFTER_KILL_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0)  # the victim takes its time to go
_JOURNAL_S = 0.4  # until journald has written what the kernel said
_KEPT = 32  # samples
_KEPT_S = 10.0
_POINTS_S = 120.0
_HELD = 32  # processes
_HELD_ELSEWHERE = 8
_SIZED = 8  # whose size is read again at each glimpse
_ROWS = 60  # of a scene
_rss = attrgetter("rss")


class _Sample:
    """One sample as it is kept: the lists are shared with the snapshot."""

    __slots__ = ("badness", "snapshot")

    def __init__(self, snapshot: Snapshot, badness: dict[Identity, int]) -> None:
        self.snapshot = snapshot
        self.badness = badness


class _More(NamedTuple):
    """What is known of a victim beside how it was seen last."""

    parent: str
    swap: int | None  # bytes
    adj: int | None


class Recorder:
    """`start` it, `take` every snapshot, and look when `wants_look` says so; one thread."""

    def __init__(self, roots: Roots, cgroup: str | None, waker: Waker) -> None:
        """Register with `waker` what the kernel tells; its owner sleeps on it."""
        self._waker = waker
        self._watch = OomWatch(roots, cgroup)
        self._signals = OomSignals(waker, self._told)
        self._host = HostReader(roots)
        self._held = Held(roots, waker, self._ended, self._host.oom_kill)
        self._logs = OomLogs(waker, self._look_now)
        self._glimpse = Glimpse(roots)
        self._growth = Growth(roots)
        self._live = roots.live
        self._remembered = Remembered(roots)
        self._samples: deque[_Sample] = deque(maxlen=_KEPT)
        self._unasked: list[OomEvent] = []  # the journal may know more of these
        self._points: deque[tuple[float, int | None]] = deque()
        self._scenes: dict[int, Scene] = {}
        self._more: dict[Identity, _More] = {}
        self._looks: list[float] = []  # monotonic times of looks that are due
        self._checks: list[float] = []  # and of readings of the count
        self._count: int | None = None
        self._next_poll = 0.0
        self._next_growth = 0.0
        self._peeked: dict[str, float] = {}  # group: monotonic time of its last glimpse
        self._last_look = 0.0
        self._pause = _CALM_S

    def start(self) -> list[OomEvent]:
        """Begin to watch; return the events of before."""
        earlier = self._remembered.begin()
        before = self._watch.start(self._remembered.news)
        if before and self._live:
            told = history()
            before = [name_earlier(e, told) for e in before]
        self._remembered.count(self._watch.counters.counts())
        self._count = self._host.oom_kill()
        if self._live:
            self._logs.open()
            self._watch_groups()
        return [*earlier, *before]

    def expect(self, killed: set[Identity]) -> None:
        """Take a set, shared with its owner, of those whose end by SIGKILL is no news."""
        self._watch.sigkills.expected = killed

    def farewell(self) -> None:
        """Write down what is to be remembered; from any thread."""
        self._remembered.farewell()

    def close(self) -> None:
        """Give back every descriptor."""
        self._signals.close()
        self._held.close()
        self._logs.close()
        self._host.close()
        self._growth.close()

    # -- when to look

    def next_look(self, now: float) -> float:
        """Return when `wants_look` should be asked again, in monotonic seconds."""
        times = [self._last_look + self._pause, *self._looks, *self._checks]
        if self._polls:
            times.append(self._next_poll)
        if self._growth:
            times.append(self._next_growth)
        return max(min(times), self._last_look + _GAP_S)

    def wants_look(self, now: float) -> bool:
        """Whether a sample is due beside those of each refresh."""
        if now < self._last_look + _GAP_S:
            return False
        if self._growth and now >= self._next_growth:
            self._next_growth = now + PAUSE_S
            for path in self._growth.grown():
                self._peek(path)
        looks, self._looks = _due(self._looks, now)
        checks, self._checks = _due(self._checks, now)
        if looks or now >= self._last_look + self._pause:
            return True
        if not checks and not (self._polls and now >= self._next_poll):
            return False
        self._next_poll = now + _POLL_S
        count = self._host.oom_kill()
        return count != self._count or (checks and count is None)

    @property
    def _polls(self) -> bool:
        return self._live and not self._logs.immediate

    def _look_now(self) -> None:
        self._looks = _with(self._looks, (0.0,))

    def _told(self, path: str, what: str) -> None:
        """The kernel told of a group; v2 does of reclaim at the limit, too."""
        if what == OOM:
            if self._watch.counters.version == 1:  # the kill comes next: who is there counts
                self._peeked.pop(path, None)
            self._checks = _with(self._checks, (0.0, *_AFTER_OOM_S))
        self._peek(path)

    def _peek(self, path: str) -> None:
        """See who is in a group while they live, and hold the biggest."""
        now = clock.monotonic()
        if now - self._peeked.get(path, 0.0) < _PEEK_S:
            return
        self._peeked[path] = now
        departures = self._watch.departures
        directory = self._watch.counters.directory(path)
        fresh = self._glimpse.look(path, directory, departures.settled)
        inside = [p for p in departures.alive.values() if p.cgroup and at_or_below(p.cgroup, path)]
        biggest = nlargest(_SIZED, inside, key=_rss)
        departures.glimpsed([*self._glimpse.sizes(biggest), *fresh])
        self._held.add([*fresh[:_HELD], *biggest])

    def _ended(self, told: Exit) -> None:
        """A process held has ended: by SIGKILL, or the count tells whether it may be of that."""
        if killed_by_9(told.status):  # and later: if no counter rises, it was no OOM kill
            self._looks = _with(self._looks, (0.0, SETTLED_S + 0.1))
        else:
            self._checks = _with(self._checks, (0.0,))

    # -- each sample

    def take(self, snapshot: Snapshot) -> list[OomEvent]:
        """Remember a sample; return the events that are new or known better."""
        self._last_look = snapshot.mono
        snapshot.log = self._logs.words
        total = snapshot.doomed.total if snapshot.doomed else None
        badness = {}
        for proc in snapshot.procs:
            weight = snapshot.weights.get(proc[:2])
            worth = None if weight is None else weigh_in(proc, weight, total)
            if worth is not None:
                badness[proc[:2]] = worth
        now = clock.monotonic()
        fired = {g: t for g, t in self._signals.fired.items() if now - t < 2.0}
        logged, killers = self._logs.recent(snapshot.time), self._logs.killers(snapshot.time)
        kills = self._host.oom_kill()
        evidence = Evidence(self._held.exits, logged, fired, badness, killers, kills)
        events = self._watch.observe(snapshot.time, snapshot.procs, snapshot.quota, evidence)
        events = [self._with_scene(e) for e in events]
        self._remember(_Sample(snapshot, badness))
        if self._live:
            self._keep_watch(snapshot)
        if events:
            self._watch_groups()
            self._remembered.count(self._watch.counters.counts())
        self._remembered.take(snapshot.time, events)
        self._ask_journal(events)
        if events and self._watch.unsettled:
            self._looks = _with(self._looks, _AFTER_KILL_S)
        elif self._watch.counters.restless and not self._looks:
            self._looks = _with(self._looks, (0.2,))
        return events

    def _ask_journal(self, events: Sequence[OomEvent]) -> None:
        """Ask for the log's record of what was counted just now; it comes a moment later."""
        now = clock.time()
        self._unasked += [e for e in events if e.evidence != LOG and not e.before_start]
        self._unasked = [e for e in self._unasked if now - e.time < _KEPT_S]
        ripe = [e.time for e in self._unasked if now - e.time >= _JOURNAL_S]
        if ripe and self._live and self._logs.ask(min(ripe)):
            self._unasked = [e for e in self._unasked if now - e.time < _JOURNAL_S]

    def _remember(self, sample: _Sample) -> None:
        snapshot = sample.snapshot
        self._count = snapshot.quota.host_oom_kill
        self._samples.append(sample)
        while self._samples[0].snapshot.time < snapshot.time - _KEPT_S:
            self._samples.popleft()
        binding = snapshot.quota.binding
        if not self._points or snapshot.time - self._points[-1][0] >= 0.25:
            used = binding.usage if binding else None
            peak = snapshot.quota.recent_peak
            self._points.append((snapshot.time, used if used is None else max(used, peak or 0)))
        while self._points[0][0] < snapshot.time - _POINTS_S:
            self._points.popleft()
        self._pause = self._pause_after(snapshot)

    def _pause_after(self, snapshot: Snapshot) -> float:
        """How long until the next sample: the less headroom, the shorter."""
        limit = snapshot.quota.binding
        hard = None if limit is None or limit.hard is None else limit.hard
        if limit is not None and hard is not None and hard >= limit.bytes * _NEAR:
            return max(_NEAR_S, snapshot.took_s / _SHARE / 5)
        return max(_CALM_S, snapshot.took_s / _SHARE)

    def _keep_watch(self, snapshot: Snapshot) -> None:
        mine = [p for p in snapshot.procs if p.rss and self._watch.concerns(p.cgroup or "/")]
        elsewhere = nlargest(_HELD_ELSEWHERE, snapshot.procs, key=_rss)
        self._held.hold([*nlargest(_HELD, mine, key=_rss), *elsewhere])
        self._held.forget_old(snapshot.time)
        self._watch_limits()

    def _watch_groups(self) -> None:
        """Watch our levels first, then as many other groups as there may be.

        v1 tells in a group of its own OOMs and of those above, not of those below.
        """
        counters = self._watch.counters
        if counters.version is None:
            return
        own = [lv.path for lv in counters.levels]
        rest = [p for p in counters.groups if p not in own] if counters.version == 1 else []
        self._signals.watch(counters.version, [(p, counters.directory(p)) for p in [*own, *rest]])

    def _watch_limits(self) -> None:
        counters = self._watch.counters
        limits = [(lv.path, lv.limit) for lv in counters.levels if lv.limit is not None]
        limited = [(p, counters.directory(p), n) for p, n in limits]
        if counters.version is not None:
            self._growth.watch(counters.version, limited)
        if counters.version == 1:
            self._signals.watch_usage(limited)

    # -- scenes

    def _with_scene(self, event: OomEvent) -> OomEvent:
        """Add how things stood at the last sample in which every victim still lived."""
        event = event._replace(victims=tuple(map(self._completed, event.victims)))
        scene = self._scenes.get(event.id)
        seen = [v.last_seen for v in event.victims if v.last_seen is not None]
        if scene is None or (seen and scene.time > min(seen)):
            scene = self._scene(min(seen, default=event.time))
            if scene is None:
                return event
            self._scenes[event.id] = scene
            for old in sorted(self._scenes)[:-_KEPT]:
                del self._scenes[old]
        return event._replace(scene=scene)

    def _completed(self, victim: Victim) -> Victim:
        """Add whose child it was, and what the kernel weighed beside its resident memory."""
        if victim.start is None:
            return victim
        identity = victim.pid, victim.start
        if identity not in self._more:
            self._more[identity] = self._more_of(identity)
            for old in list(self._more)[:-_KEPT]:
                del self._more[old]
        more = self._more[identity]
        return victim._replace(
            parent=victim.parent or more.parent,
            swap=more.swap if victim.swap is None else victim.swap,
            adj=more.adj if victim.adj is None else victim.adj,
        )

    def _more_of(self, identity: Identity) -> _More:
        departures = self._watch.departures
        gone = next((d.proc for d in departures.departed if d.proc[:2] == identity), None)
        proc = gone or departures.alive.get(identity)
        parent, swap, adj = "", None, None
        for sample in self._samples:
            s = sample.snapshot
            if proc is not None:
                parent = next((p.name for p in s.procs if p.pid == proc.ppid), parent)
            if weight := s.weights.get(identity):
                swap, adj = weight.swap, weight.adj
            if s.quota.host.swap_total == 0:
                swap = 0
        return _More(parent, swap, adj)

    def _scene(self, before: float) -> Scene | None:
        samples = [s for s in self._samples if s.snapshot.time <= before]
        if not samples:
            return None
        sample = samples[-1]
        s = sample.snapshot
        rows = nlargest(_ROWS, s.procs, key=_rss)
        return Scene(s.time, rows, s.count, s.quota, tuple(self._points), sample.badness)


def _due(times: Sequence[float], now: float) -> tuple[bool, list[float]]:
    """Whether one of the times has come, and which are still to come."""
    later = [t for t in times if t > now]
    return len(later) < len(times), later


def _with(times: Sequence[float], delays: Sequence[float]) -> list[float]:
    """Add times from now on; in monotonic seconds, at most 32."""
    now = clock.monotonic()
    return sorted({*times, *(now + d for d in delays)})[:32]
