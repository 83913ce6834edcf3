"""The threads of processes, read in the sampler's thread, and only while they are shown."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from memtui.kernel.procfs import TICKS_PER_S
from memtui.kernel.roots import Roots
from memtui.kernel.tasks import read_tasks
from memtui.model.snapshot import Identity, Proc
from memtui.model.tasks import Task, task_of

_MOST = 3000  # threads read in one tick: about 50 ms


class Threads:
    """What `/proc/PID/task` tells, by PID; `wanted` turns it on and off from any thread."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self.wanted = False
        self.found: Mapping[int, Sequence[Task]] = {}
        self.left_out = 0  # processes whose threads were too many to be read
        self._ticks: dict[Identity, int] = {}  # CPU time at the last look
        self._at: float | None = None

    def look(self, procs: Sequence[Proc]) -> None:
        """Read the threads of `procs`; forget them all where they are not wanted."""
        if not self.wanted:
            self.found, self._ticks, self._at, self.left_out = {}, {}, None, 0
            return
        now = time.monotonic()
        passed = None if self._at is None else max(now - self._at, 0.01)
        found: dict[int, Sequence[Task]] = {}
        ticks: dict[Identity, int] = {}
        room, left_out = _MOST, 0
        for proc in procs:
            if proc.threads < 2:
                continue
            if room <= 0:
                left_out += 1
                continue
            tasks = self._tasks(proc, room, passed, ticks)
            room -= len(tasks)
            found[proc.pid] = tasks
        self.found, self._ticks, self._at, self.left_out = found, ticks, now, left_out

    def _tasks(
        self, proc: Proc, room: int, passed: float | None, ticks: dict[Identity, int]
    ) -> list[Task]:
        tasks = []
        for stat in read_tasks(self._roots, proc.pid, room):
            known = self._ticks.get((stat.pid, stat.start))
            ticks[stat.pid, stat.start] = stat.cpu_ticks
            share = None
            if known is not None and passed is not None:
                share = 100.0 * max(0, stat.cpu_ticks - known) / TICKS_PER_S / passed
            tasks.append(task_of(proc, stat, share))
        return tasks
