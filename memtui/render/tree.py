"""What stands before a command in the tree view: the lines of the tree, and what is folded."""

from __future__ import annotations

from memtui.model.tree import Twig
from memtui.render.spans import Line, width_of
from memtui.text import clip_left

_LEFT = 12  # cells of a command that the lines of a deep tree leave


def lead(twig: Twig, width: int) -> Line:
    """Return the lines before a row, and `[+12]` where so many are folded away below it."""
    line: Line = []
    if twig.hidden:
        line.append((f"[+{twig.hidden}] ", "accent"))
    room = max(0, width - _LEFT - width_of(line))
    if not twig.lead:
        return line
    text = twig.lead if len(twig.lead) <= room else "…" + clip_left(twig.lead, room - 1)
    return [(text if room > 0 else "", "muted"), *line]


def lead_width(twig: Twig, width: int) -> int:
    """Return how many cells of the command column are the tree's: a click there folds."""
    return width_of(lead(twig, width))
