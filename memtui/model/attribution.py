"""Who the OOM killer took: by evidence, best first. Pure.

The kernel log's record names a victim for certain. Without one, a process that ended by signal 9
while its cgroup's counter rose was it, if no more did so than were counted and if it was the one
that the kernel would have taken. Else it is inferred from who vanished, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from memtui.model.logmatch import Logged, Match
from memtui.model.victims import (
    LOG,
    NONE,
    STATUS,
    VANISHED,
    Departed,
    OomEvent,
    Victim,
    killed_by_9,
    victim_of,
)
from memtui.text import decode, safe

_OTHERS = 8  # listed at most
_ORDER = (LOG, STATUS, VANISHED, NONE)
_CLOSE = 0.8  # a victim's badness, of the survivors': samples are older than the kill


def _from_log(match: Match) -> Victim:
    kill, gone, sure = match
    name = safe(decode(kill.comm))
    if gone is None:
        user = "?" if kill.uid is None else f"uid {kill.uid}"
        return Victim(kill.pid, None, name, name, user, kill.rss, None, LOG, None, kill.adj,
                      kill.task_memcg)  # fmt: skip
    victim = victim_of(gone, LOG if sure else VANISHED)
    if gone.proc.comm != kill.comm:  # seen before it became another program
        victim = victim._replace(name=name, command=name)
    rss = victim.rss if kill.rss is None else kill.rss
    return victim._replace(rss=rss, adj=kill.adj)


def _by_status(
    event: OomEvent, left: int, found: Sequence[Departed], heaviest: int
) -> list[Victim]:
    """Victims without a record: the surest first."""
    possible = [d for d in found if d.status is None or killed_by_9(d.status)]
    nine = [d for d in possible if killed_by_9(d.status)]
    rest = [d for d in possible if d.status is None]
    # how they ended may be told later; a person may have killed the others
    heaviest = max([heaviest, *(d.weight for d in rest)])
    if event.group_kill:
        return [victim_of(d, STATUS) for d in nine] + [victim_of(d, VANISHED) for d in rest]
    sure = [d for d in nine if len(nine) <= left and d.weight >= heaviest * _CLOSE]
    named = [victim_of(d, STATUS) for d in sure]
    named += [victim_of(d, VANISHED) for d in [*nine, *rest] if d not in sure]
    return named[:left]


def attribute(
    event: OomEvent,
    found: Sequence[Departed],
    logged: Sequence[Match] = (),
    heaviest: int = 0,
) -> OomEvent:
    """Return the event with its victims, `count` at most unless the whole group was killed.

    `found`: who vanished there, the likeliest first (`victims.candidates`). `logged`: the log's
    records of this event, each with the process that it means. `heaviest`: the highest badness
    in bytes among those of the group who live.
    """
    certain = [_from_log(match) for match in logged]
    known = {(v.pid, v.start) for v in certain}
    free = [d for d in found if d.proc[:2] not in known]
    group_kill = event.group_kill or any(m.kill.group_kill for m in logged)
    event = event._replace(group_kill=group_kill)
    if certain and group_kill:
        inferred: list[Victim] = []  # the log has them all
        event = event._replace(count=len(certain))
    else:
        inferred = _by_status(event, event.count - len(certain), free, heaviest)
    victims = (*certain, *inferred)
    if group_kill and len(victims) >= max(1, event.count - 1):
        event = event._replace(count=len(victims))  # the kernel counts the first one twice
    named = {(v.pid, v.start) for v in victims}
    others = [d for d in free if d.proc[:2] not in named][:_OTHERS]
    return _explained(event, logged)._replace(
        victims=victims,
        others=tuple(victim_of(d, VANISHED) for d in others),
        evidence=max((v.evidence for v in victims), key=_ORDER.index, default=NONE),
    )


def _explained(event: OomEvent, logged: Sequence[Match]) -> OomEvent:
    """Add whose limit it was, and the log's own text."""
    if not logged:
        return event
    kill = logged[0].kill
    event = event._replace(record="\n".join(dict.fromkeys(m.kill.record for m in logged)))
    if kill.machine:
        return event._replace(cause="host", limit_cgroup=None, limit_bytes=None)
    if kill.oom_memcg is not None and event.limit_cgroup is None:
        return event._replace(cause="limit", limit_cgroup=kill.oom_memcg)
    return event


_CLOCKS_S = 2.0  # the log's clock and ours differ; of too many the latest are taken


def name_earlier(event: OomEvent, history: Sequence[Logged]) -> OomEvent:
    """Return an event of before the start with its victims, as far as the log still has them.

    `history`: the log's kills, oldest first.
    """
    since = (event.last_looked or 0.0) - _CLOCKS_S
    mine = [k for k in history if k.task_memcg == event.cgroup and k.time > since]
    if not mine:
        return event
    records = [Match(kill) for kill in mine[-event.count :]]
    victims = tuple(_from_log(match) for match in records)
    return _explained(event, records)._replace(victims=victims, evidence=LOG)
