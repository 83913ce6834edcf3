"""OOM kills as lines: one each, aligned, oldest first, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from memtui.kernel.oomlog import LogKill
from memtui.model.ownkills import Known, size_of
from memtui.model.victims import OomEvent
from memtui.render.spans import Line
from memtui.text import cells, elide, fit, show
from memtui.units import size

_RIGHT = (False, False, True, True, True, False, False)
TITLES = ("TIME", "NAME", "PID", "RSS", "ADJ", "LIMIT OF", "EVIDENCE")
_WHAT = 30  # cells of what a process was called
FIXED = (19, 15, 7, 5, 5, 20, 10)
"""Widths for rows that are printed as they come."""


class Found(NamedTuple):
    """A kill, and how it is known."""

    kill: LogKill
    evidence: str = "kernel-log"
    event: OomEvent | None = None  # what memtui saw of it


def rss_of(found: Found) -> int | None:
    """Return its resident memory in bytes: the log's word, else what memtui saw."""
    return size_of(Known(*found))


def name_of(found: Found) -> str:
    """Return `python3 (analysis.ipynb)`; its name alone where memtui did not know it."""
    victims = found.event.victims if found.event is not None else ()
    what = next((v.what for v in victims if v.pid == found.kill.pid), "")
    name = show(found.kill.comm)
    return f"{name} ({elide(what, _WHAT)})" if what else name


def when(kill: LogKill) -> str:
    """Return when it was: local time, else what the log printed."""
    if kill.time is not None:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kill.time))
    if kill.log_time is not None and kill.monotonic is None:
        return show(kill.log_time)
    return "?" if kill.monotonic is None else f"boot+{kill.monotonic:.3f}s"


def whose(kill: LogKill) -> str:
    """Return whose limit was hit: the cgroup's path, or `host`."""
    if kill.oom_memcg is not None:
        return show(kill.oom_memcg)
    return "host" if kill.scope == "global" else "?"


def cells_of(found: Found) -> tuple[str, ...]:
    """Return the cells of one row."""
    kill = found.kill
    return (
        when(kill),
        name_of(found),
        str(kill.pid),
        size(rss_of(found)),
        "?" if kill.oom_score_adj is None else str(kill.oom_score_adj),
        whose(kill),
        found.evidence + (", whole group" if kill.group_kill else ""),
    )


def row(texts: Sequence[str], widths: Sequence[int], role: str = "") -> Line:
    """Return one line; a cell that is too wide is kept, not cut."""
    padded = (
        fit(text, max(width, cells(text)), right)
        for text, width, right in zip(texts, widths, _RIGHT, strict=True)
    )
    return [("  ".join(padded).rstrip(), role)]


def kill_lines(found: Sequence[Found]) -> list[Line]:
    """Return a heading, a line for each kill, and the totals."""
    rows = [cells_of(each) for each in found]
    widths = [max(map(cells, column)) for column in zip(TITLES, *rows, strict=True)]
    lines = [row(TITLES, widths, "bold"), *(row(texts, widths) for texts in rows)]
    return [*lines, [(totals(found), "muted")]]


def totals(found: Sequence[Found]) -> str:
    """Return how many were killed, by what, and how much memory they held."""
    count = len(found)
    sizes = [rss_of(each) for each in found]
    known = [n for n in sizes if n is not None]
    parts = [f"{count} process{'' if count == 1 else 'es'} killed"]
    for scope, words in (("memcg", "by the limit of a cgroup"), ("global", "by the host's memory")):
        if number := sum(each.kill.scope == scope for each in found):
            parts.append(f"{number} {words}")
    unknown = f" ({count - len(known)} of unknown size)" if len(known) < count else ""
    return ", ".join(parts) + (f"; {size(sum(known))} resident in all{unknown}" if known else "")
