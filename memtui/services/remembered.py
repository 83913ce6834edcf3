"""What a run of memtui leaves to the next: which kills were seen, and the record of each.

A thread of its own writes, because fsync takes long just when memory is short.
"""

from __future__ import annotations

import queue
import threading
import time as clock
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from memtui.kernel.bootid import read_boot_id
from memtui.kernel.roots import Roots
from memtui.model.victims import OomEvent
from memtui.services.store import Baseline, Baselines, Key, KillLog, StateDir

FINAL_S = 6.0
"""After that nothing more is learnt of an event, beside a kernel's restart."""
_SHOWN = 50  # events of earlier runs
_WEEK_S = 7 * 86400.0
_REFRESH_S = 600.0  # between two notes that somebody still looks
_FAREWELL_S = 0.3


class Remembered:
    """Nothing of another machine's files is remembered. One thread calls all but `farewell`."""

    def __init__(self, roots: Roots) -> None:
        self._boot = read_boot_id(roots) if roots.live else None
        directory = StateDir()
        self._baselines = Baselines(directory)
        self._log = KillLog(directory)
        self._known: Mapping[Key, Baseline] = {}
        self._counts: dict[Key, int] = {}
        self._saved_at = 0.0  # monotonic seconds
        self._pending: dict[int, OomEvent] = {}
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self) -> list[OomEvent]:
        """Read what earlier runs left; return the events that they recorded, newest first."""
        if self._boot is None:
            return []
        self._known = self._baselines.load(self._boot)
        oldest = clock.time() - _WEEK_S
        return [e for e in self._log.read(_SHOWN) if e.time >= oldest]

    def news(self, key: Key, number: int) -> tuple[int, float | None]:
        """Return how many of a counter's kills nobody has seen, and when somebody last looked.

        (seconds since the epoch; None: never in this boot)
        """
        seen = self._known.get(key)
        if seen is None:
            return number, None
        return max(0, number - seen.kills), seen.looked_at

    def count(self, counts: Mapping[Key, int]) -> None:
        """Remember the counters as seen now; written where one moved, and now and then."""
        if self._boot is None:
            return
        now = clock.monotonic()
        if counts == self._counts and now - self._saved_at < _REFRESH_S:
            return
        self._counts, self._saved_at = dict(counts), now
        self._later(self._save)

    def take(self, time: float, told: Sequence[OomEvent]) -> None:
        """Record events once nothing more is learnt of them; `time` in seconds since the epoch."""
        if self._boot is None:
            return
        with self._lock:
            self._pending.update((e.id, e) for e in told if not e.before_start and e.id > 0)
            done = [e for e in self._pending.values() if time - e.time >= FINAL_S]
            for event in done:
                del self._pending[event.id]
        for event in done:
            self._later(partial(self._log.append, event))

    def farewell(self) -> None:
        """Write what is not written yet, but do not wait long; from any thread."""
        if self._boot is None:
            return
        with self._lock:
            pending, self._pending = list(self._pending.values()), {}
        for event in pending:
            self._later(partial(self._log.append, event))
        if self._counts:
            self._later(self._save)
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(_FAREWELL_S)

    def _save(self) -> None:
        now = clock.time()
        groups = {key: Baseline(n, now) for key, n in self._counts.items()}
        self._baselines.save(self._boot or "", groups)

    def _later(self, work: Callable[[], object]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="record", daemon=True)
            self._thread.start()
        self._work.put(work)

    def _write(self) -> None:
        while (work := self._work.get()) is not None:
            work()
