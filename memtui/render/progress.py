"""The live line of a command under a limit: now, peak, limit, time."""

from __future__ import annotations

from typing import NamedTuple

from memtui.render.palette import level
from memtui.render.quota import ANON, bar
from memtui.render.spans import Line, width_of
from memtui.units import duration, percent, size_long

_LEAST_BAR, _MOST_BAR = 8, 40
_PEAK = "│"


class State(NamedTuple):
    """How a command stands. Sizes are bytes; None is not known."""

    seconds: float
    now: int | None
    peak: int | None
    limit: int
    time_s: float | None = None  # its time limit
    per_process: bool = False  # the sizes are of its largest process


def plain_line(state: State) -> str:
    """Return the same in words, for a log."""
    of = "largest process " if state.per_process else ""
    told = f"{duration(state.seconds)}: {of}{size_long(state.now)} of {size_long(state.limit)}"
    return f"{told}, peak {size_long(state.peak)}"


def _numbers(state: State) -> list[Line]:
    """Return what is told beside the bar, what goes first last."""
    share = percent(state.now, state.limit)
    role = level(share)
    time = duration(state.seconds)
    if state.time_s is not None:
        time += f" of {duration(state.time_s)}"
    of = " a process" if state.per_process else ""
    return [
        [(f" {size_long(state.now)}", role), (f" of {size_long(state.limit)}{of}", "")],
        [(f"  {time}", "muted")],
        [("  peak ", "muted"), (size_long(state.peak), "")],
        [("  ?" if share is None else f"  {share:.0f} %", role)],
    ]


def progress_line(state: State, width: int) -> Line:
    """Return the line, less than `width` cells wide; the bar goes where there is no room."""
    parts = _numbers(state)
    head: Line = [("memtui ", "muted")]
    while len(parts) > 1 and _width(head, *parts) + _LEAST_BAR >= width:
        parts.pop()
    room = width - 1 - _width(head, *parts)
    if room < _LEAST_BAR:
        return parts[0]
    marks = {_PEAK: state.peak} if state.peak else {}
    filled = bar([(state.now or 0, ANON)], state.limit, min(room, _MOST_BAR), marks)
    return head + filled + [span for part in parts for span in part]


def _width(*parts: Line) -> int:
    return sum(map(width_of, parts))
