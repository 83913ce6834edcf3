"""Process rows: which columns fit, and what stands in each."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from memtui.model.fields import Field, chosen, limit_share
from memtui.model.query import Order
from memtui.model.snapshot import Identity, Proc
from memtui.model.tasks import Task
from memtui.model.tree import LONE, Twig
from memtui.render.spans import Line, width_of
from memtui.render.tree import lead
from memtui.text import cells, clip_left, elide, fit, show
from memtui.units import size_in, size_short

MIN_COMMAND, MIN_TREE = 18, 34  # cells that a command, and one in a tree, has at least
DOOMED = "†"
"""Stands before the command of whom the OOM killer would take now."""
SIZES = frozenset(
    {"virt", "rss", "shr", "priv", "anon", "shmem", "swap", "pss", "uss", "peak", "limit", "tree"}
)
"""The columns that one unit can be chosen for."""
_SCALED = {"K": 9, "M": 8, "G": 7}  # cells that they take then
_OF_TASKS = frozenset(
    {"pid", "ppid", "user", "uid", "state", "nice", "prio", "cpu", "time", "start", "age"}
)


class Column(NamedTuple):
    """A field and the cells it got; `x` is where it begins."""

    field: Field
    width: int
    x: int


class View(NamedTuple):
    """What a row's look depends on beside the process itself."""

    limit: int | None = None  # bytes, of the limit that binds
    uid: int | None = None  # whose rows are not dimmed; None dims nobody
    shift: int = 0  # cells that command lines are scrolled to the left
    doomed: Collection[Identity] = ()  # whom the OOM killer would take now
    host: int | None = None  # MemTotal, in bytes
    total: int | None = None  # bytes that oom_score_adj is a share of
    boot: int | None = None  # seconds since the epoch when the clock of `Proc.start` was 0
    now: int | None = None  # seconds since the epoch, where an age is shown
    level: str | None = None  # the cgroup whose limit it is; None: the machine's
    paths: bool = True  # the program with the directory it lies in
    names: bool = True  # what people call it in place of the command line, where it has a name
    unit: str = ""  # "K", "M" or "G" for all sizes; "": as their magnitude has it


