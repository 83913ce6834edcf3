"""How memory stands and what to do about it: one look, or what the sampler has seen already."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence

from memtui.kernel import procfs
from memtui.kernel.roots import Roots
from memtui.model.advice.catalogue import advise
from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Seen
from memtui.model.habits import Habit, Habits
from memtui.model.snapshot import Identity, Quota, Snapshot
from memtui.model.trend import TrendWatch
from memtui.model.victims import OomEvent
from memtui.services.evidence import gather, held_by
from memtui.services.naming import Namer
from memtui.services.quota import QuotaSource
from memtui.services.recentkills import recent_kills
from memtui.services.sampler import Processes, open_processes

LOOK_S = 3.0
"""Seconds that one look takes: what grows, works or stalls shows only over time."""

_STEP_S = 0.5
_KILLS_S = 7200.0
_BACK_S = 10.0  # over which rates are taken while the sampler runs


class NoSuchGroup(Exception):
    """The cgroup asked for is not visible here."""


def look(roots: Roots, cgroup: str | None = None, for_s: float = LOOK_S) -> Explained:
    """Look for so long, and say what there is to be said. Raises NoSuchGroup, a KernelError.

    Of a captured tree there is one moment only.
    """
    source = QuotaSource(roots, cgroup)
    try:
        first = source.read()
        if cgroup is not None and not source.found:
            raise NoSuchGroup(cgroup)
        return _look(roots, source, first, for_s if roots.live else 0.0)
    finally:
        source.close()


def _look(roots: Roots, source: QuotaSource, first: Quota, for_s: float) -> Explained:
    processes = open_processes(roots, room=0)
    habits, trends = Habits(), TrendWatch()
    began = now = time.monotonic()
    while True:
        procs = processes.sample(cgroups=True)
        quota = source.read()
        snapshot = Snapshot(time.time(), now, procs, len(procs), quota, 0.0, _STEP_S)
        habits.add(now, procs)
        trend = trends.add(snapshot)
        if now - began >= for_s:
            break
        time.sleep(min(_STEP_S, began + for_s - now))
        now = time.monotonic()
    if isinstance(processes, Processes):
        Namer(roots).once(processes.table, snapshot.time)
        snapshot.procs = list(processes.table.values())
    snapshot.trend = trend
    events = recent_kills(quota, _KILLS_S) if roots.live else []
    return explain(roots, snapshot, habits.found(), events, now - began, first)


def explain(
    roots: Roots,
    snapshot: Snapshot,
    habits: Mapping[Identity, Habit],
    events: Sequence[OomEvent] = (),
    over_s: float = 0.0,
    then: Quota | None = None,
    own: Identity | None = None,
) -> Explained:
    """Read what is needed beside a snapshot, and say what there is to be said.

    `then` is the quota `over_s` seconds before; `own` is memtui where it stays. Takes up to a
    second or so, and is not for the UI's thread.
    """
    quota = snapshot.quota
    seen = Seen(
        snapshot.time,
        quota,
        held_by(roots, snapshot.procs, quota),
        over_s,
        then,
        snapshot.trend,
        habits,
        events=[e for e in events if e.ours and snapshot.time - e.time < _KILLS_S],
        own=own,
        uid=os.geteuid() if roots.live else None,
    )
    if roots.live and own is None:  # this look is over when it is read about
        seen = seen._replace(procs=[p for p in seen.procs if p.pid != os.getpid()])
    if procfs.is_there(roots):
        seen = gather(roots, seen, snapshot.procs)
    return Explained(seen, advise(seen), _notes(roots, seen))


class Watching:
    """What the sampler sees from tick to tick, kept for when somebody asks.

    `add` is called in the sampler's thread, `explain` in any but the UI's.
    """

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._habits = Habits()
        self._quotas: deque[tuple[float, Quota]] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Take a tick; about 0.1 ms for 1000 processes."""
        at = snapshot.mono
        self._habits.add(at, snapshot.procs)
        self._quotas.append((at, snapshot.quota))
        while at - self._quotas[0][0] > _BACK_S:
            self._quotas.popleft()

    def explain(self, snapshot: Snapshot, events: Sequence[OomEvent]) -> Explained:
        """Say what there is to be said of a snapshot and the time before it."""
        at, then = self._quotas[0] if self._quotas else (snapshot.mono, None)
        me = next((p.identity for p in snapshot.procs if p.pid == os.getpid()), None)
        over, habits = max(0.0, snapshot.mono - at), self._habits.found()
        own = me if self._roots.live else None
        return explain(self._roots, snapshot, habits, events, over, then, own)


def _notes(roots: Roots, seen: Seen) -> list[str]:
    found = []
    if not roots.live:
        found.append("one moment of another machine: what works, grows or stalls is not known")
    if seen.unread:
        found.append(
            f"of {seen.unread} big processes the shares are not for you to read: root, or"
            " CAP_SYS_PTRACE, sees more"
        )
    return found
