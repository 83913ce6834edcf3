"""Findings as lines: a mark and a word, the name, one sentence; below it what is missing."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from typing import Any

from memtui.model.finding import LIMITED, NO, OK, STATES, UNKNOWN, Finding
from memtui.render.spans import Line
from memtui.text import safe

_MARKS = {OK: ("✓", "calm"), LIMITED: ("!", "warn"), NO: ("✗", "crit"), UNKNOWN: ("?", "muted")}
_PLAIN = {"✓": "+", "✗": "-"}
_WORD = max(map(len, STATES))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(safe(text), max(20, width), break_on_hyphens=False) or [""]


def _finding(finding: Finding, column: int, width: int, ascii_only: bool) -> Iterator[Line]:
    glyph, role = _MARKS[finding.state]
    glyph = _PLAIN.get(glyph, glyph) if ascii_only else glyph
    name = safe(finding.name.replace("_", " "))
    head: Line = [(f"{glyph} {finding.state:<{_WORD}}", role), (f"  {name:<{column}}  ", "bold")]
    indent = " " * (_WORD + column + 6)
    first, *rest = _wrapped(finding.means, width - len(indent))
    yield [*head, (first, "")]
    yield from ([(indent + line, "")] for line in rest)
    for title, text in (("why: ", finding.why), ("would grant it: ", finding.grant)):
        lines = _wrapped(title + text, width - len(indent) - 2) if text else []
        yield from ([(indent + "  " + line, "muted")] for line in lines)


def origin(live: bool, marker: dict[str, Any] | None, uid: int) -> str:
    """Return what was looked at, and as whom, in one sentence."""
    if live:
        who = "root" if uid == 0 else f"user {uid}"
        return f"what memtui can see here as {who}, and what would grant the rest"
    if marker is None:
        return "files of another machine: what only a live machine could tell is unknown"
    taken = marker.get("time")
    when = ""
    if isinstance(taken, int) and 0 <= taken < 1 << 33:
        when = time.strftime(" of %Y-%m-%d %H:%M UTC", time.gmtime(taken))
    by = safe(str(marker.get("memtui", "?"))[:40])
    return f"a captured tree{when} (memtui {by}): what only a live machine could tell is unknown"


def doctor_lines(
    findings: list[Finding],
    heading: str,
    width: int,
    ascii_only: bool = False,
) -> list[Line]:
    """Return the report; foreign text is made safe, long sentences are wrapped at `width`."""
    column = max(len(f.name) for f in findings)
    lines: list[Line] = [[(heading, "muted")], []]
    for finding in findings:
        lines += _finding(finding, column, width, ascii_only)
    counts = [(sum(f.state == state for f in findings), state) for state in STATES]
    told = ", ".join(f"{n} {state}" for n, state in counts if n)
    return [*lines, [], [(told, "muted")]]
