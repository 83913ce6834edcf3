"""The OOM-events panel and the two-minute graph beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from memtui.model.snapshot import Quota
from memtui.model.victims import OomEvent, describe, unnamed
from memtui.render.graph import area
from memtui.render.spans import Line, rule, width_of
from memtui.text import cells, elide, elide_left, safe
from memtui.units import size


def clock(epoch_s: float) -> str:
    """Return a time of day as people here write it."""
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


def _short(command: str) -> str:
    """Return a command line without the folder of its program."""
    program, blank, rest = command.partition(" ")
    return program.rpartition("/")[2] + blank + rest if program.startswith("/") else command


def event_line(event: OomEvent, width: int) -> Line:
    """Return one event in one line: when, who it probably was, how many, and where."""
    if event.before_start:
        return [(" □ ", "muted"), (elide(describe(event), width - 4), "muted")]
    when = clock(event.time)
    line: Line = [(" ■ ", "crit"), (when + " ", "muted"), (f"{event.count} killed", "crit")]
    if not event.ours:
        words = f"{event.count} killed elsewhere"
        line = [(" □ ", "muted"), (when + " ", "muted"), (words, "muted")]
    if event.victims:
        line.append((": probably ", "muted"))
        first, more = event.victims[0], len(event.victims) - 1
        tail = f" {first.pid} ({size(first.rss)})" + (f" and {more} more" if more else "")
        room = max(8, width - width_of(line) - cells(tail) - 1)
        line += [(elide(_short(first.command), min(room, 40)), "bold"), (tail, "")]
    else:
        line.append((f": {unnamed(event)}", "muted"))
    room = width - width_of(line) - 3
    where = event.cgroup or "a cgroup that is gone"
    if room > 8:
        line.append(("  " + elide_left(safe(where), room), "muted"))
    return line


def watched(quota: Quota) -> str:
    """Say what is watched for OOM kills."""
    groups = len(quota.levels)
    file = {1: "memory.oom_control", 2: "memory.events"}.get(quota.version or 0, "")
    host = "/proc/vmstat" if quota.host_oom_kill is not None else ""
    levels = f"{file} of {groups} level{'s' if groups != 1 else ''}" if file and groups else ""
    what = " and ".join(w for w in (levels, host) if w)
    return f"Watching {what}." if what else "No OOM counter is visible from here."


def events_panel(
    events: Sequence[OomEvent], quota: Quota, kills: int, width: int, height: int
) -> list[Line]:
    """Return the panel: newest first, or a sentence where nothing was killed."""
    count: Line = [(f" {kills}", "crit")] if kills else []
    lines = [rule([("OOM events", "bold"), *count], width, [("o", "accent"), (" all", "muted")])]
    room = height - 1
    if not any(not e.before_start for e in events):
        lines.append([(" No OOM kill since memtui started.", "muted")])
        lines.append([(" " + elide(watched(quota), width - 2), "muted")])
    lines += [event_line(e, width) for e in events[: max(0, room)]]
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
