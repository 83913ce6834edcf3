"""What `memtui ps` prints: columns as they were asked for, sums below them, summaries, notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from memtui.model.asked import MAPPINGS
from memtui.model.fields import Field
from memtui.model.snapshot import ROLLUP, Proc
from memtui.render.rows import MIN_COMMAND, SIZES, Column, View
from memtui.render.spans import Line, width_of
from memtui.text import cells, fit, safe
from memtui.units import processes, size, size_in

if TYPE_CHECKING:
    from memtui.model.fields import Context
    from memtui.model.groups import Sum
    from memtui.model.sums import Head, Row

ADDED = frozenset({"virt", "priv", "anon", "shmem", "swap", "pss", "uss", "rss", "maps"})
"""The columns that `-t` adds up: smem's, and what is a part of memory."""
_CUT = 27  # cells that a command line gets where other columns follow, as in smem
_NAMED = 5  # processes named in a note


class Amounts(NamedTuple):
    """How sizes are written: with a suffix, in one unit, or as a share of the machine's memory."""

    unit: str = ""  # "K" of `units.SCALES`; "": with a suffix
    percent: bool = False
    total: int | None = None  # MemTotal, in bytes
    swap_total: int | None = None

    def text(self, n: int | None, swap: bool = False) -> str:
        """Return `n` bytes, of swap where `swap`, as text; unknown is `?`."""
        if n is None:
            return "?"
        if self.percent:
            whole = self.swap_total if swap else self.total
            return "?" if whole is None else f"{100 * n / whole:.2f}%" if whole else "·"
        return size_in(n, self.unit) if self.unit else size(n)


def dressed(columns: Sequence[Field], amounts: Amounts, numeric: bool, whole: bool) -> list[Field]:
    """Return the columns with sizes and users as asked for; `whole` cuts no text."""
    made = []
    for field in columns:
        if field.key == "user" and numeric:
            field = field._replace(text=lambda p, _: "?" if p.uid is None else str(p.uid))
        elif field.key == "cgroup" and whole:
            field = field._replace(text=lambda p, _: "?" if p.cgroup is None else safe(p.cgroup))
        elif field.key in SIZES and amounts.percent:
            text = _share(field, amounts)
            least = 9 if field.key in ("virt", "tree") else 7  # may be more than there is
            field = field._replace(text=text, width=max(least, field.width))
        made.append(field)
    return made


def _share(field: Field, amounts: Amounts) -> Callable[[Proc, Context], str]:
    def text(proc: Proc, context: Context) -> str:
        said = field.text(proc, context)
        if said in ("·", "?"):
            return said
        return "≤" * (said[0] == "≤") + amounts.text(field.sort(proc), field.key == "swap")

    return text


# -- columns that are all kept, whatever the width


def placed(
    fields: Sequence[Field], procs: Sequence[Proc], view: View, width: int | None
) -> tuple[Column, ...]:
    """Return where all these columns are; without a width each is as wide as its widest cell."""
    if view.unit:
        fields = [f._replace(width=max(9, f.width)) if f.key in SIZES else f for f in fields]
    columns, x = [], 0
    for i, field in enumerate(fields):
        last = i == len(fields) - 1
        if not field.width and not last:
            field = field._replace(key="words", width=_CUT, text=_words)
        if field.width and width is None and not field.right:  # numbers fit as they are
            field = field._replace(width=_widest(field, procs, view))
        cell = field.width or _rest(procs, width, x)
        columns.append(Column(field, cell, x))
        x += cell + 1
    return tuple(columns)


def _words(proc: Proc, _: Context) -> str:
    return f"[{proc.name}]" if proc.kernel_thread else proc.command


def _widest(field: Field, procs: Sequence[Proc], view: View) -> int:
    """How wide a column of text is that cuts nothing; the title has an arrow behind it."""
    widest = max((cells(text) for text in {field.text(p, view) for p in procs}), default=0)
    return max(widest, len(field.title) + 1)


def _rest(procs: Sequence[Proc], width: int | None, x: int) -> int:
    if width is not None:
        return max(MIN_COMMAND, width - x)
    # two cells a character at most, uncounted; a tree's lines stand before it
    return 2 * max((len(p.command) for p in procs), default=0) + 512


# -- sums below the columns


def totals(procs: Sequence[Proc], columns: Sequence[Column], amounts: Amounts) -> Line:
    """Return smem's line of totals: `≥` where some are not known."""
    line: Line = []
    for column in columns:
        field, text = column.field, ""
        if field.key == "pid":
            text = str(len(procs))
        elif field.key == "user":
            text = str(len({p.uid for p in procs}))
        elif field.key == "command" and not any(c.field.key == "pid" for c in columns):
            text = processes(len(procs))
        elif field.key in ADDED:
            text = _total(procs, field, amounts)
        width = max(column.width, cells(text)) if text else column.width
        if field.key == "command":
            line.append((text, "sum"))
        else:
            line += [(fit(text, width, field.right), "sum"), (" ", "")]
    return line


def _total(procs: Sequence[Proc], field: Field, amounts: Amounts) -> str:
    known = [n for n in map(field.sort, procs) if n is not None]
    if procs and not known:
        return "?"
    least = "≥" if len(known) < len(procs) else ""
    if field.key == "maps":
        return f"{least}{sum(known)}"
    return least + amounts.text(sum(known), field.key == "swap")


