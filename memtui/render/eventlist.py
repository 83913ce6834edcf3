"""The list of OOM events: one line each, in columns."""

from __future__ import annotations

from memtui.model.victims import OomEvent
from memtui.render.events import ago, mark, moment, short, since_words
from memtui.render.oomwords import evidence, when
from memtui.render.spans import Line, fitted, width_of
from memtui.text import cells, elide, elide_left, fit, safe
from memtui.units import size

_TIME, _DATE, _RES, _SURE, _WHY = 8, 19, 6, 15, 8
_WHO = 24  # cells at least; what stands right of it gives way before
_DATED = 110  # from this width on there is room for the day
_CAUSES = {"above": "above us", "host": "host RAM"}


class Columns:
    """Which columns fit `width` cells; the command and the cgroup share what is left."""

    def __init__(self, width: int) -> None:
        self.time = _DATE if width >= _DATED else _TIME
        left = width - 3 - self.time - 1
        self.sure = _SURE if left >= _WHO + _SURE + 1 + _RES + 1 else 0
        left -= _RES + 1 + (self.sure + 1 if self.sure else 0)
        self.why = _WHY if self.sure and left >= _WHO + _WHY + 1 else 0
        left -= self.why + 1 if self.why else 0
        self.cgroup = left - max(_WHO, left // 2) - 1 if self.why and left >= _WHO + 12 else 0
        self.who = max(1, left - (self.cgroup + 1 if self.cgroup else 0))


def list_header(width: int) -> Line:
    """Return the titles of the columns."""
    c = Columns(width)
    head = f"   {'TIME':<{c.time}} {'WHO':<{c.who}} {'RES':>{_RES}}"
    for title, room in (("HOW SURE", c.sure), ("LIMIT", c.why), ("CGROUP", c.cgroup)):
        head += f" {title:<{room}}" if room else ""
    return fitted([(head, "head")], width, "head")


def list_row(event: OomEvent, width: int) -> Line:
    """Return one event as a line of exactly `width` cells."""
    c = Columns(width)
    glyph, role = mark(event)
    line: Line = [(f" {glyph} ", role), (fit(_time(event, c.time), c.time) + " ", "muted")]
    line += _who(event, c.who, role)
    line.append((f" {size(_rss(event)):>{_RES}}", ""))
    if c.sure:
        line.append((" " + fit(evidence(event)[0][0], c.sure), "muted"))
    if c.why:
        line.append((" " + fit(_why(event), c.why), "muted"))
    if c.cgroup:
        line.append((" " + elide_left(safe(event.cgroup or "?"), c.cgroup), "muted"))
    return fitted(line, width)


def _time(event: OomEvent, width: int) -> str:
    if event.before_start:
        return "earlier"
    return when(event.time) if width == _DATE else moment(event, width)


def _who(event: OomEvent, width: int, role: str) -> Line:
    if event.before_start:
        text = f"{event.count} {since_words(event)}"
        if event.last_looked is not None and cells(text) > width:
            text = f"{event.count} since {ago(event.time - event.last_looked)}"
        return [(fit(text, width), role if event.last_looked is not None else "muted")]
    if not event.victims:
        return [(fit(f"{event.count} not known by name", width), "muted")]
    first = event.victims[0]
    tail = f" {first.pid}" + (f" +{event.count - 1}" if event.count > 1 else "")
    name = elide(
        safe(first.what or short(first.command) or first.name), max(1, width - cells(tail))
    )
    line: Line = [(name, "muted" if role == "muted" else "bold"), (tail, "muted")]
    return [*line, (" " * (width - width_of(line)), "")]


def _rss(event: OomEvent) -> int | None:
    known = [v.rss for v in event.victims if v.rss is not None]
    return sum(known) if known and len(known) == event.count else None


def _why(event: OomEvent) -> str:
    if event.kind != "oom":
        return safe(event.killer) or "SIGKILL"
    if event.cause == "limit":
        return size(event.limit_bytes)
    return _CAUSES.get(event.cause, "?")
