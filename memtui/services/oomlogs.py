"""The kernel log's records of the last seconds, for whoever names victims.

/dev/kmsg is followed where it may be read. Else the journal is asked when there is something to
ask: a journalctl that follows it all the time would live on the quota that memtui watches.
"""

from __future__ import annotations

import select
import shutil
import time as clock
from collections.abc import Callable, Sequence

from memtui.kernel.errors import KernelError
from memtui.kernel.oomlog import LogKill
from memtui.kernel.otherkill import OtherKill
from memtui.model.logmatch import Logged
from memtui.services.kernellog import KernelLog, NoLog, ask_journal, follow_kmsg, read_kmsg
from memtui.services.sigkills import OtherKiller
from memtui.services.waker import Waker
from memtui.text import decode, safe

_KEPT_S = 15.0
_ASK_S = 2.0  # between two questions to the journal
_BEFORE_S = 5.0  # the journal is asked for records from that long before a kill
_MOST = 256


def logged(kill: LogKill, now: float) -> Logged:
    """Return a kill of the log as the attribution takes it; `now` where the log has no time."""
    sizes = [n for n in (kill.anon_rss, kill.file_rss, kill.shmem_rss) if n is not None]
    return Logged(
        time=now if kill.time is None else kill.time,
        pid=kill.pid,
        comm=kill.comm,
        uid=kill.uid,
        rss=sum(sizes) if sizes else None,
        adj=kill.oom_score_adj,
        task_memcg=None if kill.task_memcg is None else decode(kill.task_memcg),
        oom_memcg=None if kill.oom_memcg is None else decode(kill.oom_memcg),
        machine=None if kill.scope is None else kill.scope == "global",
        group_kill=kill.group_kill,
        record="\n".join(safe(decode(line)) for line in kill.record),
    )


def _killer(told: OtherKill, now: float) -> OtherKiller:
    cgroup = None if told.cgroup is None else decode(told.cgroup)
    time = now if told.time is None else told.time
    return OtherKiller(time, told.who, told.pid, told.comm, cgroup)


def history() -> list[Logged]:
    """Return the kills that the kernel log still has, oldest first; reading it takes some 10 ms."""
    return [logged(kill, 0.0) for kill in read_kmsg() if isinstance(kill, LogKill)]


class OomLogs:
    """Calls `heard` when there is a new record of a kill."""

    def __init__(self, waker: Waker, heard: Callable[[], None]) -> None:
        self._waker = waker
        self._heard = heard
        self._followed: KernelLog | None = None
        self._asked: KernelLog | None = None
        self._why: NoLog | None = None  # it cannot be followed
        self._answered = shutil.which("journalctl") is not None
        self._last_asked = 0.0
        self._kills: dict[tuple[str, int], Logged] = {}
        self._killers: list[OtherKiller] = []

    @property
    def words(self) -> str:
        """What is read of the kernel log, to follow `Watching ...`; "" before it was tried."""
        if self._followed is not None:
            return self._followed.name
        if self._why is None:
            return ""
        asked = "the journal after a kill" if self._answered else "no kernel log"
        return f"{asked} ({self._why.why})"

    @property
    def immediate(self) -> bool:
        """Whether records come at once, of kills anywhere on the machine."""
        return self._followed is not None

    def open(self) -> None:
        """Begin to follow the kernel log, where that is allowed."""
        log = follow_kmsg()
        if isinstance(log, NoLog):
            self._why = log
            return
        self._followed = log
        self._waker.watch(log.fileno(), select.POLLIN, lambda _: self._read(log))

    def ask(self, since: float) -> bool:
        """Ask the journal for records of kills since then (seconds since the epoch).

        False where there is nobody to ask, or it was asked just now.
        """
        now = clock.monotonic()
        if self.immediate or self._asked or not self._answered or now < self._last_asked + _ASK_S:
            return False
        self._last_asked = now
        log = ask_journal(since - _BEFORE_S)
        self._asked, self._answered = log, log is not None
        if log is not None:
            self._waker.watch(log.fileno(), select.POLLIN, lambda _: self._read(log))
        return log is not None

    def recent(self, now: float) -> Sequence[Logged]:
        """Return the kills of the last seconds, oldest first; `now` in seconds since the epoch."""
        old = [key for key, kill in self._kills.items() if kill.time < now - _KEPT_S]
        for key in old:
            del self._kills[key]
        return list(self._kills.values())

    def killers(self, now: float) -> Sequence[OtherKiller]:
        """Return what programs said in the last seconds that kill for memory's sake."""
        self._killers = [k for k in self._killers if k.time >= now - _KEPT_S]
        return self._killers

    def close(self) -> None:
        """Follow no longer."""
        for log in (self._followed, self._asked):
            if log is not None:
                self._end(log)

    def _read(self, log: KernelLog) -> None:
        try:
            told = log.read()
        except KernelError:
            self._end(log)
            return
        now = clock.time()
        for kill in told:
            if isinstance(kill, LogKill):
                self._take(log, kill, now)
            elif not kill.by_kernel:
                self._killers.append(_killer(kill, now))
        if log.ended:
            self._end(log)
        if told:
            self._heard()

    def _take(self, log: KernelLog, kill: LogKill, now: float) -> None:
        """Keep a kill; one told again is better known, one of another's answer is the same."""
        new = logged(kill, now)
        for key, old in self._kills.items():
            if old.pid == new.pid and old.comm == new.comm and abs(old.time - new.time) < 1.0:
                self._kills[key] = new
                return
        self._kills[log.name, kill.id] = new
        for key in list(self._kills)[:-_MOST]:
            del self._kills[key]

    def _end(self, log: KernelLog) -> None:
        self._waker.forget(log.fileno())
        log.close()
        if log is self._followed:
            self._followed = None
        if log is self._asked:
            self._asked = None