def ruled(columns: Sequence[Column], sums: Line, width: int | None) -> Line:
    """Return a rule over the sums; of ASCII where it goes to a pipe."""
    if width is not None:
        return [("─" * width, "rule")]
    fixed = [c for c in columns if c.field.width]
    title = 0 if len(fixed) == len(columns) else len(columns[-1].field.title)
    return [("-" * max(width_of(sums), sum(c.width + 1 for c in fixed) + title), "rule")]


# -- summaries


def summary(
    rows: Sequence[Row],
    heads: Sequence[Head],
    amounts: Amounts,
    order: tuple[str, bool],
    width: int | None,
    below: Sequence[str] = (),
) -> list[Line]:
    """Return the header and a line per row; `below` are cells of a last one, after a rule.

    `order` is the column sorted by and whether descending. Text is cut only where there is a
    width that it would pass.
    """
    table = [[_cell(row[h.key], h, amounts) for h in heads] for row in rows]
    titles = [h.title + ("▼" if order[1] else "▲") * (h.key == order[0]) for h in heads]
    widths = [
        max(h.width if h.kind != "text" else 4, *(cells(line[i]) for line in (titles, *table)))
        for i, h in enumerate(heads)
    ]
    if below:
        widths = [max(w, cells(b)) for w, b in zip(widths, below, strict=True)]
    texts = [i for i, h in enumerate(heads) if h.kind == "text"]
    over = sum(widths) + len(widths) - 1 - (width or 0)
    if width is not None and texts and over > 0:
        widths[texts[0]] = max(MIN_COMMAND, widths[texts[0]] - over)
    roles = [["head_sort" if h.key == order[0] else "head" for h in heads]]
    lines = [_joined(titles, heads, widths, roles[0], "head")]
    lines += [_joined(cells_, heads, widths, [""] * len(heads), "") for cells_ in table]
    if below:
        wide = max(map(width_of, lines))
        lines.append([("-" * wide if width is None else "─" * min(wide, width), "rule")])
        lines.append(_joined(below, heads, widths, ["sum"] * len(heads), ""))
    return lines


def _joined(
    texts: Sequence[str], heads: Sequence[Head], widths: Sequence[int], roles: Sequence[str],
    between: str,
) -> Line:  # fmt: skip
    line: Line = []
    for text, head, width, role in zip(texts, heads, widths, roles, strict=True):
        line += [(fit(text, width, head.kind != "text"), role), (" ", between)]
    return line[:-1]


def _cell(value: str | int | Sum | None, head: Head, amounts: Amounts) -> str:
    if head.kind == "text":
        return str(value)
    if head.kind == "count":
        return "?" if value is None else str(value)
    if value is None or isinstance(value, (int, str)):
        return amounts.text(None if value is None else int(value), head.key == "swap")
    return sum_text(value, amounts, head.key == "swap")


def sum_text(value: Sum, amounts: Amounts, swap: bool = False) -> str:
    """Return a sum of bytes: `≥` where some are not known, `?` where none is."""
    if value.told is None:
        return "?"
    return "≥" * bool(value.unknown) + amounts.text(int(value.value), swap)


def below(heads: Sequence[Head], sums: Sequence[Sum], amounts: Amounts, rows: int) -> list[str]:
    """Return the cells of a summary's last line: sums, and under a name how many there are."""
    return [
        str(rows) if h.kind == "text" and h.key != "area"
        else str(int(s.value)) if h.kind == "count" and h.key != "order"
        else sum_text(s._replace(unknown=0) if h.key in _OUTSIDE else s, amounts, h.key == "swap")
        if h.kind == "size"
        else ""
        for h, s in zip(heads, sums, strict=True)
    ]  # fmt: skip


_OUTSIDE = ("used", "cache", "noncache")  # their unknown areas lie outside of MemTotal


# -- notes


def named(procs: Sequence[Proc]) -> str:
    """Return whom a note is about: the biggest by name and PID, and how many more."""
    biggest = sorted(procs, key=lambda p: -p.rss)[:_NAMED]
    said = ", ".join(f"{p.name} ({p.pid})" for p in biggest)
    more = len(procs) - len(biggest)
    return said + (f" and {more} more" if more else "")


def unknowns(procs: Sequence[Proc], fields: Sequence[Field], grant: str) -> list[str]:
    """Return a sentence for each group of columns that are unknown of the same processes.

    `grant` is what it needs to read another's smaps_rollup; `Proc.unread` ends with it where
    that was the reason.
    """
    groups: dict[tuple[str, tuple[Proc, ...]], list[str]] = {}
    for field in fields:
        reasons: dict[str, list[Proc]] = {}
        for proc in procs:
            if field.sort(proc) is None:
                reasons.setdefault(_reason(field, proc, grant), []).append(proc)
        for why, missing in reasons.items():
            groups.setdefault((why, tuple(missing)), []).append(field.title)
    return [
        f"{', '.join(titles)} of {len(missing)} not known: {named(missing)}; {why}"
        for (why, missing), titles in groups.items()
    ]


def _reason(field: Field, proc: Proc, grant: str) -> str:
    """Why a value is unknown, and what would grant it."""
    if field.key in ("growth", "majflt"):
        return "one look does not tell it, the screen of memtui does"
    if not field.needs & (ROLLUP | MAPPINGS):
        return "see memtui doctor"
    return grant if grant in proc.unread else "ended meanwhile, or the kernel does not tell"
