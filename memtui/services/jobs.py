"""The commands that the TUI runs under a limit, looked after off the UI thread."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
import threading
import time
from array import array

from memtui.kernel.errors import KernelError
from memtui.model.job import ENDED, PAUSED, RUNS, STOPPING, JobView, Request
from memtui.model.limits import Limits
from memtui.model.memseries import Points
from memtui.model.runlimit import Result
from memtui.render.spans import Line, plain
from memtui.render.transcript import KEPT_LINES
from memtui.services.job import Job
from memtui.services.launch import NOT_ENTERED, NotStarted
from memtui.services.left import Left, left_of, remember
from memtui.services.limiter import Unavailable
from memtui.services.store import StateDir

_TAIL = 40  # lines of output kept in a view
_LEFT = "left-"
"""How the names of files begin that commands go on writing to when memtui has ended."""
_KEPT_S = 30 * 86400.0
_GRACE_S = 5.0  # from SIGTERM to SIGKILL, when a command is ended to be started anew


class _Held:
    """A job, and what is known of it beside."""

    def __init__(self, job: Job, request: Request) -> None:
        self.job = job
        self.request = request
        self.limits = [(0.0, job.limit)]
        self.term: float | None = None  # when SIGTERM was sent, in monotonic seconds

    def state(self, result: Result | None) -> str:
        if result is not None:
            return ENDED
        if self.job.paused():
            return PAUSED
        return RUNS if self.term is None else STOPPING

    def view(self, number: int) -> JobView:
        job, result = self.job, self.job.poll()
        points = job.series()
        anon = points.anon[-1] if len(points.anon) and not job.per_process else math.nan
        return JobView(
            number,
            self.request,
            job.command,
            job.limit,
            job.method_line,
            job.usage(),
            job.peak(),
            frozenset(job.pids()),
            result,
            job.per_process,
            self.state(result),
            job.seconds,
            job.output_tail(_TAIL),
            job.written,
            tuple(self.limits),
            None if self.term is None or result else time.monotonic() - self.term,
            None if math.isnan(anon) else int(anon),
            job.method,
            job.held,
            _course(points, result),
        )


def _course(points: Points, result: Result | None) -> tuple[array[float], array[float]]:
    """Its memory over time; where its limit ended it, that was the last of it."""
    times, memory = points.times, points.memory
    if result is not None and result.verdict.kind == "limit" and result.peak is not None:
        times.append(result.seconds)
        memory.append(result.peak)
    return times, memory


class Jobs:
    """Starts commands, and keeps a view of each that anybody may read without waiting."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # of the lists; nothing is waited for while it is held
        self._polling = threading.Lock()
        self._closed = False
        self.views: tuple[JobView, ...] = ()

    def start(self, request: Request) -> JobView:
        """Run a shell command under its limit. Raises Unavailable or NotStarted.

        Does not wait for a `poll` that another thread is in.
        """
        job = Job.start(request.command, Limits(request.limit), request.method)
        held = _Held(job, request)
        number = next(self._numbers)
        view = held.view(number)
        with self._lock:
            if not self._closed:
                self._held[number] = held
                self.views = (*self.views, view)
                return view
        job.close()
        raise NotStarted(NOT_ENTERED, "memtui is about to quit")

    def poll(self) -> None:
        """Bring the views up to date; may take a moment when a command has just ended."""
        with self._polling:
            with self._lock:
                before, held = self.views, dict(self._held)
            now = {
                old.id: held[old.id].view(old.id)
                for old in before
                if old.result is None and old.id in held
            }
            with self._lock:  # some may have been started or removed meanwhile
                self.views = tuple(now.get(v.id, v) for v in self.views)

    def _of(self, number: int) -> _Held | None:
        with self._lock:
            return self._held.get(number)

    # -- what is asked of one of them; nothing happens to one that is gone

    def output(self, number: int, most: int) -> list[Line]:
        """Return the last lines that it wrote."""
        held = self._of(number)
        return held.job.output_tail(most) if held else []

    def signal(self, number: int, sig: int) -> None:
        """Send a signal to all of its processes."""
        if held := self._of(number):
            if sig in (signal.SIGTERM, signal.SIGKILL):
                held.term = held.term or time.monotonic()
            held.job.kill(sig)

    def pause(self, number: int, on: bool) -> None:
        """Stop it, or let it go on."""
        if held := self._of(number):
            held.job.pause(on)

    def set_limit(self, number: int, limit: int) -> int:
        """Give it another limit, which may take a while; return the one that is in force.

        Raises Unavailable or a KernelError, and then the old one holds.
        """
        held = self._of(number)
        if held is None:
            raise Unavailable("the command is not here any more")
        got = held.job.set_limit(limit)
        held.limits.append((held.job.seconds, got))
        return got

    def warning(self, number: int, limit: int) -> str:
        """Say what a limit below what it uses now would do; "" where there is room for it."""
        held = self._of(number)
        return held.job.warning(limit) if held else ""

    def keep(self, number: int) -> str:
        """Write the last lines of its output to a file, and return its path. Raises OSError."""
        lines = self.output(number, KEPT_LINES)
        text = "".join(plain(line).rstrip() + "\n" for line in lines)
        name = f"output-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{number}.txt"
        directory = StateDir()
        with directory.locked():
            directory.replace(name, text.encode("utf-8", "replace"))
        return f"{directory.path}/{name}"

    def end(self, number: int) -> None:
        """End it: SIGTERM, and SIGKILL to what is left after five seconds. Waits for that."""
        held = self._of(number)
        if held is None:
            return
        self.signal(number, signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        while held.job.poll() is None:
            if time.monotonic() > until:
                with contextlib.suppress(KernelError):
                    held.job.close()
                return
            time.sleep(0.02)

    def remove(self, number: int) -> bool:
        """Forget one that has ended, with its output; whether it could be."""
        with self._lock:
            view = next((v for v in self.views if v.id == number), None)
            if view is None or view.result is None:
                return False
            held = self._held.pop(number)
            self.views = tuple(v for v in self.views if v.id != number)
        with contextlib.suppress(KernelError):
            held.job.close()
        return True

    def leave(self) -> list[str]:
        """Let what runs run on without memtui; return what to tell of each. Then comes `close`."""
        with self._lock:
            self._closed = True
            every = dict(self._held)
        told = [found for n, held in every.items() if (found := _left(n, held.job))]
        remember([left for _, left in told if left])
        return [words for words, _ in told]

    def close(self) -> None:
        """End every command and remove its cgroup."""
        with self._lock:
            self._closed = True
            every = list(self._held.values())
        for held in every:
            with contextlib.suppress(KernelError):  # a group that will not go
                held.job.close()


def _left(number: int, job: Job) -> tuple[str, Left | None] | None:
    """Leave one; return what to tell and to remember of it, None where it has ended."""
    directory, name = StateDir(), f"{_LEFT}{time.strftime('%Y%m%d-%H%M%S')}-{job.pid}.log"
    _drop_old(directory)
    path = f"{directory.path}/{name}"
    try:
        file, where = directory.create(name), f"its output goes on in {path}"
    except OSError as e:
        directory.fail("its output is", e)
        file, where, path = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), directory.problem, ""
    try:
        if not job.leave(file):
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None
    finally:
        os.close(file)
    words = f"command {number} goes on as PID {job.pid}: {job.command}; {job.method_line}; {where}"
    return words, left_of(job.pid, job.command, path)


def _drop_old(directory: StateDir) -> None:
    """Remove what commands that were left wrote long ago; a file that is written to is young."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory.path):
            path = f"{directory.path}/{name}"
            if name.startswith(_LEFT) and time.time() - os.lstat(path).st_mtime > _KEPT_S:
                os.unlink(path)
