"""Who the OOM killer took: by evidence, best first. Pure.

The kernel log's record names a victim for certain. Without one, a process that ended by signal 9
while its cgroup's counter rose was it, if no more did so than were counted and if it was the one
that the kernel would have taken. Else it is inferred from who vanished, and says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from memtui.model.snapshot import Identity, Proc
from memtui.model.victims import LOG, NONE, STATUS, VANISHED, Departed, OomEvent, Victim, victim_of
from memtui.text import decode, safe

_OTHERS = 8  # listed at most
_ORDER = (LOG, STATUS, VANISHED, NONE)
_CLOSE = 0.8  # a victim's badness, of the survivors': samples are older than the kill


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


def same_group(path: str | None, logged: str | None) -> bool:
    """Whether a visible cgroup and one of the log's can be the same.

    In a cgroup namespace ours is the end of the log's. Where one is unknown they can be.
    """
    if path is None or logged is None or path == "/":
        return True
    return logged == path or logged.endswith(path)


def killed_by_9(status: int | None) -> bool:
    """Whether a wait status tells of SIGKILL."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _fits(proc: Proc, kill: Logged) -> tuple[int, int] | None:
    """How badly a process fits a record, for sorting; None: it is another."""
    if proc.comm != kill.comm or not same_group(proc.cgroup, kill.task_memcg):
        return None
    return int(proc.pid != kill.pid), abs(proc.rss - (kill.rss or 0))


def find_logged(
    kill: Logged, departed: Iterable[Departed], alive: Iterable[Proc], taken: set[Identity]
) -> Departed | None:
    """Return the process that a record of the log means, as last seen; None: it was not seen.

    By PID where the log's PIDs are ours, else by name, size and group: whoever has ended first.
    """
    seen = [(0, d) for d in departed]
    seen += [(1, Departed(p, kill.time, kill.time)) for p in alive]
    ranked = []
    for living, gone in seen:
        fit = None if gone.proc[:2] in taken else _fits(gone.proc, kill)
        if fit is not None and (not living or fit[0] == 0):
            ranked.append((fit[0], living, fit[1], gone.proc.pid, gone))
    return min(ranked, key=lambda r: r[:4])[4] if ranked else None


def _from_log(kill: Logged, gone: Departed | None) -> Victim:
    if gone is not None:
        rss = gone.proc.rss if kill.rss is None else kill.rss
        return victim_of(gone, LOG)._replace(rss=rss, adj=kill.adj)
    name = safe(decode(kill.comm))
    user = "?" if kill.uid is None else str(kill.uid)
    return Victim(kill.pid, None, name, name, user, kill.rss, None, LOG, None, kill.adj,
                  kill.task_memcg)  # fmt: skip


def _by_status(
    event: OomEvent, left: int, found: Sequence[Departed], heaviest: int
) -> list[Victim]:
    """Victims without a record: the surest first."""
    possible = [d for d in found if d.status is None or killed_by_9(d.status)]
    nine = [d for d in possible if killed_by_9(d.status)]
    rest = [d for d in possible if d.status is None]
    if event.group_kill:
        return [victim_of(d, STATUS) for d in nine] + [victim_of(d, VANISHED) for d in rest]
    sure = [d for d in nine if len(nine) <= left and d.weight >= heaviest * _CLOSE]
    named = [victim_of(d, STATUS) for d in sure]
    named += [victim_of(d, VANISHED) for d in [*nine, *rest] if d not in sure]
    return named[:left]


def attribute(
    event: OomEvent,
    found: Sequence[Departed],
    logged: Sequence[tuple[Logged, Departed | None]] = (),
    heaviest: int = 0,
) -> OomEvent:
    """Return the event with its victims, `count` at most unless the whole group was killed.

    `found`: who vanished there, the likeliest first (`victims.candidates`). `logged`: the log's
    records of this event, each with the process that it means. `heaviest`: the highest badness
    in bytes among those of the group who live.
    """
    certain = [_from_log(kill, gone) for kill, gone in logged]
    known = {(v.pid, v.start) for v in certain}
    free = [d for d in found if d.proc[:2] not in known]
    group_kill = event.group_kill or any(kill.group_kill for kill, _ in logged)
    event = event._replace(group_kill=group_kill)
    if certain and group_kill:
        inferred: list[Victim] = []  # the log has them all
        event = event._replace(count=len(certain))
    else:
        inferred = _by_status(event, event.count - len(certain), free, heaviest)
    victims = (*certain, *inferred)
    named = {(v.pid, v.start) for v in victims}
    others = [d for d in free if d.proc[:2] not in named][:_OTHERS]
    return _explained(event, logged)._replace(
        victims=victims,
        others=tuple(victim_of(d, VANISHED) for d in others),
        evidence=max((v.evidence for v in victims), key=_ORDER.index, default=NONE),
    )


def _explained(event: OomEvent, logged: Sequence[tuple[Logged, Departed | None]]) -> OomEvent:
    """Add whose limit it was, and the log's own text."""
    if not logged:
        return event
    kill = logged[0][0]
    event = event._replace(record="\n".join(dict.fromkeys(k.record for k, _ in logged)))
    if kill.machine:
        return event._replace(cause="host", limit_cgroup=None, limit_bytes=None)
    if kill.oom_memcg is not None and event.limit_cgroup is None:
        return event._replace(cause="limit", limit_cgroup=kill.oom_memcg)
    return event


def claim(
    event: OomEvent, pool: Sequence[Logged], counted: Mapping[str, object], window_s: float
) -> list[Logged]:
    """Return the log's records that tell of this event, oldest first, `count` at most.

    `counted` are groups whose own counter is known: a kill in one of them is no event's
    whose group is not known.
    """
    near = [k for k in pool if abs(k.time - event.time) <= window_s]
    if event.cgroup is None:
        mine = [k for k in near if k.task_memcg is None or k.task_memcg not in counted]
    else:
        mine = [k for k in near if same_group(event.cgroup, k.task_memcg)]
        exact = [k for k in mine if k.task_memcg == event.cgroup]
        mine = exact or mine
    if any(k.group_kill for k in mine):
        return mine
    return mine[: event.count]


def name_earlier(event: OomEvent, history: Sequence[Logged]) -> OomEvent:
    """Return an event of before the start with its victims, as far as the log still has them.

    `history`: the log's kills, oldest first.
    """
    since = event.last_looked or 0.0
    mine = [k for k in history if k.task_memcg == event.cgroup and k.time > since]
    if not mine:
        return event
    records = [(kill, None) for kill in mine[-event.count :]]
    victims = tuple(_from_log(kill, None) for kill, _ in records)
    return _explained(event, records)._replace(victims=victims, evidence=LOG)
