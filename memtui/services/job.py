"""A command in the background under a limit: started, watched, ended, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import read_kin
from memtui.model.limits import AS, KERNEL_GROUPS, Limits
from memtui.model.memseries import Points
from memtui.model.runlimit import (
    Clues,
    Ending,
    Result,
    Verdict,
    advise,
    derive_verdict,
    find_refusal,
)
from memtui.render.spans import Line, plain
from memtui.services import cause
from memtui.services.launch import Started
from memtui.services.limiter import PATIENCE_S
from memtui.services.limits import Chosen, Unavailable, choose
from memtui.services.output import Output
from memtui.services.samples import Samples
from memtui.services.shell import launch_shell
from memtui.services.warden import Warden
from memtui.text import safe

_PAUSE_S = 0.25  # between two points of the graph, where nothing depends on them
_LAST_LINES = 20  # of its output that may tell why it ended
_DEADLINE_S = 2.0  # to die when killed: a device that does not answer must not hold us up


class Job:
    """One background command. Its methods may be called from any thread. Sizes are bytes."""

    def __init__(self, command: str, chosen: Chosen, limits: Limits) -> None:
        """Start it: for `start`, which chooses the limiter."""
        self._limiter = chosen.limiter
        self._lock = threading.RLock()
        self._changing = threading.Lock()
        self._code: int | None = None  # exit code, negative for a signal, once reaped
        self._seconds = 0.0
        self._result: Result | None = None
        self._closed = False
        self._sent: int | None = None  # the last signal that was ours
        self.notes: tuple[str, ...] = ()  # what was done to it for its limit, in sentences
        self.command = safe(command)
        self.started = time.time()  # seconds since the epoch
        self._begun = time.monotonic()
        self._before = cause.note(self._limiter.cgroup)
        self.pid, fd, self.limit = launch_shell(chosen, command)
        self.method = self._limiter.method
        self.method_line = chosen.describe()
        self._samples = Samples(self._limiter, self.pid, limits.limit, session=True)
        self._due = 0.0  # when to look again, in monotonic seconds
        self._warden = Warden(self._limiter, limits, self.pid, True, self._begun)
        self._warden.tell = self._note
        self._output = Output(fd, self._look)

    @classmethod
    def start(cls, command: str, limits: Limits, method: str = "auto") -> Job:
        """Run `/bin/sh -c command` in a session of its own, with no input.

        Raises Unavailable (no such method here) or NotStarted; then nothing is left behind.
        """
        chosen = choose(method, limits)
        try:
            return cls(command, chosen, limits)
        except BaseException:
            chosen.limiter.close()
            raise

    def _look(self) -> float:
        """Sample it when it is time; return when it is next: less often where a group counts."""
        if time.monotonic() >= self._due:
            self._samples.look()
            least = _PAUSE_S if self.method in KERNEL_GROUPS else 0.0
            self._due = time.monotonic() + max(self._samples.pause_s, least)
        pause = max(0.0, self._due - time.monotonic())
        watch = self._guard()
        return pause if watch is None else min(pause, watch)

    def _guard(self) -> float | None:
        """Do what the kernel does not do; return when to do so again.

        Whoever holds the lock may be waiting for this very thread to end.
        """
        if not self._lock.acquire(blocking=False):
            return _PAUSE_S
        try:
            if self._over or self._code is not None:
                return None
            self._warden.look()
            return self._warden.pause_s
        finally:
            self._lock.release()

    def _note(self, text: str) -> None:
        self.notes = (*self.notes, text)

    @property
    def held(self) -> int | None:
        """What it had when it was stopped at its limit, for a person to decide; else None."""
        return self._warden.held

    def go_on(self) -> None:
        """Let it go on after that."""
        with self._lock:
            self._warden.go_on()

    def pids(self) -> set[int]:
        """Return all living processes of the job: to mark their rows."""
        with self._lock:
            return set() if self._over else self._limiter.members(self.pid, True)

    def usage(self) -> int | None:
        """Return what the job has now; None once it is over."""
        with self._lock:
            return None if self._over else self._limiter.usage(self.pid, True)

    def peak(self) -> int | None:
        """Return the most it had; what that counts, `peak_of` says."""
        with self._lock:
            if self._result:
                return self._result.peak
            return None if self._closed else self._limiter.peak(self._samples.peaks)

    def series(self) -> Points:
        """Return its memory over time, so far."""
        return self._samples.series()

    @property
    def per_process(self) -> bool:
        """Whether limit, usage and peak are of one process, the largest, not of all together."""
        return self._limiter.per_process

    @property
    def peak_of(self) -> str:
        """What the peak counts, in words."""
        return self._limiter.peak_of

    @property
    def _over(self) -> bool:
        return self._closed or self._result is not None

    def output_tail(self, n: int) -> list[Line]:
        """Return the last `n` lines of stdout and stderr, safe to display, in their own colours."""
        return self._output.tail(n)

    def poll(self) -> Result | None:
        """Return how it ended, or None while it runs.

        When the command has ended, what it left behind is given 0.2 s, then killed.
        """
        with self._lock:
            if self._result is None and not self._closed and self._reap(os.WNOHANG):
                self._finish()
            return self._result

    def _reap(self, flags: int) -> bool:
        """Whether the command has ended; the zombie keeps the PID ours until here."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, flags)
            if pid == 0:
                return False
            self._code = os.waitstatus_to_exitcode(status)
            self._seconds = time.monotonic() - self._begun
        return True

    def _finish(self) -> None:
        """Judge the end, once nothing of the job runs any more, and remove its group."""
        left = self._limiter.finish(self.pid, True)
        self._output.drain(0.5)
        end = self._ending()
        verdict = derive_verdict(end)
        if end.signal is not None and end.signal == self._sent and not verdict.oom:
            verdict = Verdict("signal", f"ended from here, by signal {end.signal}")
        peak = self._limiter.peak(self._samples.peaks)
        known = verdict, peak, self.peak_of, self._seconds, left
        advice = advise(end, verdict, peak)
        self._result = Result(end.status, end.signal, *known, advice=advice)
        with contextlib.suppress(KernelError):  # close() tries again, and tells
            self._limiter.close()

    def _ending(self) -> Ending:
        """What is known of the end; what could be read of its cause is asked for."""
        code = self._code or 0
        status, sig = (code, None) if code >= 0 else (None, -code)
        known = self._limiter.evidence(self._samples.peaks)
        said = find_refusal(map(plain, self._output.tail(_LAST_LINES))) if code else ""
        clues = Clues(said=said)
        end = Ending(self.method, self.limit, status, sig, *known, self._warden.ended_for, clues)
        if self.method == AS:  # its program is a shell, which tells nothing
            return end
        started = Started(self.pid, self._begun, 0, "/bin/sh")
        return cause.find(end, self._before, self._limiter.cgroup, started)

    @property
    def seconds(self) -> float:
        """How long it has run, or ran: wall clock."""
        return self._result.seconds if self._result else time.monotonic() - self._begun

    @property
    def written(self) -> tuple[int, int]:
        """How many bytes and how many whole lines it wrote so far."""
        return self._output.written

    def paused(self) -> bool:
        """Whether every process of it is stopped, by whomever."""
        kin = [k for k in map(read_kin, self.pids()) if k and k.living]
        return bool(kin) and all(k.state == b"T" for k in kin)

    def pause(self, on: bool) -> None:
        """Stop all of its processes, or let them go on."""
        with self._lock:
            if not on and self.held is not None:
                self._warden.go_on()
            for _ in range(3 if on else 1):  # one that was born meanwhile
                self._send(signal.SIGSTOP if on else signal.SIGCONT)

    def kill(self, sig: int = signal.SIGTERM) -> None:
        """Send `sig` to all of the job's processes; SIGCONT follows, so that a stopped one acts."""
        with self._lock:
            self._sent = sig
            self._send(sig)
            if sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                self._send(signal.SIGCONT)

    def warning(self, limit: int) -> str:
        """Say what a limit below what it uses now would do; "" where there is room for it."""
        usage = self.usage()
        if usage is None or limit >= usage:
            return ""
        if self.per_process:
            return "what it has stays, but its next allocation fails"
        group = self._limiter.cgroup
        if group is not None and group.version == 1:
            return "the kernel refuses it, if it cannot take back so much"
        return "what cannot be given back at once is got by killing"

    def set_limit(self, limit: int) -> int:
        """Give it another limit while it runs; return the one in force, read back.

        Waits until the kernel has taken back what is above it. Raises Unavailable or a
        KernelError, and then the old one holds.
        """
        if self._over:
            raise Unavailable("the command has ended")
        with self._changing:  # not `_lock`: the kernel may be long at taking memory back
            self.limit = self._limiter.change(self.pid, True, limit)
            self._warden.change(self.limit)
            self.method_line = f"limit: {self._limiter.describe()}"
            return self.limit

    def _send(self, sig: int) -> None:
        """Begin with the command itself: it may end by its own when its children do."""
        for pid in sorted(self.pids(), key=lambda pid: pid != self.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, sig)

    def close(self) -> None:
        """End everything: kill what runs, reap it, end the reader, remove the group.

        May be called twice. A command that does not die, because it waits for a disk, is left to
        die by itself. Raises a KernelError if the group could not be removed.
        """
        with self._lock:
            if self._closed:
                return
            ended = self._result is not None or self._end()
            self._closed = True
            self._output.close()
            self._limiter.close(PATIENCE_S if ended else 0.0)

    def leave(self, file: int) -> bool:
        """Let it run on without us, its output into an open file; whether it still runs.

        Its limit stays, and so does its group: a later memtui removes that.
        """
        with self._lock:
            if self.poll() is not None or self._closed:
                return False
            self._output.hand_over(file)
            self._limiter.release()
            self._closed = True
            return True

    def _end(self) -> bool:
        """Kill until the command is reaped: a fork may outrun one round. False: it did not die."""
        deadline = time.monotonic() + _DEADLINE_S
        while not self._reap(os.WNOHANG):
            if time.monotonic() > deadline:
                return False
            self.kill(signal.SIGKILL)
            time.sleep(0.005)
        self._finish()
        return True
