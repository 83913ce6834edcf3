"""Running a command in the foreground under a limit: it has the terminal, we only stand by.

The command stays in our process group, so that it may use the terminal, and pipelines and job
control work. What the terminal sends to the group (Ctrl-C, Ctrl-Z, hang-up, a new size)
therefore reaches it without us; what somebody sends to us alone is handed on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from resource import struct_rusage
from typing import NamedTuple

from memtui.model.limits import KERNEL_GROUPS, Limits
from memtui.model.memseries import Account, Points
from memtui.model.runlimit import Ending, Result, derive_verdict
from memtui.services.launch import Started, launch
from memtui.services.limits import Chosen, Limiter, choose
from memtui.services.samples import Samples

_RELAYED = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
    signal.SIGCONT,
    signal.SIGTSTP,
}
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_FLOOR_SLACK = 1 << 20  # what our fork may grow between the look at it and its exec


class Run(NamedTuple):
    """A run in the foreground that is over."""

    result: Result
    limit: str  # what was in force, in words
    rusage: struct_rusage  # of the command and the children that it waited for
    max_rss: int | None  # bytes, largest process; None: too small to be told from our own fork
    max_rss_exact: bool  # else it was sampled: a lower bound
    floor: int  # bytes: size of our fork, where ru_maxrss begins
    account: Account
    points: Points


@contextlib.contextmanager
def _blocked() -> Iterator[set[signal.Signals]]:
    """Hold back the signals that we wait for, so that none ends us before the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by a parent, it would eat the status
    ours = _RELAYED | {signal.SIGCHLD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        yield {signal.Signals(s) for s in mask}
    finally:
        while signal.sigtimedwait(ours, 0):  # came too late for the command
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _holds_terminal() -> bool:
    for fd in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(fd) == os.getpgrp()
    return False


class _Supervisor:
    """Waits for the command, hands signals on, stops and goes on with it."""

    def __init__(self, pid: int, limiter: Limiter, samples: Samples, sample: bool) -> None:
        self._pid = pid
        self._limiter = limiter
        self._samples = samples
        self._sample = sample
        self.ended: tuple[int, struct_rusage] | None = None

    def wait(self) -> tuple[int, struct_rusage]:
        """Return (exit code, negative for a signal; rusage) once the command has ended."""
        ours = _RELAYED | {signal.SIGCHLD}
        while self.ended is None:
            got = self._next(ours)
            if got is None:
                self._samples.look()
            elif got.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                self._relay(got)
        return self.ended

    def _next(self, ours: set[signal.Signals]) -> signal.struct_siginfo | None:
        if self._sample:
            return signal.sigtimedwait(ours, self._samples.pause_s)
        return signal.sigwaitinfo(ours)

    def _reap(self) -> None:
        """Take every change of state: several SIGCHLD may have come as one."""
        while self.ended is None:
            pid, status, rusage = os.wait4(self._pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                self._follow_stop(os.WSTOPSIG(status))
            else:
                self.ended = os.waitstatus_to_exitcode(status), rusage

    def _follow_stop(self, sig: int) -> None:
        """Stop with the command, so that the shell sees its job stopped; go on with it, too."""
        if sig in _STOPS or _holds_terminal():
            os.kill(os.getpid(), signal.SIGSTOP)
            self._send(signal.SIGCONT)

    def _relay(self, info: signal.struct_siginfo) -> None:
        """Hand on what a process sent to us; the kernel (si_code > 0) sent it to the group."""
        if info.si_code <= 0 and info.si_pid not in self._limiter.members(self._pid, False):
            self._send(info.si_signo)

    def _send(self, sig: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._pid, sig)


def _max_rss(started: Started, rusage: struct_rusage, seen: Samples) -> tuple[int | None, bool]:
    """Return the largest RSS and whether it is exact: ru_maxrss begins at our fork's size."""
    most = rusage.ru_maxrss * 1024
    if most > started.floor + _FLOOR_SLACK:
        seen.add_exact(most)
        return most, True
    return seen.peaks.hwm or None, False


def _judge(limiter: Limiter, limit: int, code: int, seen: Samples) -> Ending:
    known = limiter.evidence(seen.peaks)
    status, sig = (code, None) if code >= 0 else (None, -code)
    return Ending(limiter.method, limit, status, sig, *known)


def _supervise(chosen: Chosen, started: Started, limit: int, watch: bool) -> Run:
    limiter = chosen.limiter
    seen = Samples(limiter, started.pid, limit, begun=started.begun)
    sample = watch or limiter.method not in KERNEL_GROUPS
    code, rusage = _Supervisor(started.pid, limiter, seen, sample).wait()
    seconds = time.monotonic() - started.begun
    left = limiter.finish(started.pid, False)
    seen.last_look()
    rss, exact = _max_rss(started, rusage, seen)
    end = _judge(limiter, limit, code, seen)
    peak, verdict = limiter.peak(seen.peaks), derive_verdict(end)
    result = Result(end.status, end.signal, verdict, peak, limiter.peak_of, seconds, left)
    told = chosen.words(), rusage, rss, exact, started.floor
    return Run(result, *told, seen.account(), seen.points)


def run(
    argv: list[str], limits: Limits, method: str, announce: Callable[[str], None], watch: bool
) -> Run:
    """Run `argv` to its end under `limits`, in a process without threads.

    `announce` gets one line on what is in force, before the command runs. `watch` samples the
    command's size, for the report. Raises NotStarted, Unavailable; leaves no cgroup behind.
    """
    with _blocked() as mask:
        chosen = choose(method, limits)
        try:
            started = launch(chosen.limiter, argv, mask, lambda: announce(chosen.describe()))
            return _supervise(chosen, started, limits.limit, watch)
        finally:
            chosen.limiter.close()
