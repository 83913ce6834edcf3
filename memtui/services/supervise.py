"""Standing by a command in the foreground: signals, job control, its end.

The command stays in our process group, so that it may use the terminal, and pipelines and job
control work. What the terminal sends to the group (Ctrl-C, Ctrl-Z, hang-up, a new size)
therefore reaches it without us; what somebody sends to us alone is handed on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from resource import struct_rusage
from typing import TYPE_CHECKING, NamedTuple

from memtui.services.cause import name_sender
from memtui.services.limiter import Limiter
from memtui.services.samples import Samples
from memtui.services.warden import Warden

if TYPE_CHECKING:
    from memtui.services.progress import Progress

_OURS = {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGTTIN", "SIGTTOU"}
_FAULTS = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGPIPE", "SIGXFSZ"}  # our own doing
_RELAYED = {
    s
    for s in signal.valid_signals()
    if not isinstance(s, signal.Signals) or s.name not in _OURS | _FAULTS
}
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_LONGEST_S = 86400.0  # to wait at once: the kernel's clock takes no thousand years
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


@contextlib.contextmanager
def blocked() -> Iterator[set[int]]:
    """Hold back the signals that we wait for, so that none ends us before the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by a parent, it would eat the status
    ours = _RELAYED | {signal.SIGCHLD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        yield {int(s) for s in mask}
    finally:
        while signal.sigtimedwait(ours, 0):  # came too late for the command
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _holds_terminal() -> bool:
    for fd in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(fd) == os.getpgrp()
    return False


class End(NamedTuple):
    """How the command ended."""

    code: int  # exit status, negative for a signal
    rusage: struct_rusage
    ended_for: str  # "limit" or "time": what we ended it for
    interrupted: bool  # the terminal sent SIGINT
    sender: str  # who had us hand on a signal that ends; "" for nobody


class Supervisor:
    """Waits for the command, hands signals on, stops and goes on with it."""

    def __init__(
        self,
        limiter: Limiter,
        warden: Warden,
        samples: Samples | None,
        pid: int,
        progress: Progress | None = None,
    ) -> None:
        self._limiter = limiter
        self._progress = progress
        self._warden = warden
        self._samples = samples
        self._sampled = 0.0  # when next, in monotonic seconds
        self._pid = pid
        self._ended: tuple[int, struct_rusage] | None = None
        self._interrupted, self._sender = False, ""

    def wait(self) -> End:
        """Return how it ended, once it has."""
        ours = _RELAYED | {signal.SIGCHLD}
        while self._ended is None:
            pause = self._look()
            got = signal.sigwaitinfo(ours) if pause is None else signal.sigtimedwait(ours, pause)
            if got is None:
                continue
            if got.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                self._answer(got)
        if self._progress is not None:
            self._progress.hide()
        return End(*self._ended, self._warden.ended_for, self._interrupted, self._sender)

    def _look(self) -> float | None:
        """Look at the command as it is time for; return how long nothing is to be looked at."""
        self._warden.look()
        pauses = [self._warden.pause_s]
        if self._samples is not None:
            now = time.monotonic()
            if now >= self._sampled:
                self._samples.look()
                self._sampled = now + self._samples.pause_s
            pauses.append(max(0.0, self._sampled - now))
        if self._progress is not None:
            self._progress.look()
            pauses.append(self._progress.pause_s)
        return min((min(p, _LONGEST_S) for p in pauses if p is not None), default=None)

    def _reap(self) -> None:
        """Take every change of state: several SIGCHLD may have come as one."""
        while self._ended is None:
            pid, status, rusage = os.wait4(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if pid != self._pid:
                continue  # an orphan that became ours
            if os.WIFSTOPPED(status):
                self._follow_stop(os.WSTOPSIG(status))
            else:
                self._ended = os.waitstatus_to_exitcode(status), rusage

    def _follow_stop(self, sig: int) -> None:
        """Stop with the command, so that the shell sees its job stopped; go on with it, too."""
        if self._warden.stopped:
            return  # that was us: somebody is to be told, and to decide
        if sig in _STOPS or _holds_terminal():
            self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.hide()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._warden.go_on()
        self._send(signal.SIGCONT)

    def _answer(self, info: signal.struct_siginfo) -> None:
        """Hand on what a process sent to us; the kernel (si_code > 0) sent it to the group."""
        by_kernel = info.si_code > 0
        self._interrupted |= by_kernel and info.si_signo == signal.SIGINT
        held, stopped = self._warden.held is not None, self._warden.stopped
        if not by_kernel and info.si_pid not in self._limiter.members(self._pid, False):
            if info.si_signo in _ENDING:
                self._sender = name_sender(info.si_pid)
            self._send(info.si_signo)
        if held and info.si_signo in _ENDING | {signal.SIGCONT}:
            self._warden.go_on()  # also to end: who is stopped cannot
        elif stopped and info.si_signo == signal.SIGTSTP:
            self._stop()  # the command itself would forget it when we let it go on

    def _send(self, sig: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._pid, sig)
