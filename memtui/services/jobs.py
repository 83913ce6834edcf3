"""The commands that the TUI runs under a limit, looked after off the UI thread."""

from __future__ import annotations

import contextlib
import threading
from typing import NamedTuple

from memtui.kernel.errors import KernelError
from memtui.model.limits import Limits
from memtui.model.runlimit import Result
from memtui.render.spans import Line
from memtui.services.job import Job
from memtui.services.launch import NOT_ENTERED, NotStarted

_TAIL = 40  # lines of output kept in a view


class JobView(NamedTuple):
    """One command as it stood at the last tick. Sizes are bytes."""

    id: int
    command: str
    limit: int
    method: str  # what is in force, in words
    usage: int | None
    peak: int | None
    pids: frozenset[int]
    output: tuple[Line, ...]  # last lines, safe to display
    result: Result | None  # None while it runs
    per_process: bool = False  # limit, usage and peak are of the largest process


class Jobs:
    """Starts commands, and keeps a view of each that anybody may read without waiting."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._lock = threading.Lock()  # of the lists; nothing is waited for while it is held
        self._polling = threading.Lock()
        self._closed = False
        self.views: tuple[JobView, ...] = ()

    def start(self, command: str, limit: int) -> JobView:
        """Run a shell command under `limit` bytes. Raises Unavailable or NotStarted.

        Does not wait for a `poll` that another thread is in.
        """
        job = Job.start(command, Limits(limit))
        view = self._view(0, job)
        if not self._add(job, view):
            job.close()
            raise NotStarted(NOT_ENTERED, "memtui is about to quit")
        return self.views[-1]

    def _add(self, job: Job, view: JobView) -> bool:
        with self._lock:
            if not self._closed:
                self.views = (*self.views, view._replace(id=len(self._jobs)))
                self._jobs.append(job)
            return not self._closed

    def poll(self) -> None:
        """Bring the views up to date; may take a moment when a command has just ended."""
        with self._polling:
            with self._lock:
                before, jobs = self.views, tuple(self._jobs)
            now = tuple(
                old if old.result is not None else self._view(old.id, job)
                for old, job in zip(before, jobs, strict=True)
            )
            with self._lock:  # some may have been started meanwhile
                self.views = (*now, *self.views[len(now) :])

    def close(self) -> None:
        """End every command and remove its cgroup."""
        with self._lock:
            self._closed = True
            jobs = tuple(self._jobs)
        for job in jobs:
            with contextlib.suppress(KernelError):  # a group that will not go
                job.close()

    @staticmethod
    def _view(number: int, job: Job) -> JobView:
        result = job.poll()
        return JobView(
            number,
            job.command,
            job.limit,
            job.method_line,
            job.usage(),
            job.peak(),
            frozenset(job.pids()),
            tuple(job.output_tail(_TAIL)),
            result,
            job.per_process,
        )
