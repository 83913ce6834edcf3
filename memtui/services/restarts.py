"""Jupyter kernels that came back: a new process on the connection file of one that was killed.

The server's restarter starts a dead kernel anew with the same `kernel-ID.json`, so the memory that
a kill freed is taken again, while the notebook's variables are lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memtui.model.snapshot import Identity, Proc
from memtui.model.victims import OomEvent, Victim

_FILE = re.compile(r"kernel-[\w.-]{1,64}\.json")
_WITHIN_S = 60.0


class Restarts:
    """Waits for kernels that were killed to be there again."""

    def __init__(self) -> None:
        self._events: dict[int, OomEvent] = {}
        self._known: dict[Identity, int] = {}  # who was killed: the PID that came back

    def mark(self, time: float, told: Sequence[OomEvent], procs: Sequence[Proc]) -> list[OomEvent]:
        """Return the events told, and earlier ones, with the restarts that are known.

        `time` is in seconds since the epoch. An earlier one is told once per restart.
        """
        self._events = {i: e for i, e in self._events.items() if time - e.time <= _WITHIN_S}
        for event in told:
            if not event.before_start and any(_FILE.search(v.command) for v in event.victims):
                self._events[event.id] = event
        if not self._events:
            return list(told)
        ids = {e.id for e in told}
        found = {i: self._marked(e, procs) for i, e in self._events.items()}
        more = [e for i, e in found.items() if i not in ids and e != self._events[i]]
        self._events = found
        return [*(found.get(e.id, e) for e in told), *more]

    def _marked(self, event: OomEvent, procs: Sequence[Proc]) -> OomEvent:
        return event._replace(victims=tuple(self._again(v, procs) for v in event.victims))

    def _again(self, victim: Victim, procs: Sequence[Proc]) -> Victim:
        """The victim with the PID of who took its place, if somebody did."""
        file = _FILE.search(victim.command)
        if file is None or victim.start is None:
            return victim
        identity = victim.pid, victim.start
        if identity not in self._known:
            name = file.group()
            born = [p for p in procs if p.start > victim.start and name in p.command]
            pids = [p.pid for p in born if p.pid != victim.pid and p.state not in "ZX"]
            if not pids:
                return victim
            self._known[identity] = min(pids)
        return victim._replace(restarted=self._known[identity])
