"""What the kernel tells of OOMs between two samples: which groups, and that it was just now."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable

from memtui.kernel.errors import KernelError
from memtui.kernel.oomnotify import (
    OOM,
    Notice,
    open_oom_notice,
    open_usage_notice,
    take_notice,
)
from memtui.services.waker import Waker

MOST = 64  # groups watched: a descriptor each
_SHARES = (0.6, 0.8, 0.95)  # of a v1 limit: passing them is a reason to look


class OomSignals:
    """Watches groups; calls `told` with a group's path when the kernel tells of one.

    v2 tells of reclaim at the limit, too, which comes before a kill, and v1 of its usage passing
    shares of the limit: a look then sees processes that a sample each second would miss.
    """

    def __init__(self, waker: Waker, told: Callable[[str, str], None]) -> None:
        """`told` gets the group's path and OOM or USAGE."""
        self._waker = waker
        self._told = told
        self._notices: dict[str, Notice] = {}  # by directory
        self._thresholds: dict[str, tuple[int, list[Notice]]] = {}  # limit, notices; by directory
        self.refused: KernelError | None = None
        self.fired: dict[str, float] = {}  # group: monotonic time of its last OOM

    def watch(self, version: int, groups: Iterable[tuple[str, str]]) -> None:
        """Watch these groups, (path, directory) each, and none other; at most `MOST` of them."""
        wanted = dict(list({d: p for p, d in groups}.items())[:MOST])
        for directory in self._notices.keys() - wanted.keys():
            self._end(self._notices.pop(directory))
        for directory in wanted.keys() - self._notices.keys():
            try:
                notice = open_oom_notice(version, wanted[directory], directory)
            except KernelError as e:  # v2's real root has no such file
                self.refused = e
                continue
            self._notices[directory] = notice
            self._begin(notice, directory)

    def watch_usage(self, limited: Iterable[tuple[str, str, int]]) -> None:
        """Look when usage passes shares of the limit: (path, directory, bytes) of v1 groups."""
        wanted = {d: (p, limit) for p, d, limit in limited}
        for directory, (limit, notices) in list(self._thresholds.items()):
            if wanted.get(directory, ("", -1))[1] != limit:
                del self._thresholds[directory]
                for notice in notices:
                    self._end(notice)
        for directory in wanted.keys() - self._thresholds.keys():
            path, limit = wanted[directory]
            notices = []
            with contextlib.suppress(KernelError):
                for share in _SHARES:
                    notices.append(open_usage_notice(path, directory, int(limit * share)))
            self._thresholds[directory] = limit, notices
            for notice in notices:
                self._begin(notice, directory)

    def close(self) -> None:
        """Watch nothing any more."""
        self.watch(0, ())
        self.watch_usage(())

    def _begin(self, notice: Notice, directory: str) -> None:
        self._waker.watch(notice.fd, notice.events, lambda _: self._heard(notice, directory))

    def _heard(self, notice: Notice, directory: str) -> None:
        there = take_notice(notice)
        if notice.what == OOM:
            self.fired[notice.cgroup] = time.monotonic()
        if not there:
            self._drop(notice, directory)
        self._told(notice.cgroup, notice.what)

    def _drop(self, notice: Notice, directory: str) -> None:
        if self._notices.get(directory) is notice:
            self._end(self._notices.pop(directory))
            return
        _, notices = self._thresholds.get(directory, (0, []))
        if notice in notices:
            notices.remove(notice)
            self._end(notice)

    def _end(self, notice: Notice) -> None:
        self._waker.forget(notice.fd)
        os.close(notice.fd)
