"""Who a process is, in place of its command line; light, for the first frame. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from posixpath import dirname

from memtui.model import known as k
from memtui.model.known import Activity, Known
from memtui.model.snapshot import Proc
from memtui.render.spans import Line, plain, width_of
from memtui.text import cells, clip_left, elide, elide_left

_OWN_WORDS = frozenset({k.TERMINAL, k.R, k.JULIA, k.SAGE, k.LATEX, k.NODE, k.CONTAINER, k.CHILD})
"""Whose command line says as much as a name would."""

_FOLDER = 6  # cells below which a folder would tell nothing


def named(who: Known | None) -> bool:
    """Whether a name stands in place of the command line."""
    return who is not None and who.kind not in _OWN_WORDS


def clock(moment: float) -> str:
    """Return a moment as a clock shows it; with its day if that is another."""
    then, today = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%b %d %H:%M", then)


def _state(doing: Activity) -> Iterator[tuple[str, str]]:
    """(words, role), all of it constant while nothing happens: rows are formatted once."""
    if doing.orphaned:
        yield "orphaned", "warn"
    if doing.restarts:
        yield f"restarted {clock(doing.restarts[-1])}", "warn"
    if doing.busy:
        yield "busy", ""
    elif doing.idle_since is not None:
        least = "at least " if doing.at_least else ""
        yield f"idle since {least}{clock(doing.idle_since)}", "muted"
    if doing.connections == 0:
        yield "no tab", "muted"


def _kernel(who: Known) -> Line:
    title = k.kernel_words(who)
    line: Line = [(who.label, "bold")]
    if who.path is None and who.detail:
        line.append((f" {who.detail}", ""))
    between = "  "
    for words, role in [*_state(who.activity), (title if title != who.label else "", "muted")]:
        line += [(between, "muted"), (words, role)] if words else []
        between = " · "
    return line


def notebook_words(kernel: Proc, width: int, whole: str = "") -> Line:
    """Return a notebook in a table that says already how long it is idle: name, folder, trouble."""
    who = kernel.who
    if who is None:
        return []
    line: Line = [(who.label, "bold")]
    if who.activity.orphaned:
        line.append(("  orphaned", "warn"))
    if who.activity.restarts:
        line.append((f"  restarted {clock(who.activity.restarts[-1])}", "warn"))
    title = k.kernel_words(who)
    line.append(("" if title == who.label else f"  {title}", "muted"))
    folder = dirname(who.path) if who.path else who.detail.removeprefix("in ")
    cut = _cut([(text, whole or role) for text, role in line], width)
    room = width - width_of(cut) - 2
    return [*cut, (f"  {elide_left(folder, room)}" if room > _FOLDER else "", whole or "muted")]


def words(proc: Proc) -> Line:
    """Return what stands in place of the command line of a process that has a name."""
    who = proc.who
    if who is None:
        return [(proc.command, "")]
    if who.is_kernel:
        return _kernel(who)
    line: Line = [(who.label, "bold")]
    if who.detail:
        line.append((f" {who.detail}", ""))
    if who.parent:
        line.append((f" of {who.parent}", ""))
    return [*line, (f"  {proc.command}", "muted")]


def command(proc: Proc, width: int, whole: str = "", shift: int = 0) -> Line:
    """Return the name in `width` cells, as `rows.command` does a command line."""
    line = words(proc)
    if whole or shift:
        text = plain(line)
        return [(elide(clip_left(text, cells(text) - shift), width), whole)]
    return _cut(line, width)


def _cut(line: Line, width: int) -> Line:
    cut: Line = []
    for text, role in line:
        shown = elide(text, width)
        if not shown:
            break
        cut.append((shown, role))
        width -= cells(shown)
        if shown != text:
            break
    return cut
