"""The main screen as a whole: how high each part is, and the first frame of it.

One function decides the geometry, for the TUI and for the frame that is painted before Textual
is imported, so that the one replaces the other without a jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memtui.model import fields
from memtui.model.fields import DEFAULT, chosen
from memtui.model.query import Order, sort
from memtui.model.scopes import ALL, scopes
from memtui.model.snapshot import Snapshot
from memtui.model.tree import LONE
from memtui.render.quota import limit_words, quota_lines
from memtui.render.rows import View, header, row, solve
from memtui.render.spans import Line, fitted, rule, spread, width_of
from memtui.render.tabs import scopes_line
from memtui.render.totals import totals_line
from memtui.text import cells, elide, safe
from memtui.units import processes

MIN_WIDTH, MIN_HEIGHT = 40, 10
SIDE_FROM = 160
"""Columns from which there is room for details beside the table."""
_LEAST_DETAILS, _LEAST_BESIDE = 36, 80  # cells of the column, and of the table beside it
_LEAST_GRAPH, _LEAST_EVENTS = 20, 30  # cells
_LEAST_PANELS, _LEAST_TABLE = 3, 6  # lines
_ROOMY, _SHORT = 30, 14  # lines from which totals are shown, and can be
KEYS = (
    ("F1", "Help", "help"),
    ("F2", "Cols", "columns"),
    ("F3", "Search", "search"),
    ("F4", "Filter", "filter"),
    ("F5", "Tree", "tree"),
    ("F6", "Sort", "sort_menu"),
    ("F9", "Kill", "kill"),
    ("r", "Run", "run"),
    ("J", "Jobs", "jobs"),
    ("g", "Charts", "charts"),
    ("o", "OOM", "oom"),
    ("i", "Limits", "limits"),
    ("x", "Explain", "explain"),
    ("F10", "Quit", "app.quit"),
)
"""The function-key bar: key, label, action."""


class Sizes(NamedTuple):
    """How large the parts behind borders were made, in cells; 0: as the screen has it."""

    details: int = 0  # columns, with the border itself
    graph: int = 0
    panels: int = 0  # lines


class Shown(NamedTuple):
    """What of the table is shown, as chosen and saved."""

    columns: tuple[str, ...] = DEFAULT
    totals: bool | None = None  # None: where there is room
    pools: bool = True  # rows for memory that belongs to no process
    tree: bool = False  # children below their parents
    kernel: bool = True  # kernel threads too
    paths: bool = True  # programs with the directory they lie in
    names: bool = True  # what people call a process in place of its command line
    unit: str = ""  # "K", "M" or "G" for all sizes; "": as their magnitude has it
    details: bool = True  # a column of details, where there is room for one
    sizes: Sizes = Sizes()

    def has_totals(self, height: int) -> bool:
        """Whether there is a line of totals on a screen of `height` lines."""
        return height >= _ROOMY if self.totals is None else self.totals and height >= _SHORT


class Geometry(NamedTuple):
    """Heights in lines, and the widths of the two panels at the bottom."""

    title: int
    quota: int
    scopes: int  # the line that names the scopes, and what narrows the table
    table: int  # with its header line
    bottom: int  # OOM events and graph
    keys: int
    left: int  # cells of the events panel
    right: int  # cells of the graph; 0: there is no room for one


def geometry(width: int, height: int, shown: Shown = Shown()) -> Geometry:  # noqa: B008
    """Return the heights and widths of the main screen's parts."""
    quota = 5 if height >= 30 else 3 if height >= 16 else 2 if height >= 12 else 1
    bottom = 7 if height >= 30 else 4 if height >= 20 else 0
    right = 0 if width < 72 else min(62, width * 2 // 5)
    scopes = 1 if height >= 20 else 0
    if bottom and shown.sizes.panels:
        most = height - 2 - quota - scopes - _LEAST_TABLE
        bottom = within(shown.sizes.panels, _LEAST_PANELS, most)
    if right and shown.sizes.graph:
        right = within(shown.sizes.graph, _LEAST_GRAPH, width - _LEAST_EVENTS)
    table = height - 1 - quota - scopes - bottom - 1
    return Geometry(1, quota, scopes, table, bottom, 1, width - right, right)


def side_width(width: int, shown: Shown) -> int:
    """Return the cells of the column of details at the right of the table; 0: there is none."""
    if width < SIDE_FROM or not shown.details:
        return 0
    if shown.sizes.details:
        return within(shown.sizes.details, _LEAST_DETAILS, width - _LEAST_BESIDE)
    return min(72, 54 + (width - SIDE_FROM) // 4)


def within(number: int, least: int, most: int) -> int:
    """Return the number from `least` to `most` that is nearest to `number`."""
    return max(least, min(number, most))


def kills_words(kills: int, earlier: int) -> Line:
    """Return how many OOM kills there were, since memtui started and before."""
    if kills:
        return [(f"■ {kills} OOM kill{'s' if kills > 1 else ''} ", "crit")]
    if earlier:
        return [(f"{earlier} OOM kill{'s' if earlier > 1 else ''} before start ", "warn")]
    return [("no OOM kill ", "muted")]


def title_line(
    snapshot: Snapshot, kills: int, earlier: int, width: int, words: Sequence[str] = ()
) -> Line:
    """Return the top line: what limits, how many processes, how many OOM kills.

    `words` say what narrows the table where the line of scopes has no room to.
    """
    right = kills_words(kills, earlier)
    middle = f"{processes(snapshot.count)}  ·  every {snapshot.delay_s:g} s"
    middle, role = (safe("  ·  ".join(words)), "warn") if words else (middle, "muted")
    room = width - width_of(right) - len(" memtui  ") - 2
    words_of_limit = limit_words(snapshot.quota, max(12, room - cells(middle) - 5))
    line: Line = [(" memtui  ", "accent")]
    if cells(words_of_limit) + cells(middle) + 5 <= room:
        line += [(words_of_limit, ""), ("  ·  ", "muted"), (middle, role)]
    else:
        line.append(
            (elide(middle if words else words_of_limit, max(4, room)), role if words else "")
        )
    return spread(line, right, width)


def _keys(width: int) -> list[tuple[str, str, str]]:
    """Return the keys that fit the bar; those before F10 give way."""
    shown = list(KEYS)
    while len(shown) > 1 and sum(len(key) + len(label) + 3 for key, label, _ in shown) > width:
        del shown[-2]
    return shown


def keys_line(width: int) -> Line:
    """Return the function-key bar."""
    line: Line = []
    for key, label, _ in _keys(width):
        line += [(f" {key}", "key"), (f" {label} ", "label")]
    return fitted(line, width, "label")


def key_at(x: int, width: int) -> str | None:
    """Return the action whose label lies at cell `x` of the function-key bar."""
    at = 0
    for key, label, action in _keys(width):
        at += len(key) + len(label) + 3
        if x < at:
            return action
    return None


def graph_title() -> Line:
    """Return the heading of the two-minute graph."""
    return [("memory", "bold"), (", last 2 min", "muted")]


def needs(width: int, order: Order, shown: Shown) -> int:
    """Return what has to be read for the columns that fit, and for the order: bits."""
    columns = solve(width - side_width(width, shown) - 1, chosen(shown.columns))
    return fields.needs((*(c.field.key for c in columns), order.key))


def first_frame(
    snapshot: Snapshot,
    width: int,
    height: int,
    order: Order,
    uid: int | None,
    shown: Shown = Shown(),  # noqa: B008 - immutable
    wanted: str = "",
) -> list[Line]:
    """Return every line of the screen before the TUI stands. `wanted` is a filter that is one."""
    g = geometry(width, height, shown)
    limit = snapshot.quota.binding.bytes if snapshot.quota.binding else None
    view = View(
        limit,
        uid,
        host=snapshot.quota.host.total,
        boot=snapshot.boot,
        now=int(snapshot.time) if wanted or "age" in shown.columns else None,
        paths=shown.paths,
        unit=shown.unit,
        level=snapshot.quota.level_path,
    )
    side = side_width(width, shown)
    table, words = _first_rows(snapshot, width - side, height, order, view, shown, wanted)
    if side:
        table = [line + fitted([("│", "rule")], side) for line in table]
    lines = [fitted(title_line(snapshot, 0, 0, width, () if g.scopes else words), width)]
    box = quota_lines(snapshot.quota, width, g.quota, snapshot.trend)
    lines += [fitted(line, width) for line in box]
    if g.scopes:
        there = scopes(snapshot.procs, snapshot.quota)
        lines.append(fitted(scopes_line(there, ALL, words, width), width))
    lines += table
    if g.bottom:
        top = rule([("OOM events", "bold")], g.left)
        if g.right:
            top += rule(graph_title(), g.right, None, "┬")
        lines += [top, *[fitted([], width)] * (g.bottom - 1)]
    return [*lines, keys_line(width)]


def _first_rows(
    snapshot: Snapshot,
    width: int,
    height: int,
    order: Order,
    view: View,
    shown: Shown,
    wanted: str,
) -> tuple[list[Line], list[str]]:
    """The table of the first frame, and what narrows it in words."""
    columns = solve(width - 1, chosen(shown.columns), shown.unit, shown.tree)
    totals = shown.has_totals(height)
    room = geometry(width, height, shown).table - 1 - totals
    procs, twigs, words = snapshot.procs, None, []
    if wanted or shown.tree or not shown.kernel:  # else its import would cost time
        from memtui.model.listing import listed

        rows, twigs, procs = listed(snapshot.procs, order, shown.tree, shown.kernel, wanted, view)
        if wanted:
            words = narrow_words(wanted, len(procs), snapshot.count)
    else:
        rows = sort(procs, order)
    lines = [fitted(header(columns, order), width, "head")]
    for i, proc in enumerate(rows[:room]):
        lines.append(fitted(row(proc, columns, view, "", twigs[i] if twigs else LONE), width))
    lines += [fitted([], width)] * (room - len(rows))
    if totals:
        whole = len(snapshot.procs) >= snapshot.count
        count = len(procs) if whole else snapshot.count
        lines.append(fitted(totals_line(procs, columns, count, shown.unit), width, "head"))
    return lines, words


def narrow_words(wanted: str, matched: int, count: int) -> list[str]:
    """Return what a filter is, and how many it lets through."""
    return [f"filter {elide(wanted, 40)}", f"{matched} of {count}"]
