"""Running a command in the foreground under a limit: it has the terminal, we only stand by."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from resource import struct_rusage
from typing import TYPE_CHECKING, NamedTuple

from memtui.kernel.errors import KernelError
from memtui.model.limits import AS, KERNEL_GROUPS, Limits, reserving
from memtui.model.memseries import Account, Points
from memtui.model.runlimit import Clues, Ending, Result, advise, derive_verdict
from memtui.services import cause, supervise
from memtui.services.launch import Started, launch
from memtui.services.limits import Chosen, Limiter, choose
from memtui.services.samples import Samples
from memtui.services.warden import Warden
from memtui.text import safe

if TYPE_CHECKING:
    from memtui.services.progress import Progress

_FLOOR_SLACK = 1 << 20  # what our fork may grow between the look at it and its exec


class Watch(NamedTuple):
    """How closely a command is watched."""

    samples: bool = False  # its size over time, for the report
    progress: int = 0  # a live line on stderr: 1 on a terminal only, 2 anywhere


class Run(NamedTuple):
    """A run in the foreground that is over."""

    result: Result
    limit: str  # what was in force, in words
    rusage: struct_rusage  # of the command and the children that it waited for
    max_rss: int | None  # bytes, largest process; None: too small to be told from our own fork
    max_rss_exact: bool  # else it was sampled: a lower bound
    floor: int  # bytes: size of our fork, where ru_maxrss begins
    ending: Ending
    account: Account
    points: Points


def _max_rss(started: Started, rusage: struct_rusage, seen: Samples) -> tuple[int | None, bool]:
    """Return the largest RSS and whether it is exact: ru_maxrss begins at our fork's size."""
    most = rusage.ru_maxrss * 1024
    if most > started.floor + _FLOOR_SLACK:
        seen.add_exact(most)
        return most, True
    return seen.peaks.hwm or None, False


def _judge(limiter: Limiter, limit: int, end: supervise.End, seen: Samples) -> Ending:
    known = limiter.evidence(seen.peaks)
    status, sig = (end.code, None) if end.code >= 0 else (None, -end.code)
    clues = Clues(interrupted=end.interrupted, sender=end.sender, began=seen.start_size)
    return Ending(limiter.method, limit, status, sig, *known, end.ended_for, clues)


def _supervise(
    chosen: Chosen,
    started: Started,
    watch: Watch,
    tell: Callable[[str], None],
    before: cause.Before,
) -> Run:
    limiter, limits = chosen.limiter, chosen.limits
    seen = Samples(limiter, started.pid, limits.limit, begun=started.begun)
    warden = Warden(limiter, limits, started.pid, False, started.begun)
    warden.tell = lambda text: tell(f"{text}{_choice(warden)}")
    progress = _progress(watch.progress, limiter, limits, seen, started.begun)
    sample = watch.samples or progress is not None or limiter.method not in KERNEL_GROUPS
    samples = seen if sample else None
    end = supervise.Supervisor(limiter, warden, samples, started.pid, progress).wait()
    seconds = time.monotonic() - started.begun
    left = limiter.finish(started.pid, False)
    seen.last_look()
    rss, exact = _max_rss(started, end.rusage, seen)
    judged = _judge(limiter, limits.limit, end, seen)
    judged = cause.find(judged, before, limiter.cgroup, started)
    peak, verdict = limiter.peak(seen.peaks), derive_verdict(judged)
    known = verdict, peak, limiter.peak_of, seconds, left, limits.leave
    result = Result(judged.status, judged.signal, *known, advise(judged, verdict, peak))
    told = chosen.words(), end.rusage, rss, exact, started.floor
    return Run(result, *told, judged, seen.account(), seen.points)


def _progress(
    asked: int, limiter: Limiter, limits: Limits, seen: Samples, begun: float
) -> Progress | None:
    if not asked:
        return None
    from memtui.render.progress import State
    from memtui.services.progress import open_progress

    def state() -> State:
        told = time.monotonic() - begun, seen.now, limiter.peak(seen.peaks), limits.limit
        return State(*told, limits.time_s, limiter.per_process)

    return open_progress(2, asked, state)


def _announce(chosen: Chosen, program: str, tell: Callable[[str], None]) -> None:
    tell(chosen.describe())
    if chosen.limiter.method == AS and (name := reserving(program)):
        tell(f"{name} reserves address space at its start and may fail for that; try --method data")


def _choice(warden: Warden) -> str:
    """Say what a person can do about a command that was stopped for them."""
    if warden.held is None:
        return ""
    return f": `kill -CONT {os.getpid()}` lets it go on, Ctrl-C or `kill {os.getpid()}` ends it"


def run(
    argv: list[str], limits: Limits, method: str, announce: Callable[[str], None], watch: Watch
) -> Run:
    """Run `argv` to its end under `limits`, in a process without threads.

    `announce` gets one line on what is in force before the command runs, and one on each thing
    that is done to it meanwhile, or where its cgroup cannot be removed. Raises NotStarted,
    Unavailable.
    """
    with supervise.blocked() as mask:
        chosen = choose(method, limits)
        try:
            chosen.limiter.gather()
            before = cause.note(chosen.limiter.cgroup)
            started = launch(chosen, argv, mask, lambda: _announce(chosen, argv[0], announce))
            return _supervise(chosen, started, watch, announce, before)
        finally:
            _close(chosen.limiter, announce)


def _close(limiter: Limiter, tell: Callable[[str], None]) -> None:
    """Remove what the limit needed: where that cannot be, the run has ended as it has."""
    try:
        limiter.close()
    except KernelError as e:
        tell(safe(f"its cgroup is left behind: {e}"))
