"""What was, over the time that memtui runs: bounded, in plain arrays."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from heapq import nlargest
from operator import attrgetter

from memtui.model.snapshot import Identity, Snapshot

_POINTS = 1800  # then every second point is dropped and the step doubles
_TOP = 6  # processes followed from each snapshot
_MOST = 48  # processes followed in all
PARTS = ("anon", "tmpfs/shm", "kernel", "cache")
_NAN = float("nan")
_rss = attrgetter("rss")


class Series:
    """Quota by part and the biggest processes over time; memory stays bounded for ever.

    Times are monotonic seconds, values bytes; NaN is "not known then".
    """

    def __init__(self) -> None:
        self.times = array("d")
        self.limit = array("d")
        self.usage = array("d")
        self.parts = {name: array("d") for name in PARTS}
        self.processes: dict[Identity, array[float]] = {}
        self.names: dict[Identity, str] = {}
        self._step = 0.0  # seconds between two points kept
        self._next = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """Remember this snapshot, unless it comes too soon after the last point kept."""
        if snapshot.mono < self._next:
            return
        self._next = snapshot.mono + self._step
        self._add_quota(snapshot)
        self._add_processes(snapshot)
        if len(self.times) >= _POINTS:
            self._thin()

    def biggest(self, count: int) -> list[Identity]:
        """Return the processes whose peak within the series was biggest, biggest first."""

        def peak(identity: Identity) -> float:
            return max((v for v in self.processes[identity] if v == v), default=0.0)

        return sorted(self.processes, key=peak, reverse=True)[:count]

    def _add_quota(self, snapshot: Snapshot) -> None:
        quota = snapshot.quota
        p = quota.parts
        binding = quota.binding
        self.times.append(snapshot.mono)
        self.limit.append(binding.bytes if binding else _NAN)
        self.usage.append(_NAN if binding is None or binding.usage is None else binding.usage)
        for name, values in zip(
            PARTS,
            (
                (p.anon,),
                (p.shmem,),
                (p.kernel, p.sock, p.other),
                (p.cache_active, p.cache_inactive, p.kernel_reclaimable),
            ),
            strict=True,
        ):
            known = [v for v in values if v is not None]
            self.parts[name].append(sum(known) if known else _NAN)

    def _add_processes(self, snapshot: Snapshot) -> None:
        for proc in nlargest(_TOP, snapshot.procs, key=_rss):
            if proc.identity not in self.processes:
                self.processes[proc.identity] = array("d", [_NAN]) * (len(self.times) - 1)
            self.names[proc.identity] = f"{proc.name} {proc.pid}"
        pids = {pid for pid, _ in self.processes}
        now = {p.identity: p for p in snapshot.procs if p.pid in pids}
        for identity, values in self.processes.items():
            found = now.get(identity)
            values.append(found.rss if found else _NAN)
        if len(self.processes) > _MOST:
            for identity in self.biggest(len(self.processes))[_MOST // 2 :]:
                del self.processes[identity], self.names[identity]

    def _thin(self) -> None:
        """Keep every second point, and from now on half as many."""
        span = self.times[-1] - self.times[0]
        self._step = 2 * span / len(self.times)
        for values in (self.times, self.limit, self.usage, *self.parts.values()):
            values[:] = values[::2]
        for identity, values in self.processes.items():
            self.processes[identity] = values[::2]


class Recent:
    """The last two minutes of one number, on a grid of equal steps, for the small graph."""

    def __init__(self, span_s: float = 120.0) -> None:
        self._span_s = span_s
        self._points: list[tuple[float, float | None]] = []

    def add(self, at: float, value: float | None) -> None:
        """Remember `value` at `at` (monotonic seconds); drop what is older than the span."""
        self._points.append((at, value))
        oldest = at - self._span_s
        if self._points[0][0] < oldest - self._span_s:
            self._points = [p for p in self._points if p[0] >= oldest]

    def grid(self, count: int) -> Sequence[float | None]:
        """Return `count` values at fixed moments, the newest last; None before the first.

        The moments are multiples of the step, so that a redrawn graph moves by whole steps.
        """
        if not self._points or count < 1:
            return []
        step = self._span_s / count
        end = int(self._points[-1][0] / step)
        values: list[float | None] = [None] * count
        for at, value in self._points:
            i = count - 1 - (end - int(at / step))
            if 0 <= i < count:
                values[i] = (
                    value if values[i] is None or value is None else max(values[i] or 0, value)
                )
        return _fill(values)


def _fill(values: list[float | None]) -> list[float | None]:
    """Carry the last value over steps in which nothing was sampled."""
    last: float | None = None
    for i, value in enumerate(values):
        if value is None:
            values[i] = last
        else:
            last = value
    return values
