"""Running a command again and again, to find the smallest limit under which it succeeds."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memtui.model.limits import DATA, WATCH, Limits
from memtui.model.limitsearch import Search
from memtui.services.limits import Unavailable, order, read_room
from memtui.services.run import Run, Watch, run

MOST_RUNS = 20
_FACTOR, _MORE_S = 3.0, 10.0  # how much longer than without a limit a run may take
_SLACK = 0.9  # of what is free: others may need some of it meanwhile


class Trial(NamedTuple):
    """One run of the command."""

    limit: int  # bytes
    enough: bool
    seconds: float
    text: str  # how it ended


class Found(NamedTuple):
    """What the runs have shown. Sizes are bytes."""

    trials: tuple[Trial, ...]  # the first is the one without a limit of its own
    limit: int | None  # the smallest that was enough; None: not even the first run succeeded
    too_little: int | None  # the largest that was not, where one was tried
    peak: int | None  # of the first run
    seconds: float | None  # the quickest run under `limit`
    first: Run

    @property
    def slowdown(self) -> float | None:
        """How many times as long it takes under the limit, by one run each."""
        alone = self.trials[0].seconds
        return None if self.seconds is None or not alone else self.seconds / alone


class Stopped(Exception):
    """A person or a signal ended the search; `status` is that of the run it ended."""

    def __init__(self, status: int) -> None:
        super().__init__("interrupted")
        self.status = status


def upper_limit() -> int | None:
    """Return what the first run may have: most of what is free now; None where not known."""
    free = read_room().free
    return None if free is None else int(free * _SLACK)


@contextlib.contextmanager
def muted(shown: bool) -> Iterator[None]:
    """Give the command no input, and no output unless `shown`: it runs many times."""
    fds = (0,) if shown else (0, 1, 2)
    kept = [(fd, _copy(fd)) for fd in fds]
    opened = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        for fd in fds:
            os.dup2(opened, fd)
            os.set_inheritable(fd, True)  # also where it was closed, and is `opened` itself
        yield
    finally:
        if opened not in fds:
            os.close(opened)
        for fd, copy in kept:
            if copy is None:
                os.close(fd)
            else:
                os.dup2(copy, fd)
                os.close(copy)


def _copy(fd: int) -> int | None:
    """Return a copy of a descriptor that is none of the first three; None where it is closed."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return None


class Finder:
    """Searches for one command. `tell` gets each trial as it is over."""

    def __init__(
        self,
        argv: list[str],
        limits: Limits,
        method: str,
        shown: bool,
        tell: Callable[[Trial], None],
    ) -> None:
        """`limits` is the first run's; its time limit, if it has one, is every run's."""
        self._argv, self._limits, self._shown, self._tell = argv, limits, shown, tell
        # a watchdog looks now and then: what it lets pass is no limit that is enough
        every = [*(m for m in order() if m != WATCH), DATA]
        self._methods = every if method == "auto" else [method]
        self._trials: list[Trial] = []

    def find(self) -> Found:
        """Run it until the limit is found, at most MOST_RUNS times.

        Raises NotStarted, Unavailable, Stopped.
        """
        first = self._first()
        if not self._trials[0].enough:
            return self._found(first, None, None)
        if self._limits.time_s is None:
            patience = _FACTOR * first.result.seconds + _MORE_S
            self._limits = self._limits._replace(time_s=patience)
        search = Search(self._limits.limit, first.result.peak)
        while len(self._trials) < MOST_RUNS:
            limit = search.next()
            if limit is None:
                if search.high == self._limits.limit or self._is_sure(search.high):
                    break
                limit = search.high  # once more: it may have been luck
            search.take(limit, self._try(limit))
        return self._found(first, search.high, search.low or None)

    def _is_sure(self, limit: int) -> bool:
        return sum(t.limit == limit and t.enough for t in self._trials) > 1

    def _found(self, first: Run, limit: int | None, low: int | None) -> Found:
        times = [t.seconds for t in self._trials if t.limit == limit and t.enough]
        seconds = min(times, default=None)
        return Found(tuple(self._trials), limit, low, first.result.peak, seconds, first)

    def _first(self) -> Run:
        """Run it with all that there is, by the first method that can be had."""
        for method in self._methods:
            self._method = method
            try:
                return self._run(self._limits.limit)
            except Unavailable:
                if method == self._methods[-1]:
                    raise
        raise AssertionError("unreachable")

    def _try(self, limit: int) -> bool:
        self._run(limit)
        return self._trials[-1].enough

    def _run(self, limit: int) -> Run:
        limits = self._limits._replace(limit=limit)
        with muted(self._shown):
            done = run(self._argv, limits, self._method, lambda _: None, Watch())
        result, clues = done.result, done.ending.clues
        if clues.interrupted or clues.sender:
            raise Stopped(result.exit_status or 130)
        enough = result.verdict.kind == "ok"
        self._trials.append(Trial(limit, enough, result.seconds, result.verdict.text))
        self._tell(self._trials[-1])
        return done
