"""Which record of the kernel log tells of which kill, and which process it means. Pure.

The log's PIDs and cgroups are those of the machine's own namespaces. Seen from there, a PID is
proof. Seen from a container, a process is known by its name, its size and when it ended; where
more than one fits, the best of them is named as `probably`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from memtui.model.snapshot import Identity, Proc
from memtui.model.victims import Departed, OomEvent, killed_by_9

_SLACK_S = 1.0  # the log's clock and ours differ, and a process may end before it is counted out
_GROWN = 0.75  # a victim may have grown since it was seen, but hardly shrunk


class Logged(NamedTuple):
    """One kill as the kernel log has it. PIDs and cgroups are the host's."""

    time: float  # seconds since the epoch
    pid: int
    comm: bytes
    uid: int | None
    rss: int | None  # bytes: anonymous, file and shared memory
    adj: int | None
    task_memcg: str | None  # the victim's group
    oom_memcg: str | None  # whose limit was hit; None: the machine's, or not told
    machine: bool | None  # the machine ran out of memory, not a cgroup; None: not told
    group_kill: bool | None
    record: str  # the log's own lines, safe to display

    @property
    def key(self) -> tuple[int, bytes]:
        """What stays the same when the log tells more of a kill."""
        return self.pid, self.comm


class View(NamedTuple):
    """Whether ours are the log's PIDs and cgroup paths; None: not known."""

    pids: bool | None = None
    paths: bool | None = None


UNKNOWN = View()


class Match(NamedTuple):
    """A record, and the process that it means."""

    kill: Logged
    gone: Departed | None = None  # as last seen; None: it was not seen
    sure: bool = True  # no other process can be meant


def same_group(path: str | None, logged: str | None, view: View = UNKNOWN) -> bool:
    """Whether a visible cgroup and one of the log's can be the same.

    In a cgroup namespace ours is the end of the log's. Where one is unknown they can be.
    """
    if path is None or logged is None or path == logged:
        return True
    if view.paths:
        return False
    return path == "/" or logged.endswith(path)


def find_logged(
    kill: Logged,
    departed: Iterable[Departed],
    alive: Iterable[Proc],
    taken: set[Identity],
    view: View = UNKNOWN,
) -> Match:
    """Return the process that a record of the log means: by PID where the log's PIDs are ours.

    Else, or where that is not known, by name, size and group, among those who ended since.
    """
    free = [d for d in departed if d.proc[:2] not in taken]
    if view.pids is not False:
        living = [Departed(p, kill.time, kill.time) for p in alive if p[:2] not in taken]
        same = [d for d in [*free, *living] if d.proc.pid == kill.pid]
        if view.pids or any(d.proc.comm == kill.comm for d in same):
            return Match(kill, same[0] if same else None)
    fit = [d for d in free if _fits(d, kill, view)]
    if not fit:
        return Match(kill)
    best = min(fit, key=lambda d: (abs(d.proc.rss - (kill.rss or 0)), d.proc.pid))
    return Match(kill, best, len(fit) == 1)


def _fits(gone: Departed, kill: Logged, view: View) -> bool:
    size = kill.rss is None or gone.proc.rss * _GROWN <= kill.rss
    status = gone.status is None or killed_by_9(gone.status)
    when = gone.missed >= kill.time - _SLACK_S
    same = gone.proc.comm == kill.comm and same_group(gone.proc.cgroup, kill.task_memcg, view)
    return size and status and when and same


def claim(
    event: OomEvent,
    pool: Sequence[Logged],
    counted: Mapping[str, object],
    window_s: float,
    view: View = UNKNOWN,
) -> list[Logged]:
    """Return the log's records that tell of this event, oldest first, `count` at most.

    `counted` are groups whose own counter is known: a kill in one of them is no event's
    whose group is not known.
    """
    near = list({k.key: k for k in pool if abs(k.time - event.time) <= window_s}.values())
    if event.cgroup is None:
        mine = [k for k in near if k.task_memcg is None or k.task_memcg not in counted]
    else:
        mine = [k for k in near if same_group(event.cgroup, k.task_memcg, view)]
        exact = [k for k in mine if k.task_memcg == event.cgroup]
        mine = exact or mine
    if any(k.group_kill for k in mine):
        return mine
    return mine[: event.count]


def is_surely_of(event: OomEvent, kill: Logged, view: View) -> bool:
    """Whether a record is of the event's own group, and not of one whose path merely ends so."""
    if event.cgroup is None or view.paths is not False:
        return True
    return kill.task_memcg is not None and kill.task_memcg == event.cgroup
