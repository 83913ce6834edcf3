"""The limit that everybody may set: RLIMIT_DATA or RLIMIT_AS, for each process by itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import time

from memtui.kernel import procfs, proctree
from memtui.model.runlimit import AS, DATA
from memtui.services.limiter import PATIENCE_S, Evidence, Unavailable
from memtui.services.peaks import Peaks
from memtui.units import size_long

_MARKER = "MEMTUI_RUN_ID"

_serial = itertools.count()

_RLIMITS = {
    DATA: ("RLIMIT_DATA", b"Max data size", "-d", "private memory"),
    AS: ("RLIMIT_AS", b"Max address space", "-v", "address space"),
}


class RlimitLimiter:
    """RLIMIT_DATA or RLIMIT_AS: for each process by itself, which is told ENOMEM, not killed."""

    peak_of = "largest process, sampled: a lower bound"

    def __init__(self, method: str) -> None:
        self.method = method
        self._name, self._row, self._flag, self._counts = _RLIMITS[method]
        self._limit = 0
        self._id = f"{os.getpid()}-{next(_serial)}-{time.time_ns()}"

    @property
    def _which(self) -> int:
        return int(getattr(resource, self._name))

    def probe(self) -> Unavailable | None:
        """Return None: every process may lower its own limits."""
        return None

    def prepare(self, limit: int) -> None:
        """Check that no smaller hard limit stands: it could not be raised again."""
        hard = resource.getrlimit(self._which)[1]
        if hard != resource.RLIM_INFINITY and hard < limit:
            reason = f"{self._name} is already limited to {size_long(hard)} here"
            raise Unavailable(reason, "ask for less")
        self._limit = limit & ~1023  # what a shell can set, too

    def enter(self) -> None:
        """Set soft and hard limit on the calling process; its children inherit them."""
        resource.setrlimit(self._which, (self._limit, self._limit))

    def shell_enter(self) -> tuple[str, str]:
        """Return the ulimit command (in KiB)."""
        return f'ulimit {self._flag} "$1"', str(self._limit >> 10)

    def environment(self) -> dict[str, str]:
        """Return a mark: daemons leave the family and the session, but keep it."""
        return {_MARKER: self._id}

    def confirm(self, pid: int) -> int:
        """Return the soft limit in /proc/PID/limits."""
        got = procfs.read_limit(pid, self._row)
        if got is None or got > self._limit:
            raise Unavailable(f"{self._name} of process {pid} could not be read back")
        self._limit = got
        return got

    def describe(self) -> str:
        """Name the limit, and that it is one for each process."""
        size = size_long(self._limit)
        return f"{size} of {self._counts} per process by {self._name} (read back)"

    def members(self, pid: int, session: bool) -> set[int]:
        """Return `pid`, its descendants, and its session; who left both is missed."""
        return set(proctree.read_family({pid}, pid if session else None))

    def usage(self, pid: int, session: bool) -> int | None:
        """Return the sum of the processes' RSS: shared pages count in each."""
        sizes = [proctree.read_sizes(p) for p in self.members(pid, session)]
        return sum(s.rss for s in sizes if s) if sizes else None

    def peak(self, peaks: Peaks) -> int | None:
        """Return the largest process that was seen."""
        return peaks.hwm or None

    def finish(self, pid: int, session: bool) -> int:
        """Kill what is left in the session; without one, orphans cannot be told from others."""
        if not session:
            return 0
        left: set[int] = set()
        for _ in range(40):  # they may bear others while they die
            doomed = self._remains(pid)
            if not doomed:
                break
            left |= doomed
            for each in doomed:
                _kill(each)
            time.sleep(0.005)
        return len(left)

    def _remains(self, pid: int) -> set[int]:
        marked = proctree.read_marked(f"{_MARKER}={self._id}".encode())
        return set(proctree.read_family(set(marked), pid))

    def evidence(self, peaks: Peaks) -> Evidence:
        """Return how near one process came: an rlimit leaves no other trace."""
        return Evidence(nearest=peaks.data if self.method == DATA else peaks.virt)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Do nothing: rlimits end with their processes."""


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, 9)
