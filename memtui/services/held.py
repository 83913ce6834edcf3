"""Pidfds held on the biggest processes: their end is known at once, and often how it came.

The end is told when the process is a zombie; the wait status after its parent has reaped it
(Linux 6.15, `pidfd.exit_status`), before that as a zombie's where we may read it.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterable

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.pidfd import exit_status, open_pidfd
from memtui.kernel.roots import Roots
from memtui.model.snapshot import Identity, Proc
from memtui.services.departures import Exit
from memtui.services.waker import Waker

_ADDED_S = 10.0
_REAPED_S = 10.0  # how long the parent may take until we no longer wait for the status


class Held:
    """Holds a pidfd of each process that `hold` names; `exits` says who ended, and how."""

    def __init__(
        self,
        roots: Roots,
        waker: Waker,
        ended: Callable[[Exit], None],
        kills: Callable[[], int | None],
    ) -> None:
        """Call `ended` whenever something was learnt; `kills` counts the machine's OOM kills."""
        self._roots = roots
        self._waker = waker
        self._ended = ended
        self._kills = kills
        self._fds: dict[Identity, int] = {}
        self._added: dict[Identity, float] = {}  # monotonic seconds
        self.exits: dict[Identity, Exit] = {}

    def hold(self, procs: Iterable[Proc]) -> None:
        """Hold these processes; let go of others that live, unless they were added just now."""
        oldest = time.monotonic() - _ADDED_S
        self._added = {i: t for i, t in self._added.items() if t >= oldest}
        wanted = {*(p[:2] for p in procs), *self._added}
        for identity in [i for i in self._fds if i not in wanted and i not in self.exits]:
            self._release(identity)
        for identity in wanted - self._fds.keys() - self.exits.keys():
            self._open(identity)

    def add(self, procs: Iterable[Proc]) -> None:
        """Hold these processes for some seconds, too."""
        for proc in procs:
            self._added[proc[:2]] = time.monotonic()
            if proc[:2] not in self._fds and proc[:2] not in self.exits:
                self._open(proc[:2])

    def forget_old(self, now: float) -> None:
        """Forget ends of some time ago; `now` is in seconds since the epoch."""
        for identity, told in list(self.exits.items()):
            if not 0 <= now - told.time < _REAPED_S:
                self._release(identity)
                del self.exits[identity]

    def close(self) -> None:
        """Let go of all."""
        for identity in list(self._fds):
            self._release(identity)

    def _open(self, identity: Identity) -> None:
        pid, start = identity
        fd = None
        with contextlib.suppress(KernelError, OSError):
            fd = open_pidfd(pid)
            if fd is not None and procfs.read_stat(self._roots, pid).start == start:
                self._fds[identity] = fd
                self._waker.watch(fd, select.POLLIN, lambda events: self._heard(identity, events))
                return
        if fd is not None:
            os.close(fd)

    def _heard(self, identity: Identity, events: int) -> None:
        """A zombie: wait for its reaping (POLLHUP, which is told without being asked for)."""
        fd = self._fds[identity]
        known = self.exits.get(identity)
        status = known.status if known else None
        if status is None:
            status = exit_status(fd)
        if status is None and not events & select.POLLHUP:
            status = procfs.read_exit_status(self._roots, identity[0])
        if known is None:
            known = Exit(time.time(), None, self._kills())
        self.exits[identity] = known._replace(status=status)
        if status is not None or events & (select.POLLHUP | select.POLLERR):
            self._release(identity)
        else:
            self._waker.watch(fd, 0, lambda events: self._heard(identity, events))
        self._ended(self.exits[identity])

    def _release(self, identity: Identity) -> None:
        fd = self._fds.pop(identity, None)
        if fd is not None:
            self._waker.forget(fd)
            os.close(fd)
