"""The borders between the parts of the main screen: where one may stand, and how it looks."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.render.frame import SIDE_FROM, Shown, Sizes, geometry, side_width
from memtui.render.spans import Line

DETAILS, GRAPH, PANELS = BORDERS = Sizes._fields
"""Left of the details, left of the graph, above the panels: the fields of `Sizes` they are."""
_NAMES = {
    DETAILS: ("details", "columns"),
    GRAPH: ("graph", "columns"),
    PANELS: ("panels below the table", "lines"),
}
_BOLD = str.maketrans("│─┬", "┃━┳")


def size_of(border: str, shown: Shown, width: int, height: int) -> int:
    """Return how far the part behind a border reaches, in cells; 0 where there is none."""
    g = geometry(width, height, shown)
    if border == DETAILS:
        return side_width(width, shown)
    return g.bottom if border == PANELS or not g.bottom else g.right


def placed(border: str, size: int, shown: Shown, width: int, height: int) -> Shown:
    """Return what is shown with a border put so that `size` cells are behind it, or nearly."""
    if not size_of(border, shown, width, height):
        return shown
    # what does not fit this screen is not kept: the next step would not be seen
    new = _with(shown, **{border: max(1, size)})
    return _with(new, **{border: size_of(border, new, width, height)})


def _with(shown: Shown, **sizes: int) -> Shown:
    return shown._replace(sizes=shown.sizes._replace(**sizes))


def dragged(border: str, x: int, y: int, shown: Shown, width: int, height: int) -> Shown:
    """Return what is shown with a border put where the mouse is on the screen."""
    size = height - 1 - y if border == PANELS else width - x
    return placed(border, size, shown, width, height)


def cleared(borders: Sequence[str], shown: Shown) -> Shown:
    """Return what is shown with these borders as the screen has them."""
    return _with(shown, **dict.fromkeys(borders, 0))


def words(border: str, shown: Shown, width: int, height: int) -> str:
    """Say how large the part behind a border is now, or why there is none."""
    name, unit = _NAMES[border]
    size = size_of(border, shown, width, height)
    if size:
        return f"{name}: {size} {unit}; Ctrl-Home puts all borders back"
    if border == DETAILS:
        if width < SIDE_FROM:
            return f"there is room for details from {SIDE_FROM} columns on: Enter shows them"
        return "details are hidden: D shows them"
    return f"there is no room here for the {name}"


def lit(line: Line, on: bool = True) -> Line:
    """Return a line with its borders as they look where the mouse holds them."""
    if not on:
        return line
    return [(t.translate(_BOLD), "accent") if r == "rule" else (t, r) for t, r in line]