def solve(
    width: int, fields: tuple[Field, ...] | None = None, unit: str = "", tree: bool = False
) -> tuple[Column, ...]:
    """Return the columns that fit `width` cells; the least important are dropped first."""
    least = min(MIN_TREE, width // 2) if tree else MIN_COMMAND
    kept = list(fields or chosen())
    if unit:
        kept = [f._replace(width=_SCALED[unit]) if f.key in SIZES else f for f in kept]

    def left() -> int:
        return width - sum(f.width + 1 for f in kept if f.width)

    while len(kept) > 2 and left() < least:
        kept.remove(min((f for f in kept if f.width), key=lambda f: f.keep))
    columns, x = [], 0
    for f in kept:
        w = f.width or max(0, width - x)
        columns.append(Column(f, w, x))
        x += w + 1
    return tuple(columns)


def header(columns: tuple[Column, ...], order: Order) -> Line:
    """Return the header line; the sorted column is marked with its direction."""
    line: Line = []
    for column in columns:
        title, role = column.field.title, "head"
        if column.field.key == order.key:
            title, role = title + ("▼" if order.descending else "▲"), "head_sort"
        line.append((fit(title, column.width, column.field.right), role))
        line.append((" ", "head"))
    return line


def column_at(columns: tuple[Column, ...], x: int) -> Field | None:
    """Return the field whose header lies at cell `x`; the blank before it counts as its own."""
    for column in columns:
        if x < column.x + column.width + (0 if column.field.right else 1):
            return column.field
    return None


def _number_role(field: Field, text: str, proc: Proc, view: View) -> str:
    if text in ("0.0", "·", "0", "?") or field.needs & proc.stale:
        return "muted"
    if field.key == "quota" and (share := limit_share(proc, view)) is not None:
        return "crit" if share >= 75 else "warn" if share >= 50 else ""
    return ""


def row(
    proc: Proc, columns: tuple[Column, ...], view: View, mark: str = "", twig: Twig = LONE
) -> Line:
    """Return one process as a line. `mark` is a role for the whole row, as "tag"."""
    if proc.pool:
        return _pool_row(proc, columns, view)
    task = isinstance(proc, Task)
    foreign = view.uid is not None and proc.uid != view.uid
    dim = foreign or proc.kernel_thread or proc.state == "Z" or task
    whole = mark or ("muted" if dim else "")
    line: Line = []
    for column in columns:
        field = column.field
        if field.key == "command":
            before = lead(twig, column.width)
            before += [("▶ ", whole)] * (mark == "job")
            before += [(f"{DOOMED} ", "doomed")] * (proc.identity in view.doomed)
            room = column.width - width_of(before)
            line += [*before, *_words(proc, room, whole, view)]
            continue
        text = "·" if task and field.key not in _OF_TASKS else _text(field, proc, view)
        role = whole or _number_role(field, text, proc, view)
        line.append((fit(text, column.width, field.right) + " ", role))
    return line


def _text(field: Field, proc: Proc, view: View) -> str:
    """A cell's text, in the unit chosen where it is a size."""
    text = field.text(proc, view)
    if not view.unit or field.key not in SIZES or text in ("·", "?"):
        return text
    scaled = ("≤" if text[0] == "≤" else "") + size_in(field.sort(proc), view.unit)
    return scaled if len(scaled) <= _SCALED[view.unit] else text


def _pool_row(pool: Proc, columns: tuple[Column, ...], view: View) -> Line:
    """Memory that belongs to no process: how much, which share, and what it is."""
    role = "muted" if pool.pool == "cache" else "pool"  # cache is no danger by itself
    line: Line = []
    for column in columns:
        field = column.field
        if field.key == "command":
            text = elide(clip_left(pool.command, cells(pool.command) - view.shift), column.width)
            line.append((text, role))
            continue
        text = ""
        if field.key == "rss":
            text = size_in(pool.rss, view.unit) if view.unit else size_short(pool.rss)
        elif field.key in ("quota", "host") and pool.rss > 0:
            text = field.text(pool, view)
        line.append((fit(text, column.width, field.right) + " ", role))
    return line


def _program(proc: Proc) -> str:
    """The beginning of the command line that names the program."""
    first, _, more = proc.argv.partition(b"\0")
    if not more.strip(b"\0"):  # a process that wrote its own title: "postgres: writer"
        first = first.split(b" ", 1)[0]
    return show(first)


def command(proc: Proc, width: int, whole: str = "", shift: int = 0, paths: bool = True) -> Line:
    """Return the command line with the program's name standing out from path and arguments.

    `whole` is one role for all of it; `shift` cells are scrolled away at the left; without
    `paths` the directory of the program is left out.
    """
    if proc.kernel_thread:
        return [(elide(f"[{proc.name}]", width), whole or "muted")]
    words = proc.command
    program = _program(proc) if proc.argv else words
    slash = program.rfind("/") + 1 if program.startswith("/") else 0
    if slash and not paths and words.startswith(program):
        words, program, slash = words[slash:], program[slash:], 0
    if whole or shift:
        return [(elide(clip_left(words, cells(words) - shift), width), whole)]
    text = elide(words, width)
    if not text.startswith(program):  # cut within the program's name
        return [(text[:slash], "muted"), (text[slash:], "bold")]
    end = len(program)
    return [(text[:slash], "muted"), (text[slash:end], "bold"), (text[end:], "")]


def _words(proc: Proc, width: int, whole: str, view: View) -> Line:
    """The name of a process that has one, else its command line."""
    if view.names and proc.who is not None:
        from memtui.render import names  # nobody has a name yet in the first frame

        if names.named(proc.who):
            return names.command(proc, width, whole, view.shift)
    return command(proc, width, whole, view.shift, view.paths)
