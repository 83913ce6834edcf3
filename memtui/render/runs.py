"""The lines of the dialog that runs a command: commands of before, methods."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.render.spans import Line, fitted, spread
from memtui.text import cells, elide, safe

Known = tuple[str, str, str]
"""A command of before: what it was, its limit as it was written, its method."""


def past_lines(
    past: Sequence[Known], top: int, chosen: int | None, width: int, height: int
) -> list[Line]:
    """Return commands of before with their limits, from `top` on, under a heading."""
    count = f"{len(past)} " if past else ""
    more = [(count, "head")] if len(past) > height - 1 else []
    lines = [spread([("Recent", "head")], [*more], width, "label")]
    for i, known in enumerate(past[top : top + height - 1], top):
        lines.append(_past_line(known, i == chosen, width))
    if not past:
        lines.append([("none that holds what is typed", "head")])
    lines += [[]] * (height - len(lines))
    return [fitted(line, width, "label") for line in lines[:height]]


def _past_line(known: Known, chosen: bool, width: int) -> Line:
    command, limit, method = known
    way = "" if method == "auto" else f"{method}  "
    right: Line = [(f"  {way}", "head"), (f"{safe(limit):>8} ", "label")]
    room = width - sum(cells(t) for t, _ in right) - 2
    mark = ("▸ ", "key") if chosen else ("  ", "label")
    return spread([mark, (elide(safe(command), room), "label")], right, width, "label")


def method_line(method: str, focused: bool, width: int) -> Line:
    """Return the field that chooses a method."""
    name = f" {method} "
    arrow = "key" if focused else "head"
    line: Line = [("◂", arrow), (name, "tab" if focused else "label"), ("▸", arrow)]
    return fitted(line, width, "label")
