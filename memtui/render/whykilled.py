"""Why a kernel died, in some sentences: the short answer about the last kill. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memtui.model.victims import OomEvent, Victim
from memtui.render.oomwords import evidence, headline, next_steps, when
from memtui.text import elide, safe
from memtui.units import duration

NONE = (
    "No OOM kill is known here.",
    "What ended with `Killed` or exit status 137 all the same was sent SIGKILL by a person or a"
    " program: timeout, a scheduler, a container's stop.",
    "MemoryError, `cannot allocate vector` and OutOfMemoryError are a program's own limit or its"
    " heap's; a bus error can be a full /dev/shm.",
)
"""What is to be said where no kill is known."""

_STEPS = 2
_KEY = re.compile(r"(kernel-\w{1,8})[\w-]{8,}\.json")


def short(command: str) -> str:
    """Return a command line without what may be a kernel's secret: CoCalc's file is named by it."""
    return _KEY.sub(r"\1….json", command)


def _age(event: OomEvent, now: float) -> str:
    if not event.time:
        return when(event.time)
    return f"{when(event.time)}, {duration(max(0.0, now - event.time))} ago"


def _ran(victim: Victim) -> list[str]:
    words = short(victim.command or victim.name)
    found = []
    if not victim.what and words != victim.name:
        found.append(f"It ran: {elide(safe(words), 160)}")
    if victim.restarted is not None:
        found.append(
            f"Its Jupyter server started a new kernel in its place, PID {victim.restarted}: what it"
            " held is lost. Run the cells again, and watch which needs the memory."
        )
    return found


def why_killed(event: OomEvent | None, now: float, elsewhere: bool = False) -> list[str]:
    """Return the sentences; `now` is seconds since the epoch. They are safe to display."""
    if event is None:
        return list(NONE)
    found = ["None is known of this group; the last on this machine:"] if elsewhere else []
    found.append(f"{headline(event)} ({_age(event, now)})")
    if event.count == 1 and event.victims:
        found += _ran(event.victims[0])
    found.append("How sure: " + "; ".join(f"{how}, {text}" for how, text in evidence(event)) + ".")
    return found + next_steps(event)[:_STEPS]


def as_json(event: OomEvent | None, said: Sequence[str]) -> dict[str, object]:
    """Return the `why_killed` object of `memtui.explain/1`."""
    if event is None:
        return {"text": list(said), "time": None, "count": 0, "victims": [], "cause": None}
    return {
        "text": list(said),
        "time": event.time or None,
        "count": event.count,
        "cause": event.cause or None,
        "limit_cgroup": event.limit_cgroup,
        "limit": event.limit_bytes,
        "victims": [
            {
                "pid": v.pid,
                "name": v.name,
                "title": v.what or None,
                "command": short(v.command),
                "rss": v.rss,
                "evidence": v.evidence,
                "restarted": v.restarted,
            }
            for v in event.victims
        ],
    }
