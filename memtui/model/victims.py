"""OOM kills as records and in words. Pure.

The kernel counts a kill in the victim's cgroup a moment before the victim is gone, so whoever
of that group vanishes in the following seconds is a candidate. `attribution` says who it was.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import Level, at_or_below
from memtui.model.classify import Seen, classify, split
from memtui.model.known import spoken
from memtui.model.scene import Scene
from memtui.model.snapshot import Identity, Proc
from memtui.text import safe
from memtui.units import size

LOG, STATUS, VANISHED, NONE = "kernel-log", "exit-status", "vanished", "none"
"""Evidence, best first: the kernel's own record; ended by signal 9 as its cgroup's counter rose;
vanished from that cgroup at that time; only the count is known."""
SURE = frozenset((LOG, STATUS))
"""Evidence on which a victim is named without `probably`."""


_LEAST = 1 << 20  # bytes, of a candidate whose cgroup is not known


class Victim(NamedTuple):
    """A process that was killed, or perhaps was, as last seen. Strings are safe to display."""

    pid: int  # known from the kernel log alone: the host's number
    start: int | None  # clock ticks since boot; None: known from the kernel log alone
    name: str
    command: str
    user: str
    rss: int | None  # bytes
    last_seen: float | None  # seconds since the epoch
    evidence: str = VANISHED
    swap: int | None = None  # bytes
    adj: int | None = None  # oom_score_adj
    cgroup: str | None = None
    parent: str = ""  # its name
    restarted: int | None = None  # PID of the Jupyter kernel that took its place
    what: str = ""  # what people call it: "analysis.ipynb"; "" where it has no such name


class OomEvent(NamedTuple):
    """Kills in one cgroup within a few seconds. The same `id` again is an update of it."""

    id: int
    time: float  # seconds since the epoch, of the tick that found it
    count: int  # type: ignore[assignment]  # the word people use; tuple.count is not missed
    cgroup: str | None  # where the victims were; None where no visible cgroup counted them
    scope: str  # "cgroup": concerns us; "elsewhere" on this machine; "gone": cgroup is None
    before_start: bool  # counted before memtui started
    victims: tuple[Victim, ...] = ()  # the surest first, then the biggest
    others: tuple[Victim, ...] = ()  # vanished then, too
    evidence: str = NONE  # the weakest of the victims'
    kind: str = "oom"  # "sigkill": a person's or a program's, and no OOM kill
    killer: str = ""  # the user-space killer whose log line says so: "earlyoom"
    cause: str = ""  # "limit": of `limit_cgroup`; "above": of an ancestor not visible; "host"; ""
    limit_cgroup: str | None = None  # whose limit was hit
    limit_bytes: int | None = None
    group_kill: bool = False  # memory.oom.group: all of the group were to die
    last_looked: float | None = None  # before_start: counted since then, seconds since the epoch
    record: str = ""  # the kernel log's own text, safe to display, lines joined by newlines
    scene: Scene | None = None  # how things stood in the second before

    @property
    def ours(self) -> bool:
        """Whether it happened where our limits hold."""
        return self.scope == "cgroup"

    @property
    def recorded(self) -> bool:
        """Whether an earlier run of memtui recorded it."""
        return self.id < 0


class Departed(NamedTuple):
    """A process that ended (or is a zombie now)."""

    proc: Proc  # as last seen alive
    last_seen: float
    missed: float  # time of the first tick without it
    status: int | None = None  # wait status; None: not told
    badness: int | None = None  # bytes, as the kernel reckons it; None: not known
    kills: int | None = None  # the machine's count of OOM kills, read after it had ended

    @property
    def weight(self) -> int:
        """What the kernel ranks by, in bytes; resident memory where that is not known."""
        return self.proc.rss if self.badness is None else self.badness


def killed_by_9(status: int | None) -> bool:
    """Whether a wait status tells of SIGKILL."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def home(levels: Sequence[Level]) -> str | None:
    """Return the outermost cgroup whose kills concern us: the one with the outermost limit.

    Without any limit it is the top of what is visible: the memory shared with everybody there
    is what can run out.
    """
    if not levels:
        return None
    limited = [lv.path for lv in levels if lv.limit is not None]
    return limited[-1] if limited else levels[-1].path


