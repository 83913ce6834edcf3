"""An OOM event in sentences: what happened, how sure that is, what to do next. Pure.

A sentence here says what is known and on which evidence; the facts behind the advice are the
kernel's (Documentation/admin-guide/cgroup-v2.rst, mm/oom_kill.c).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from memtui.kernel.cgroup import at_or_below
from memtui.model.snapshot import Proc
from memtui.model.victims import OomEvent, Victim, called, unnamed
from memtui.render.events import since_words
from memtui.text import safe
from memtui.units import size_long

_NAMES = 3  # in one sentence
_STEPS = 3
_COMPILERS = frozenset(("cc1", "cc1plus", "clang", "clang++", "ld", "lld", "rustc"))

_OWN_LIMIT = (
    "Started by `memtui run --limit SIZE -- COMMAND`, a program meets a limit of its own, and"
    " only that program ends there."
)
_COUNT_ONLY = (
    "The counters keep a number, and no names. The kernel log, where it can be read, names every"
    " victim: `memtui doctor` says what would grant that."
)
_LOG_IS_SURE = (
    "The kernel log would say for certain who it was: `memtui doctor` says whether it can be read"
    " here, and what would grant it."
)


def when(epoch_s: float) -> str:
    """Return a moment with its date, in local time; 0 is an unknown one."""
    if not epoch_s:
        return "time not known"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


def named(victim: Victim) -> str:
    """Return what a victim is called, with its name and PID."""
    return called(victim)


# -- what happened


def headline(event: OomEvent) -> str:
    """Return in one sentence who was killed, by whom, and because of which limit."""
    many = event.count != 1
    verb = "were killed" if many else "was killed"
    if event.before_start:
        place = f" in {safe(event.cgroup)}" if event.cgroup else ""
        who = f"{event.count} processes" if many else "1 process"
        return f"{who} {verb} by the OOM killer{place} {since_words(event)}."
    return f"{_subject(event)} {verb} {_by(event)}."


def _subject(event: OomEvent) -> str:
    victims = event.victims
    if not victims:
        return f"{event.count} processes" if event.count != 1 else "A process"
    guessed = any(v.evidence == "vanished" for v in victims)
    if event.count == 1:
        v = victims[0]
        who = f"{named(v)} ({safe(v.user) or '?'}, RES {size_long(v.rss)})"
        return f"Probably {who}" if guessed else who
    names = ", ".join(map(named, victims[:_NAMES]))
    rest = event.count - min(_NAMES, len(victims))
    probably = "probably " if guessed else ""
    return f"{event.count} processes ({probably}{names}{f' and {rest} more' if rest > 0 else ''})"


def _by(event: OomEvent) -> str:
    if event.kind != "oom":
        if event.killer:
            return f"by {safe(event.killer)}, a program, and not by the kernel's OOM killer"
        return "by SIGKILL from a person or a program, and not by the OOM killer"
    return "by the OOM killer" + _why(event)


def _why(event: OomEvent) -> str:
    if event.cause == "limit" and event.limit_cgroup is not None:
        hit = f", because the limit of {safe(event.limit_cgroup)} was hit"
        return hit + (f": {size_long(event.limit_bytes)}" if event.limit_bytes is not None else "")
    return {
        "limit": ", because a limit was hit",
        "above": ", at the limit of a cgroup that is not visible from here",
        "host": ", because the machine ran out of memory",
    }.get(event.cause, "; which limit was hit is not known")


# -- how sure that is


def evidence(event: OomEvent) -> list[tuple[str, str]]:
    """Return (how sure, on what evidence), each distinct pair once, the surest first."""
    if event.before_start:
        return [("counted", "a counter stood above what it was; nobody saw it rise")]
    if not event.victims:
        return [("not known", f"only the count is known: {unnamed(event)}")]
    told: dict[tuple[str, str], list[str]] = {}
    for victim in event.victims:
        told.setdefault(_sure(event, victim), []).append(named(victim))
    several = len(told) > 1
    pairs = [
        (how, text + (f" ({', '.join(names[:_NAMES])})" if several else ""))
        for (how, text), names in told.items()
    ]
    if (lost := event.count - len(event.victims)) > 0:
        pairs.append(
            ("not known", f"who else: {lost} more {'was' if lost == 1 else 'were'} counted")
        )
    return pairs


def _sure(event: OomEvent, victim: Victim) -> tuple[str, str]:
    if victim.evidence == "kernel-log":
        whose = f"the log of {safe(event.killer)}" if event.killer else "the kernel log"
        hosts = "; the PID there is the host's" if victim.start is None else ""
        return "certain", f"{whose} says so{hosts}"
    if victim.evidence == "exit-status":
        if event.kind != "oom":
            return "certain", "its exit status was signal 9, and no OOM counter rose"
        text = "its exit status was signal 9 while the OOM counter of its cgroup rose"
        return "all but certain", text
    where = f"from {safe(event.cgroup)}" if event.cgroup else "then"
    return "probably", f"it vanished {where} in that window{_rank(event)}"


def _rank(event: OomEvent) -> str:
    """Which of those that vanished it was: `, the biggest of 3`."""
    everybody = (*event.victims, *event.others)
    if len(everybody) == 1:
        return ", and nobody else did"
    if event.count == 1:
        first = event.victims[0].rss
        bigger = any(first is None or (v.rss or 0) > first for v in event.others)
        return f", {'one' if bigger else 'the biggest'} of {len(everybody)} that did"
    return f", as {len(everybody)} did" if event.others else ""


# -- what to do next


def next_steps(event: OomEvent) -> list[str]:
    """Return at most three sentences that fit the case."""
    if event.kind != "oom":
        return _after_sigkill(event)
    if event.before_start:
        return [_COUNT_ONLY]
    steps = [*_by_group(event), *_by_weight(event), *_by_cause(event)]
    if any(v.name in _COMPILERS for v in event.victims):
        steps.append("A compiler was hit: fewer of them at once (make -j1) need less memory.")
    return [*steps[: _STEPS - 1], *_by_evidence(event), *steps[_STEPS - 1 :]][:_STEPS]


def _after_sigkill(event: OomEvent) -> list[str]:
    if event.killer:
        return [
            f"{safe(event.killer)} ends processes before memory runs out, by thresholds of its"
            " own configuration: no limit of the kernel's was hit."
        ]
    return [
        "No limit was hit as far as the counters tell, so a higher one would not have helped.",
        "SIGKILL also comes from a person, `timeout -s KILL`, a scheduler, or a container's stop.",
    ]


def _by_cause(event: OomEvent) -> list[str]:
    if event.cause == "limit" and event.limit_cgroup is not None:
        more = f" above {size_long(event.limit_bytes)}" if event.limit_bytes is not None else ""
        return [
            f"Raise the limit of {safe(event.limit_cgroup)}{more}, or let less run there at once:"
            " more memory in the machine would change nothing.",
            _OWN_LIMIT,
        ]
    if event.cause == "above":
        return [
            "The limit belongs to a cgroup above what is visible here (a pod, a container, a job"
            " or a slice): only whoever set it can raise it.",
            _OWN_LIMIT,
        ]
    if event.cause == "host":
        return [
            "The machine itself was out of memory: a higher limit of a cgroup would not help;"
            " less in use, more memory or swap would.",
            _OWN_LIMIT,
        ]
    return ["`memtui quota` lists every limit in sight, and the file that says so.", _OWN_LIMIT]


def _by_group(event: OomEvent) -> list[str]:
    if not event.group_kill:
        return []
    return [
        "memory.oom.group is set: the kernel ended every process of the group with its victim."
        " With 0 in that file it ends one."
    ]


def _by_weight(event: OomEvent) -> list[str]:
    """Why it was not the biggest, where oom_score_adj says so."""
    bigger = _bigger(event)
    if bigger is None:
        return []
    victim = event.victims[0]
    return [
        f"It was not the biggest: {safe(bigger.name)} {bigger.pid} held {size_long(bigger.rss)}."
        f" Its oom_score_adj of {victim.adj} weighed like {victim.adj}/1000 of the limit on top of"
        " what it held."
    ]


def _bigger(event: OomEvent) -> Proc | None:
    """A process bigger than the only victim whose own weight put it first, or None."""
    scene, victims = event.scene, event.victims
    if scene is None or event.count != 1 or len(victims) != 1:
        return None
    victim, top = victims[0], event.limit_cgroup or event.cgroup
    if not victim.adj or victim.adj < 0 or victim.rss is None or top is None:
        return None
    rivals: Sequence[Proc] = [
        p for p in scene.procs if p.cgroup is not None and at_or_below(p.cgroup, top)
    ]
    biggest = max(rivals, key=lambda p: p.rss, default=None)
    return biggest if biggest is not None and biggest.rss > victim.rss else None


def _by_evidence(event: OomEvent) -> list[str]:
    if not event.victims:
        return [
            "No sample holds the victim, as with one that lives shorter than the time between two:"
            " a shorter --delay sees more. " + _LOG_IS_SURE.replace(" for certain", "")
        ]
    return [_LOG_IS_SURE] if event.evidence == "vanished" else []
