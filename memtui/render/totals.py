"""The line of totals below the table, as smem's `-t` has it."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.model.fields import Field
from memtui.model.snapshot import Proc
from memtui.render.rows import Column
from memtui.render.spans import Line
from memtui.text import elide, fit
from memtui.units import processes, size, size_in

SUMMED = ("rss", "priv", "anon", "shmem", "swap", "pss", "uss")
"""The columns that are added up: each is a part of memory, or of swap."""

WHY = (
    "RES counts shared pages in each process, and no cache, tmpfs or kernel memory:"
    " its sum is not the quota's usage",
    "RES counts shared pages in each process",
    "",
)
"""Why the sum of RES is not what the bar says, as long as there is room for."""


def add_up(procs: Sequence[Proc], field: Field) -> tuple[int, int]:
    """Return the sum of a column over processes in bytes, and of how many it is not known."""
    try:
        return sum(map(field.sort, procs)), 0
    except TypeError:  # None among them
        known = [n for n in map(field.sort, procs) if n is not None]
        return sum(known), len(procs) - len(known)


def totals_line(
    procs: Sequence[Proc], columns: tuple[Column, ...], count: int, unit: str = ""
) -> Line:
    """Return the sums of memory columns below them, and in words what they leave out.

    `procs` are the processes of the table, without the rows that are none, `count` how many
    there are: a first look holds only the biggest, so that no sum is known yet.
    """
    line: Line = []
    whole = len(procs) >= count
    missing: dict[int, list[str]] = {}  # of so many processes these columns are unknown
    for column in columns:
        field = column.field
        if field.key == "command":
            said = ", ".join([processes(len(procs) if whole else count), *_unknown(missing)])
            texts = (f"{said}; {why}" if why else said for why in WHY)
            fitting = (t for t in texts if len(t) <= column.width)
            line.append((next(fitting, elide(said, column.width)), "head"))
            continue
        text = ""
        if field.key in SUMMED:
            total, unknown = add_up(procs, field)
            known = whole and unknown < max(1, len(procs))
            text = (size_in(total, unit) if unit else size(total)) if known else "?"
            if whole and unknown:
                missing.setdefault(unknown, []).append(field.title)
        line += [(fit(text, column.width, field.right), "sum"), (" ", "head")]
    return line


def _unknown(missing: dict[int, list[str]]) -> list[str]:
    return [f"{'/'.join(titles)} of {n} unknown" for n, titles in sorted(missing.items())]