def candidates(
    departed: Iterable[Departed],
    event: OomEvent,
    since: float,
    counted: Collection[str] = (),
    before: int | None = None,
) -> list[Departed]:
    """Return who vanished in the event's cgroup from `since` on, the likeliest first.

    `counted` are cgroups whose own counter is known not to tell of this kill: nobody in one of
    them was it. Nor was who had ended while the machine's count was still `before`: the kernel
    counts before it kills (mm/oom_kill.c, __oom_kill_process). Who is of unknown cgroup comes last:
    they end all the time, anywhere on the machine, and small ones are not worth a guess.
    """
    ranked = []
    for gone in departed:
        path = gone.proc.cgroup
        if gone.missed < since or gone.proc.kernel_thread or path in counted:
            continue
        if before is not None and gone.kills is not None and gone.kills <= before:
            continue
        if path is None:
            if gone.weight < max(_LEAST, (event.limit_bytes or 0) // 8):
                continue
            rank = 2
        elif event.cgroup is None or path == event.cgroup:
            rank = 0
        elif at_or_below(path, event.cgroup):
            rank = 1
        else:
            continue
        ranked.append((rank, -gone.weight, gone.proc.pid, gone))
    ranked.sort(key=lambda r: r[:3])
    return [r[3] for r in ranked]


def victim_of(gone: Departed, evidence: str) -> Victim:
    """Return a process that ended as a victim."""
    p = gone.proc
    return Victim(
        p.pid, p.start, p.name, p.command, p.user, p.rss, gone.last_seen, evidence, cgroup=p.cgroup,
        what=spoken(p.who or classify(Seen(split(p.argv), p.comm))),
    )  # fmt: skip


def called(victim: Victim) -> str:
    """Return `analysis.ipynb (python3 4821)`, or name and PID where it has no such name."""
    name = f"{safe(victim.name) or '?'} {victim.pid}"
    return f"{safe(victim.what)} ({name})" if victim.what else name


def identities(victims: Iterable[Victim]) -> set[Identity]:
    """Return (pid, start) of each that was seen alive."""
    return {(v.pid, v.start) for v in victims if v.start is not None}


# -- in words


def _where(event: OomEvent) -> str:
    if event.cgroup is None:
        return "in a cgroup that is gone, or not visible from here"
    place = f"in {safe(event.cgroup)}"
    return place if event.ours else f"elsewhere on this machine, {place}"


def _names(victims: Sequence[Victim]) -> str:
    return ", ".join(f"{called(v)} ({size(v.rss)})" for v in victims)


def unnamed(event: OomEvent) -> str:
    """Return what is known where nobody can be named.

    The victim was too short-lived, or it had moved to that group and had not been looked at again.
    """
    if event.cgroup is None:
        return "a process that memtui had not seen"
    return "no process known in that group vanished"


def _who(event: OomEvent) -> str:
    if not event.victims:
        return unnamed(event)
    sure = [v for v in event.victims if v.evidence in SURE]
    likely = [v for v in event.victims if v.evidence not in SURE]
    told = [_names(sure)] if sure else []
    told += [f"probably {_names(likely)}"] if likely else []
    unknown = event.count - len(event.victims)
    more = f" and {unknown} not known" if unknown > 0 else ""
    others = f"; also vanished then: {_names(event.others)}" if event.others else ""
    return f"{', '.join(told)}{more}{others}"


def describe(event: OomEvent) -> str:
    """Return the event in words: `killed 1 in /a/b: probably python3 4821 (58.3M)`."""
    what = f"killed {event.count} {_where(event)}"
    return f"{what}, before memtui started" if event.before_start else f"{what}: {_who(event)}"
