"""The OOM-events panel and the two-minute graph beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from memtui.model.snapshot import Quota
from memtui.model.victims import SURE, OomEvent, describe, unnamed
from memtui.render.graph import area
from memtui.render.spans import Line, rule, width_of
from memtui.text import cells, elide, elide_left, safe
from memtui.units import size

_DAYS = (("%Y-%m-%d %H:%M:%S", 19), ("%b %d %H:%M", 12), ("%b %d", 6))
"""How a day is written, and how wide that is."""
_WITH_TIME = 12  # cells of a day with its time

_NAMED = 28  # cells for a name with PID and size


def clock(epoch_s: float) -> str:
    """Return a time of day as people here write it."""
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


def moment(event: OomEvent, width: int) -> str:
    """Return when it was, in at most `width` cells; of an earlier run with the day.

    Where there is room for one of both, today's have the time: the day would tell nothing.
    """
    today = time.localtime(event.time)[:3] == time.localtime()[:3]
    if not event.recorded or (today and width < _WITH_TIME):
        return clock(event.time)
    form = next((f for f, w in _DAYS if w <= width), "")
    return time.strftime(form, time.localtime(event.time))


def ago(seconds: float) -> str:
    """Return a span that has passed in one unit: `40 s ago`, `13 h ago`, `3 d ago`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


def short(command: str) -> str:
    """Return a command line without the folder of its program."""
    program, blank, rest = command.partition(" ")
    return program.rpartition("/")[2] + blank + rest if program.startswith("/") else command


def since_words(event: OomEvent) -> str:
    """Return when kills from before the start happened, as far as that is known."""
    if event.last_looked is None:
        return "before memtui started"
    return f"since you last looked, {ago(event.time - event.last_looked)}"


def mark(event: OomEvent, listed: bool = True) -> tuple[str, str]:
    """Return the glyph of an event and its role; red is for kills at limits of ours alone.

    In a list those of earlier runs are not red either.
    """
    if event.kind != "oom" or not event.ours or (listed and event.recorded):
        return "□", "muted"
    if event.before_start:
        return "□", "muted" if event.last_looked is None else "warn"
    return "■", "crit"


def _earlier(event: OomEvent, width: int) -> Line:
    """Kills from before the start; those since the last look are news."""
    glyph, role = mark(event)
    if event.last_looked is None:
        return [(f" {glyph} ", role), (elide(describe(event), width - 4), "muted")]
    head = f"{event.count} kill{'s' if event.count > 1 else ''} {since_words(event)}"
    line: Line = [(f" {glyph} ", role), (elide(head, width - 4), role)]
    return line + _place(event, width - width_of(line) - 1)


def _place(event: OomEvent, room: int) -> Line:
    where = event.cgroup or "a cgroup that is gone"
    return [("  " + elide_left(safe(where), room - 2), "muted")] if room > 10 else []


def _named(event: OomEvent, room: int) -> Line:
    """The first victim with its PID and size, and how many more there are."""
    first, more = event.victims[0], len(event.victims) - 1
    lost = max(0, event.count - len(event.victims))
    tail = f" {first.pid} ({size(first.rss)})" + (f" and {more} more" if more else "")
    tail += f", {lost} not known" if lost else ""
    name = first.what or short(first.command) or first.name
    return [(elide(safe(name), min(max(8, room - cells(tail)), 40)), "bold"), (tail, "")]


def _who(event: OomEvent, room: int) -> Line:
    """Who it was, `probably` where that is inferred; else what is known."""
    if not event.victims:
        unknown = "name" if event.count == 1 else "names"
        return [(elide(f", {unknown} not known: {unnamed(event)}", room), "muted")]
    how = ": " if event.victims[0].evidence in SURE else ": probably "
    return [(how, "muted"), *_named(event, room - len(how))]


def _no_oom(event: OomEvent, width: int) -> Line:
    """Somebody's SIGKILL: who ended, and that it was no OOM kill; that first where it is narrow."""
    killer = safe(event.killer) or "SIGKILL"
    words = f" killed by {killer}, not by the OOM killer"
    if not event.victims:
        return [(elide(f"{event.count}{words}", width), "muted")]
    if cells(words) + _NAMED <= width:
        return [*_named(event, width - cells(words)), (words, "muted")]
    head = f"{elide(killer, 12)}, not OOM: "
    return [(head, "muted"), *_named(event, width - cells(head))]


def event_line(event: OomEvent, width: int) -> Line:
    """Return one event in one line: when, what, who on which evidence, and where."""
    if event.before_start:
        return _earlier(event, width)
    glyph, role = mark(event)
    at = moment(event, 12)
    line: Line = [(f" {glyph} ", role), (at + " ", "muted")]
    if event.kind != "oom":
        line += _no_oom(event, width - width_of(line) - 1)
    else:
        where = " elsewhere" if event.scope == "elsewhere" else ""
        line.append((f"{event.count} killed{where}", role))
        line += _who(event, width - width_of(line) - 1)
    return line + _place(event, width - width_of(line) - 1)


def watched(quota: Quota, log: str = "") -> str:
    """Say what is watched for OOM kills; `log`: what of the kernel log, in words."""
    groups = len(quota.levels)
    file = {1: "memory.oom_control", 2: "memory.events"}.get(quota.version or 0, "")
    host = "/proc/vmstat" if quota.host_oom_kill is not None else ""
    levels = f"{file} of {groups} level{'s' if groups != 1 else ''}" if file and groups else ""
    *most, last = [w for w in (levels, host, log) if w] or [""]
    what = f"{', '.join(most)} and {last}" if most else last
    return f"Watching {what}." if levels or host else "No OOM counter is visible from here."


def _quiet(events: Sequence[OomEvent], quota: Quota, log: str = "") -> list[str]:
    """Say so where no OOM kill of ours happened while memtui ran."""
    since = [e for e in events if e.kind == "oom" and not e.before_start and not e.recorded]
    if any(e.ours for e in since):
        return []
    if since:
        return ["No OOM kill since memtui started that concerns us."]
    return ["No OOM kill since memtui started.", watched(quota, log)]


def event_at(events: Sequence[OomEvent], quota: Quota, y: int) -> OomEvent | None:
    """Return the event that stands in line `y` of `events_panel`."""
    i = y - 1 - len(_quiet(events, quota))
    return events[i] if 0 <= i < len(events) else None


def events_panel(
    events: Sequence[OomEvent],
    quota: Quota,
    kills: int,
    width: int,
    height: int,
    log: str = "",
) -> list[Line]:
    """Return the panel: newest first, or a sentence where nothing of ours was killed.

    `log`: what is read of the kernel log, in words.
    """
    count: Line = [(f" {kills}", "crit")] if kills else []
    lines = [rule([("OOM events", "bold"), *count], width, [("o", "accent"), (" all", "muted")])]
    lines += [[(" " + elide(text, width - 2), "muted")] for text in _quiet(events, quota, log)]
    lines += [event_line(e, width) for e in events[:height]]
    return lines[:height]


def graph_panel(
    values: Sequence[float | None], limit: int | None, title: Line, width: int, height: int
) -> list[Line]:
    """Return the small graph, scaled to the limit, joined to the panel at its left."""
    right: Line = [(size(limit), "muted")] if limit else []
    lines = [rule(title, width, right, "┬")]
    drawn = area(values, float(limit or 0), width - 2, height - 1)
    lines += [[("│", "rule"), (line, "calm")] for line in drawn]
    if height > 1 and not any(v is not None for v in values):
        lines[1] = [("│", "rule"), (" collecting…", "muted")]
    return lines
