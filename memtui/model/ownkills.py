"""Kills that memtui saw itself, beside those of the kernel log: each once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memtui.kernel.oomlog import LogKill
from memtui.model.victims import LOG, OomEvent, Victim
from memtui.text import decode, safe, show

_SAME_S = 5.0  # seconds between the log's time of a kill and the tick that found it


class Known(NamedTuple):
    """A kill, on what evidence it is known, and what memtui kept of it."""

    kill: LogKill
    evidence: str = LOG
    event: OomEvent | None = None


def merge(logged: Iterable[LogKill], own: Iterable[OomEvent]) -> list[Known]:
    """Return all kills, each once, oldest first; those of unknown time before all others.

    The same kill is the same PID and name within seconds. The log's facts win; the event that
    memtui kept goes with them. Who was killed by somebody else than the kernel is left out.
    """
    merged = [Known(kill) for kill in logged]
    free = set(range(len(merged)))
    for event in own:
        if event.kind != "oom":
            continue
        for victim in event.victims:
            same = next((i for i in sorted(free) if _same(merged[i].kill, victim, event)), None)
            if same is None:
                merged.append(Known(_as_kill(victim, event), victim.evidence, event))
            else:
                free.remove(same)
                merged[same] = merged[same]._replace(event=event)
    return sorted(merged, key=lambda known: known.kill.time or 0.0)


def _same(kill: LogKill, victim: Victim, event: OomEvent) -> bool:
    if kill.time is None or abs(kill.time - event.time) > _SAME_S:
        return False
    # the log's PID is the host's: where memtui's is another, its record has the log's own words
    pid = kill.pid == victim.pid or f" {kill.pid} (" in event.record
    return pid and show(kill.comm) == victim.name


def _as_kill(victim: Victim, event: OomEvent) -> LogKill:
    """What memtui knows of a kill, as the kernel log would have told it."""
    cgroup = victim.cgroup or event.cgroup
    return LogKill(
        id=event.id,
        pid=victim.pid,
        comm=victim.name.encode("utf-8", "surrogateescape"),
        time=event.time,
        monotonic=None,
        log_time=None,
        uid=None,
        scope={"limit": "memcg", "above": "memcg", "host": "global"}.get(event.cause),
        constraint=None,
        oom_memcg=_raw(event.limit_cgroup),
        task_memcg=_raw(cgroup),
        invoked_by=None,
        total_vm=None,
        anon_rss=None,
        file_rss=None,
        shmem_rss=None,
        pgtables=None,
        oom_score_adj=victim.adj,
        group_kill=event.group_kill,
    )


def _raw(path: str | None) -> bytes | None:
    return None if path is None else path.encode("utf-8", "surrogateescape")


def size_of(known: Known) -> int | None:
    """Return the resident memory that the log tells, else what memtui saw, in bytes."""
    told = known.kill.rss
    if told is not None or known.event is None:
        return told
    seen = (v.rss for v in known.event.victims if v.pid == known.kill.pid)
    return next(seen, None)


def uncounted(own: Sequence[OomEvent]) -> int:
    """Return how many kills memtui counted without a name for them."""
    return sum(e.count - len(e.victims) for e in own if e.kind == "oom" and not e.before_start)


def as_event(known: Known) -> OomEvent:
    """Return what a post-mortem is made of: memtui's own event, else what the log tells."""
    kill = known.kill
    if known.event is not None:
        return known.event
    memory = next((limit for limit in kill.limits if limit.kind == "memory"), None)
    victim = Victim(
        pid=kill.pid,
        start=None,
        name=show(kill.comm),
        command=show(kill.comm),
        user="" if kill.uid is None else str(kill.uid),
        rss=kill.rss,
        last_seen=None,
        evidence=LOG,
        adj=kill.oom_score_adj,
        cgroup=_text(kill.task_memcg),
    )
    return OomEvent(
        id=kill.id,
        time=kill.time or 0.0,
        count=1,
        cgroup=_text(kill.task_memcg),
        scope="cgroup",
        before_start=False,
        victims=(victim,),
        evidence=LOG,
        cause=_cause(kill),
        limit_cgroup=_text(kill.oom_memcg),
        limit_bytes=None if memory is None else memory.limit,
        group_kill=kill.group_kill,
        record="\n".join(safe(decode(line)) for line in kill.record),
    )


def _cause(kill: LogKill) -> str:
    if kill.scope == "global":
        return "host"
    return "limit" if kill.scope == "memcg" and kill.oom_memcg is not None else ""


def _text(path: bytes | None) -> str | None:
    return None if path is None else decode(path)
