"""What the TUI knows: the newest snapshot, and what it remembers of those before."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.model.badness import total_of
from memtui.model.series import Recent, Series
from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent
from memtui.render.rows import View

_EVENTS = 500  # that are listed
_WHOLE = 50  # of those: with the processes and the log's lines of then, some 50 KB each


class State:
    """Changed only by the UI thread, by `take` and `saw`."""

    def __init__(self, snapshot: Snapshot, uid: int | None) -> None:
        self.snapshot = snapshot
        self.series = Series()
        self.recent = Recent()
        self._uid = uid
        self._events: dict[int, OomEvent] = {}
        self._forgotten = 0  # kills of ours in events that are listed no more

    @property
    def limit(self) -> int | None:
        """The limit that binds, in bytes."""
        binding = self.snapshot.quota.binding
        return binding.bytes if binding else None

    @property
    def usage(self) -> int | None:
        """The usage of the level that binds, in bytes."""
        binding = self.snapshot.quota.binding
        return binding.usage if binding else None

    @property
    def view(self) -> View:
        """What rows depend on beside their process."""
        snapshot = self.snapshot
        doomed = snapshot.doomed
        return View(
            self.limit,
            self._uid,
            doomed=doomed.all if doomed else (),
            host=snapshot.quota.host.total,
            total=total_of(snapshot.quota),
            boot=snapshot.boot,
            now=int(snapshot.time),
            level=snapshot.quota.level_path,
        )

    @property
    def events(self) -> list[OomEvent]:
        """OOM events, newest first: ours, elsewhere, of before the start, of earlier runs."""

        def rank(event: OomEvent) -> tuple[bool, bool, bool, float]:
            return not event.recorded, not event.before_start, event.ours, event.time

        return sorted(self._events.values(), key=rank, reverse=True)

    @property
    def kills(self) -> int:
        """Kills counted since memtui started, at our levels (not elsewhere on the machine)."""
        counted = (e for e in self._events.values() if e.kind == "oom" and e.ours)
        listed = sum(e.count for e in counted if not e.before_start and not e.recorded)
        return listed + self._forgotten

    @property
    def earlier_kills(self) -> int:
        """Kills at our levels that the counters held when memtui started."""
        return sum(e.count for e in self._events.values() if e.before_start and e.ours)

    def take(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the present one and remember its numbers."""
        self.snapshot = snapshot
        self.series.add(snapshot)
        used = self.usage
        peak = snapshot.quota.recent_peak or 0  # spikes between two samples show in the graph
        self.recent.add(snapshot.mono, used if used is None else max(used, peak))

    def saw(self, events: Sequence[OomEvent]) -> None:
        """Remember events; one with a known id replaces what was told before."""
        for event in events:
            self._events[event.id] = event
        if events:
            self._bound()

    def _bound(self) -> None:
        """Keep few: where something is killed again and again, memory must not grow with it.

        Those of before, and those that do not concern us, go first.
        """
        for i, event in enumerate(self.events):
            if i >= _EVENTS:
                del self._events[event.id]
                if (
                    event.kind == "oom"
                    and event.ours
                    and not (event.recorded or event.before_start)
                ):
                    self._forgotten += event.count
            elif i >= _WHOLE and event.scene is not None:
                self._events[event.id] = event._replace(scene=None, record="")
