"""How memory stands, in one paragraph that needs no other knowledge; and all of it as a document.

Pure. Nothing of the future is said but what the forecast dares, or what was seen growing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from memtui.model.advice.memory import shown
from memtui.model.advice.terms import Advice, Seen, amount, biggest
from memtui.model.grower import Grown
from memtui.model.snapshot import Proc, Quota
from memtui.model.soon import about
from memtui.text import decode, elide, safe
from memtui.units import duration, percent

SCHEMA = "memtui.explain/1"
_SOON_S, _HALF = 300.0, 0.5  # a short look dares no more: seconds until full, and from where on
_NOTABLE = 0.02  # of the limit: less of something is not worth its words
_STEADY = 1 << 20  # bytes: less growth than that is none
_BIGGEST = 3


class Explained(NamedTuple):
    """The state and what to do about it."""

    seen: Seen
    advice: Sequence[Advice]  # at most three, the best first
    notes: Sequence[str] = ()  # what could not be seen; safe to display


class Course(NamedTuple):
    """Where it goes."""

    rate: float | None = None  # bytes a second of hard memory; None: not known
    eta_s: float | None = None  # until it is full
    who: str = ""  # who grows most; safe to display
    looked_s: float | None = None  # what that is taken from, where it is no forecast


def course(seen: Seen) -> Course:
    """Return where hard memory goes: the forecast, else what it did while it was looked at."""
    forecast = seen.trend.forecast if seen.trend else None
    grown: Grown | None = seen.trend.grown if seen.trend else None
    who = safe(grown.name) if grown is not None else ""
    if forecast is not None and forecast.eta_s is not None:
        return Course(forecast.rate, sum(forecast.eta_s) / 2, who)
    before = seen.then.binding if seen.then else None
    now = seen.quota.binding
    if before is None or now is None or before.path != now.path or seen.over_s < 1:
        return Course(forecast.rate if forecast else None, None, who)
    if before.hard is None or now.hard is None:
        return Course(None, None, who)
    more = now.hard - before.hard
    rate = more / seen.over_s
    if more < max(_STEADY, now.bytes // 1000):
        return Course(0.0 if abs(more) < _STEADY else rate, None, who)
    eta = max(0, now.bytes - now.hard) / rate
    soon = eta < _SOON_S and seen.share(now.hard) > _HALF
    return Course(rate, eta if soon else None, who, seen.over_s)


def _of(part: int | None, whole: int | None) -> str:
    """`912 of 1000 MiB`, `912 MiB of 23.5 GiB`."""
    a, b = amount(part), amount(whole)
    if a.partition(" ")[2] == b.partition(" ")[2]:
        a = a.partition(" ")[0]
    return f"{a} of {b}"


def _whose(quota: Quota) -> str:
    binding = quota.binding
    if binding is None or binding.level is None:
        return "That is this machine's memory, which everybody on it shares."
    level = quota.levels[binding.level]
    if level.path == "/":
        return "That is the limit of this container."
    return f"That is the limit of {safe(level.path)}, for all processes in it."


def _files(seen: Seen) -> str:
    """What of it are files in memory."""
    big = [m for m in seen.mounts if seen.share(m.used) >= _NOTABLE]
    told = [f"{amount(m.used)} of that are files in {shown(m.point)}" for m in big[:2]]
    return ", ".join(["", *told])


def _cache(seen: Seen) -> str:
    usage, hard = seen.usage, seen.hard
    if hard is None:
        return " How much of it the kernel could take back is not known."
    soft = (usage or 0) - hard
    if seen.share(soft) < _NOTABLE:
        return ""
    return f" {amount(soft)} of it are cached files, which are given back on demand."


def _future(found: Course) -> str:
    if found.eta_s is None:
        return ""
    by = f", mostly by {found.who}" if found.who else ""
    rate = "the present rate"
    if found.looked_s is not None:
        rate = f"the rate of the last {found.looked_s:.0f} s"
    return f" At {rate} it is full in {about(found.eta_s)}{by}."


def _rest(seen: Seen, proc: Proc) -> str:
    """Whether a process works, in words that are sure."""
    activity = proc.who.activity if proc.who else None
    if activity is not None and activity.idle_since is not None:
        at = time.strftime("%H:%M", time.localtime(activity.idle_since))
        day = seen.time - activity.idle_since >= 86400
        since = f"for {duration(seen.time - activity.idle_since)}" if day else f"since {at}"
        return f", idle {since}" + " or longer" * activity.at_least
    if (activity is not None and activity.busy) or seen.busy(proc):
        return ", at work"
    idle = seen.idle_s(proc)
    return f", idle for {duration(idle)} at least" if idle is not None and idle >= 60 else ""


def _without_folder(command: str) -> str:
    """A command line whose program stands without its directory."""
    first, blank, rest = command.partition(" ")
    return (first.rpartition("/")[2] or first) + blank + rest


def _biggest(seen: Seen) -> str:
    who = next(iter(biggest(seen.procs)), None)
    if who is None or not who.rss:
        return ""
    family = max((k for k in seen.kernels if k.many > 1), key=lambda k: k.tree, default=None)
    if family is not None and family.tree > who.rss:
        rest = _rest(seen, family.proc) if family.idle_s is not None else ""
        size = f"up to {amount(family.tree)} in {family.many} processes"
        return f" The biggest: {family.title}, {size}{rest}."
    known = who.who
    name = elide(known.label, 48) if known else elide(_without_folder(who.command), 48)
    told = known is None or known.language.lower() in known.label.lower()  # "Python kernel"
    kind = "" if known is None or told else f", {known.language}"
    return f" The biggest: {name}{kind}, {amount(who.rss)}{_rest(seen, who)}."


def paragraph(seen: Seen) -> str:
    """Return the state in some sentences; safe to display."""
    if seen.limit is None:
        return "No limit is visible from here, and no /proc/meminfo: nothing can be said."
    used = f"{_of(seen.usage, seen.limit)} are in use{_files(seen)}."
    return f"{used}{_cache(seen)} {_whose(seen.quota)}{_future(course(seen))}{_biggest(seen)}"


# -- as a document


def _process(seen: Seen, proc: Proc) -> dict[str, Any]:
    who = proc.who
    return {
        "pid": proc.pid,
        "name": decode(proc.comm),
        "kind": who.kind if who else None,
        "title": who.label if who else None,
        "language": (who.language or None) if who else None,
        "rss": proc.rss,
        "frees": seen.freed(proc),
        "idle_since": who.activity.idle_since if who else None,
    }


def _suggestion(advice: Advice) -> dict[str, Any]:
    action = advice.action
    told = None
    if action is not None:
        told = {
            "kind": action.kind,
            "label": action.label,
            "pids": [pid for pid, _ in action.targets],
            "signal": int(action.signal) if action.kind == "kill" else None,
            "text": action.text or None,
            "file": action.file.path if action.file else None,
        }
    return {
        "id": advice.id,
        "say": advice.say,
        "gain": advice.gain,
        "at_most": advice.at_most,
        "why": advice.why,
        "risk": advice.risk,
        "how": list(advice.how),
        "urgent": advice.urgent,
        "action": told,
    }


def as_json(explained: Explained) -> dict[str, Any]:
    """Return the document `memtui.explain/1`."""
    seen, binding = explained.seen, explained.seen.quota.binding
    found = course(seen)
    return {
        "schema": SCHEMA,
        "time": round(seen.time, 3),
        "over_s": round(seen.over_s, 3),
        "state": {
            "text": paragraph(seen),
            "limit": seen.limit,
            "limit_file": binding.path if binding else None,
            "usage": seen.usage,
            "hard": seen.hard,
            "hard_pct": percent(seen.hard, seen.limit),
            "rate": found.rate,
            "eta_s": found.eta_s,
            "tmpfs": [{"point": m.point, "used": m.used} for m in seen.mounts],
            "biggest": [_process(seen, p) for p in biggest(seen.procs, _BIGGEST)],
        },
        "suggestions": [_suggestion(a) for a in explained.advice],
        "notes": list(explained.notes),
    }
