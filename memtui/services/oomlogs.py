"""The kernel log's records of the last seconds, where it can be followed."""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Callable, Sequence

from memtui.kernel.oomlog import LogKill
from memtui.kernel.roots import Roots
from memtui.model.attribution import Logged
from memtui.services.waker import Waker
from memtui.text import decode, safe

_KEPT_S = 15.0
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


class OomLogs:
    """Follows the kernel log; `heard` is called when it has a new record of a kill."""

    def __init__(self, roots: Roots, waker: Waker, heard: Callable[[], None]) -> None:
        self._roots = roots
        self._waker = waker
        self._heard = heard
        self._kills: deque[tuple[float, Logged]] = deque(maxlen=_MOST)  # monotonic arrival
        self.immediate = False  # a record comes at once, for kills anywhere on the machine

    def open(self) -> None:
        """Begin to follow, where that is allowed."""

    def recent(self, now: float) -> Sequence[Logged]:
        """Return the records that came in the last seconds, oldest first."""
        oldest = clock.monotonic() - _KEPT_S
        while self._kills and self._kills[0][0] < oldest:
            self._kills.popleft()
        return [kill for _, kill in self._kills]

    def close(self) -> None:
        """Follow no longer."""
