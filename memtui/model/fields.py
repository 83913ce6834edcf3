"""The one table of columns: the table, `memtui ps`, the sort menu and help all read it."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from memtui.model.snapshot import Proc
from memtui.units import cpu_time, percent, size

Text = Callable[[Proc, "int | None"], str]
"""A cell's text from a process and the limit in bytes that binds."""


class Field(NamedTuple):
    """One column: how it is titled, measured, sorted and explained."""

    key: str
    title: str
    width: int  # cells; 0 takes what is left
    right: bool
    descending: bool  # natural direction: biggest first for quantities
    keep: int  # the smallest number is dropped first when the screen is narrow
    sort: Callable[[Proc], Any]
    text: Text
    help: str


def _cpu(proc: Proc) -> float:
    return -1.0 if proc.cpu_pct is None else proc.cpu_pct


def _cpu_text(proc: Proc, limit: int | None) -> str:
    pct = proc.cpu_pct
    return "?" if pct is None else f"{pct:.1f}" if pct < 999.5 else ">999"


def _quota_text(proc: Proc, limit: int | None) -> str:
    pct = percent(proc.rss, limit)
    return "?" if pct is None else f"{pct:.1f}" if pct < 999.5 else ">999"


def _memory(proc: Proc, value: int) -> str:
    return "·" if proc.kernel_thread else size(value)


FIELDS = (
    Field(
        "pid", "PID", 7, True, False, 90,
        attrgetter("pid"), lambda p, _: str(p.pid),
        "process ID",
    ),
    Field(
        "user", "USER", 8, False, False, 40,
        attrgetter("user"), lambda p, _: p.user,
        "effective user, /proc/PID/status",
    ),
    Field(
        "state", "S", 2, False, False, 50,
        attrgetter("state"), lambda p, _: p.state,
        "R running, S sleeping, D waiting for I/O, Z dead and not collected, T stopped, I idle",
    ),
    Field(
        "virt", "VIRT", 5, True, True, 20,
        attrgetter("virt"), lambda p, _: _memory(p, p.virt),
        "address space, touched or not: not a measure of use",
    ),
    Field(
        "rss", "RES", 5, True, True, 99,
        attrgetter("rss"), lambda p, _: _memory(p, p.rss),
        "resident memory (RSS), shared pages counted in full; /proc/PID/statm",
    ),
    Field(
        "shr", "SHR", 5, True, True, 10,
        attrgetter("shr"), lambda p, _: _memory(p, p.shr),
        "the part of RES backed by files or shared memory, whether shared with others or not",
    ),
    Field(
        "quota", "%QUOTA", 7, True, True, 80,
        attrgetter("rss"), lambda p, limit: "·" if p.kernel_thread else _quota_text(p, limit),
        "RES in per cent of the limit that binds",
    ),
    Field(
        "cpu", "CPU%", 5, True, True, 60,
        _cpu, _cpu_text,
        "CPU since the last refresh (in `memtui ps`: since the start), per cent of one CPU",
    ),
    Field(
        "time", "TIME+", 8, True, True, 30,
        attrgetter("cpu_time"), lambda p, _: cpu_time(p.cpu_time),
        "CPU time since the start, user and system",
    ),
    Field(
        "command", "COMMAND", 0, False, False, 100,
        attrgetter("command"), lambda p, _: p.command,
        "command line; the program's name stands out",
    ),
)  # fmt: skip

BY_KEY = {f.key: f for f in FIELDS}
_ALIASES = {"mem": "rss", "memory": "rss", "m": "rss", "p": "cpu", "t": "time", "n": "pid"}


def find(name: str) -> Field:
    """Return the column a person means by key or title. Raises ValueError with a sentence."""
    word = name.strip().lower()
    word = _ALIASES.get(word, word)
    for field in FIELDS:
        if word in (field.key, field.title.lower(), field.title.lower().strip("%+")):
            return field
    raise ValueError(f"no column {name!r}: choose from {', '.join(f.key for f in FIELDS)}")
