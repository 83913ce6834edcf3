"""Looking at a command again and again: its memory over time, and who of it was biggest.

Whoever waits for the command calls `look`, and again after `pause_s`. 4 % of one CPU are spent on
it at most, however many processes there are (20 % for moments near an rlimit, which leaves no
trace but what was seen); what is kept is bounded.
"""

from __future__ import annotations

import threading
import time

from memtui.kernel import cgroupfacts
from memtui.kernel.cgroupfacts import Contents, Strain
from memtui.kernel.proctree import Sizes
from memtui.model.limits import AS
from memtui.model.memseries import Account, Point, Points, Seen
from memtui.services.limiter import Limiter
from memtui.services.peaks import Peaks
from memtui.text import show

TOP = 5
_SHARE = 25  # a look's own CPU time is followed by at least this many times as much of none
_SHARE_NEAR = 4  # the same while it grows towards a limit that leaves no other trace
_SLOWEST_S = 1.0
_START_S = 0.05  # how long a program takes to be loaded, about
_FOLLOWED = 64  # processes remembered, the biggest ones


class Samples:
    """What was seen of one command. `look` in one thread; the rest may be asked from any."""

    def __init__(
        self, limiter: Limiter, pid: int, limit: int, session: bool = False, begun: float = 0.0
    ) -> None:
        """`begun` is when the command was started, in monotonic seconds; 0: just now."""
        self.peaks = Peaks(limit)
        self.points = Points()
        self.now: int | None = None  # bytes, of what is limited
        self.pause_s = self.peaks.pause_s
        self._limiter, self._pid, self._session = limiter, pid, session
        self._begun = begun or time.monotonic()
        self._machine = cgroupfacts.read_stalls()
        self._seen: dict[int, Seen] = {}
        self._contents, self._strain = Contents(), Strain()
        self._high = Point(0.0)  # the highest of each, and when memory was
        self.start_size: int | None = None  # the most of what is limited, in the first moments
        self._lock = threading.Lock()

    def look(self) -> None:
        """Take one sample."""
        began = time.thread_time()
        sizes = self.peaks.look(self._limiter.members(self._pid, self._session))
        point = self._point(sizes)
        with self._lock:
            self._take(point)
            self._remember(sizes)
        near = self.peaks.near and self._limiter.per_process
        share = _SHARE_NEAR if near else _SHARE
        pause = max(self.peaks.pause_s, share * (time.thread_time() - began))
        self.pause_s = min(pause, _SLOWEST_S)

    def last_look(self) -> None:
        """Read what the group counted, once the command has ended and before the group goes."""
        if group := self._limiter.cgroup:
            self._contents = cgroupfacts.read_contents(group.version, group.directory)
            self._strain = cgroupfacts.read_strain(group.version, group.directory)

    def series(self) -> Points:
        """Return the points so far, as a copy."""
        with self._lock:
            return self.points.copy()

    def account(self) -> Account:
        """Return what the looks amount to, after `last_look`."""
        with self._lock:
            high, strain = self._high, self._strain
            swap = strain.swap_peak if strain.swap_peak is not None else high.swap
            return Account(
                high.seconds if high.memory is not None else None,
                high.anon,
                swap,
                self._contents.major_faults,
                *self._stalls(),
                strain.throttled,
                self.start_size,
                tuple(sorted(self._seen.values(), key=lambda s: -s.hwm)[:TOP]),
            )

    def add_exact(self, rss: int) -> None:
        """Take in the kernel's own peak RSS of the largest process."""
        self.peaks.add_exact(rss)
        if len(self._seen) == 1:  # else nobody knows whose it is
            ((pid, one),) = self._seen.items()
            self._seen[pid] = one._replace(hwm=max(one.hwm, rss))

    def _point(self, sizes: dict[int, Sizes]) -> Point:
        seconds = time.monotonic() - self._begun
        group = self._limiter.cgroup
        if group is None:
            anon = sum(s.rss - s.shared for s in sizes.values()) if sizes else None
            swap = sum(s.swap for s in sizes.values()) if sizes else None
            return Point(seconds, self._used(sizes), anon, swap, len(sizes), None)
        inside = cgroupfacts.read_contents(group.version, group.directory)
        return Point(
            seconds, self._used(sizes), inside.anon, inside.swap, len(sizes), inside.major_faults
        )

    def _used(self, sizes: dict[int, Sizes]) -> int | None:
        """What is used of what is limited; an rlimit's from what was just read."""
        if not self._limiter.per_process:
            return self._limiter.usage(self._pid, self._session)
        address_space = self._limiter.method == AS
        return max((s.virt if address_space else s.data for s in sizes.values()), default=None)

    def _take(self, point: Point) -> None:
        self.now = point.memory
        if point.memory is not None:
            if self.start_size is None or point.seconds < _START_S:
                self.start_size = max(self.start_size or 0, point.memory)
            self.points.add(point)
        higher = [_most(a, b) for a, b in zip(self._high[1:], point[1:], strict=True)]
        at = point.seconds if higher[0] != self._high.memory else self._high.seconds
        self._high = Point(at, *higher)

    def _remember(self, sizes: dict[int, Sizes]) -> None:
        """Keep the biggest: by PID, and anew where the number's memory begins anew (exec)."""
        for pid, now in sizes.items():
            old = self._seen.get(pid)
            if old is not None and now.hwm < old.hwm:
                continue  # the kernel's counter is lazy, or this is what it became by exec
            if old is None or now.hwm > old.hwm:
                self._seen[pid] = Seen(pid, show(now.name), now.hwm)
        if len(self._seen) > 2 * _FOLLOWED:
            kept = sorted(self._seen.values(), key=lambda s: -s.hwm)[:_FOLLOWED]
            self._seen = {s.pid: s for s in kept}

    def _stalls(self) -> tuple[float | None, float | None, str]:
        some, full = self._strain.some_us, self._strain.full_us
        if some is not None:
            return some / 1e6, None if full is None else full / 1e6, "the command"
        spans = [
            _since(*pair) for pair in zip(self._machine, cgroupfacts.read_stalls(), strict=True)
        ]
        return spans[0], spans[1], "the whole machine"


def _most(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)


def _since(before: int | None, after: int | None) -> float | None:
    return None if before is None or after is None else (after - before) / 1e6
