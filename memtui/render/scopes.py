"""The tables of sums: which columns fit, and what stands in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from memtui.model.groups import Group, Sum
from memtui.model.scopes import CGROUPS, NOTEBOOKS, PROGRAMS, USERS
from memtui.model.tree import LONE, Twig
from memtui.render.names import notebook_words
from memtui.render.spans import Line, width_of
from memtui.render.tree import lead
from memtui.text import clip_left, elide, elide_left, fit, safe
from memtui.units import duration, percent, size


class GroupColumn(NamedTuple):
    """One column of a table of sums."""

    key: str  # of `groups.MEASURES`
    title: str
    width: int  # cells; 0 takes what is left
    keep: int  # the smallest is dropped first
    text: Callable[[Group, int | None], str]


def _sum(total: Sum) -> str:
    if total.told is None:
        return "?"
    text = size(round(total.told))
    return f"≥{text}" if total.unknown else text


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}" if value < 999.5 else ">999"


def _limit(group: Group) -> str:
    use = group.use
    if use is None or not use.limit_known:
        return "?"
    return "·" if use.limit is None else size(use.limit)


def _count(value: int | None) -> str:
    return "?" if value is None else "·" if not value else str(value) if value < 1e6 else ">999k"


def _psi(group: Group) -> str:
    return _share(group.use.some_avg10 if group.use else None)


def _quota(group: Group, limit: int | None) -> str:
    return "·" if group.under is None else _share(percent(group.under, limit))


def _own_share(group: Group) -> str:
    if group.share is None and group.use is not None and group.use.limit is None:
        return "·"
    return _share(group.share)


def _idle(group: Group) -> str:
    doing = group.kernel.who.activity if group.kernel and group.kernel.who else None
    if doing is not None and doing.busy:
        return "busy"
    if doing is None or group.idle is None:
        return "?"
    return f"{'≥' if doing.at_least else ''}{duration(group.idle)}"


def _tabs(group: Group) -> str:
    doing = group.kernel.who.activity if group.kernel and group.kernel.who else None
    return "?" if doing is None or doing.connections is None else str(doing.connections)


_NAME = {USERS: "USER", PROGRAMS: "PROGRAM", CGROUPS: "CGROUP", NOTEBOOKS: "NOTEBOOK"}
_SUMS = (
    GroupColumn("count", "PROCS", 6, 90, lambda g, _: str(g.number)),
    GroupColumn("rss", "RES", 6, 95, lambda g, _: _sum(g.rss)),
    GroupColumn("quota", "%QUOTA", 7, 60, _quota),
    GroupColumn("pss", "PSS", 6, 80, lambda g, _: _sum(g.pss)),
    GroupColumn("uss", "USS", 6, 70, lambda g, _: _sum(g.uss)),
    GroupColumn("swap", "SWAP", 6, 75, lambda g, _: _sum(g.swap)),
    GroupColumn("cpu", "CPU%", 6, 65, lambda g, _: _share(g.cpu.told)),
)
_CGROUP = (
    GroupColumn("count", "PROCS", 6, 60, lambda g, _: str(g.number)),
    GroupColumn("usage", "USED", 6, 99, lambda g, _: size(g.use.usage if g.use else None)),
    GroupColumn("limit", "LIMIT", 6, 95, lambda g, _: _limit(g)),
    GroupColumn("share", "%LIMIT", 7, 97, lambda g, _: _own_share(g)),
    GroupColumn("swap", "SWAP", 6, 50, lambda g, _: size(g.use.swap if g.use else None)),
    GroupColumn("oom", "OOM", 6, 93, lambda g, _: _count(g.oom_kill)),
    GroupColumn("psi", "STALL%", 7, 70, lambda g, _: _psi(g)),
    GroupColumn("cpu", "CPU%", 6, 40, lambda g, _: _share(g.cpu.told)),
)
_NOTEBOOK = (
    *_SUMS,
    GroupColumn("idle", "IDLE", 7, 92, lambda g, _: _idle(g)),
    GroupColumn("tabs", "TABS", 4, 62, lambda g, _: _tabs(g)),
)
_COLUMNS = {CGROUPS: _CGROUP, NOTEBOOKS: _NOTEBOOK}
_MIN_NAME = 20


def solve_groups(
    scope: str, width: int, without: frozenset[str] = frozenset()
) -> list[GroupColumn]:
    """Return the columns of a scope that fit `width` cells, the name last."""
    kept = [c for c in _COLUMNS.get(scope, _SUMS) if c.key not in without]
    while len(kept) > 1 and width - sum(c.width + 1 for c in kept) < _MIN_NAME:
        kept.remove(min(kept, key=lambda c: c.keep))
    return [*kept, GroupColumn("name", _NAME[scope], 0, 100, lambda g, _: g.key)]


def groups_header(columns: Sequence[GroupColumn], key: str, descending: bool) -> Line:
    """Return the header; the sorted column is marked with its direction."""
    line: Line = []
    for column in columns:
        title, role = column.title, "head"
        if column.key == key:
            title, role = title + ("▼" if descending else "▲"), "head_sort"
        line += [(fit(title, column.width or len(title), bool(column.width)), role), (" ", "head")]
    return line


def group_column_at(columns: Sequence[GroupColumn], x: int) -> str | None:
    """Return the key of the column whose header lies at cell `x`."""
    at = 0
    for column in columns:
        at += column.width + 1
        if x < at or not column.width:
            return column.key
    return None


def _role(column: GroupColumn, text: str, group: Group, limit: int | None) -> str:
    if text in ("·", "?", "0", "0.0"):
        return "muted"
    if column.key == "share" and group.share is not None:
        return "crit" if group.share >= 90 else "warn" if group.share >= 75 else ""
    if column.key == "oom":
        return "crit"
    if column.key == "quota" and limit and group.under is not None:
        share = 100 * group.under / limit
        return "crit" if share >= 90 else "warn" if share >= 75 else ""
    return ""


def group_row(
    group: Group,
    columns: Sequence[GroupColumn],
    width: int,
    limit: int | None,
    twig: Twig = LONE,
    mark: str = "",
) -> Line:
    """Return one group as a line of `width` cells. `mark` is a role for the whole row, as "tag"."""
    line: Line = []
    for column in columns[:-1]:
        text = column.text(group, limit)
        role = mark or _role(column, text, group, limit)
        line.append((fit(text, column.width, True) + " ", role))
    room = max(0, width - width_of(line))
    before = lead(twig, room)
    room -= width_of(before)
    name = safe(group.key)
    if group.kernel is not None:
        return [*line, *notebook_words(group.kernel, room, mark)]
    if group.use is None:
        return [*line, (elide(name, room), "bold")]
    if twig.lead and "/" in name:
        name = name.rpartition("/")[2]
    name = name if len(name) <= room else elide_left(name, room)
    return [*line, *before, (clip_left(name, room), "bold" if group.number else "muted")]
