"""The one table of columns: the table, `memtui ps`, the sort menu and help all read it."""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from memtui.kernel.levels import at_or_below
from memtui.kernel.procfs import TICKS_PER_S
from memtui.model.snapshot import (
    ADJ,
    BADNESS,
    GROWTH,
    LIMIT,
    NO_LIMIT,
    ROLLUP,
    STATUS,
    TREE,
    Proc,
)
from memtui.text import elide_left, safe
from memtui.units import cpu_time, duration, percent, signed, size

if TYPE_CHECKING:
    from typing import Protocol

    class Context(Protocol):
        """What a cell depends on beside its process; None is unknown."""

        @property
        def limit(self) -> int | None:
            """The limit that binds, in bytes."""

        @property
        def level(self) -> str | None:
            """The cgroup whose limit that is; None: the machine's."""

        @property
        def host(self) -> int | None:
            """MemTotal, in bytes."""

        @property
        def total(self) -> int | None:
            """What oom_score_adj is a share of, in bytes: see `badness.total_of`."""

        @property
        def boot(self) -> int | None:
            """Seconds since the epoch when the clock of `Proc.start` was 0."""

        @property
        def now(self) -> int | None:
            """Seconds since the epoch; told only to those who show an age."""


Text = Callable[[Proc, "Context"], str]
"""A cell's text from a process and what is around it."""

_CGROUP = 24


def counts(proc: Proc, level: str | None) -> bool:
    """Whether a process is under the limit of the cgroup `level`; of unknown cgroup, it may be."""
    if proc.kernel_thread:
        return False
    return level is None or proc.cgroup is None or at_or_below(proc.cgroup, level)


def limit_share(proc: Proc, around: Context) -> float | None:
    """Return RES in per cent of the limit that binds; None of who is not under it."""
    return percent(proc.rss, around.limit) if counts(proc, around.level) else None


class Field(NamedTuple):
    """One column: how it is titled, measured, sorted and explained."""

    key: str
    title: str
    width: int  # cells; 0 takes what is left
    right: bool
    descending: bool  # natural direction: biggest first for quantities
    keep: int  # the smallest number is dropped first when the screen is narrow
    sort: Callable[[Proc], Any]  # None: unknown, which comes last whatever the direction
    text: Text
    help: str
    needs: int = 0  # bits as ROLLUP: what is read for this column alone


def _share(part: int | None, whole: int | None) -> str:
    pct = percent(part, whole)
    return "?" if pct is None else f"{pct:.1f}" if pct < 999.5 else ">999"


def _cpu_text(proc: Proc, _: Context) -> str:
    pct = proc.cpu_pct
    return "?" if pct is None else f"{pct:.1f}" if pct < 999.5 else ">999"


def _memory(proc: Proc, value: int | None) -> str:
    return "·" if proc.kernel_thread else size(value)


def _prio_text(proc: Proc, _: Context) -> str:
    prio = proc.prio
    return "?" if prio is None else "RT" if prio <= -100 else str(prio)


def _count(n: int) -> str:
    return str(n) if n < 100_000 else ">99k"


def _rate_text(proc: Proc, _: Context) -> str:
    rate = proc.majflt_per_s
    if rate is None:
        return "?"
    return f"{rate:.1f}" if rate < 999.5 else f"{rate:.0f}" if rate < 1e7 else ">9999999"


def _growth_text(proc: Proc, _: Context) -> str:
    if proc.kernel_thread:
        return "·"
    growth = proc.growth
    return "?" if growth is None else signed(round(growth))


def _limit_text(proc: Proc, _: Context) -> str:
    return "·" if proc.limit == NO_LIMIT else size(proc.limit)


def _tree_text(proc: Proc, _: Context) -> str:
    if proc.kernel_thread and not proc.tree:
        return "·"
    return size(proc.tree) if proc.tree_whole or proc.tree is None else "≤" + size(proc.tree)


def _badness_text(proc: Proc, around: Context) -> str:
    if proc.kernel_thread or proc.adj == -1000:
        return "·"
    points = percent(proc.badness, around.total)
    return "?" if points is None else str(max(-9999, min(9999, round(10 * points))))


def started(proc: Proc, boot: int | None) -> float | None:
    """Return when a process began, in seconds since the epoch; None where that is unknown."""
    return None if boot is None else boot + proc.start / TICKS_PER_S


def _start_text(proc: Proc, around: Context) -> str:
    began = started(proc, around.boot)
    if began is None or not 0 <= began < 4e9:
        return "?"
    then, today = time.localtime(began), time.localtime()
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%b%d" if then[0] == today[0] else "%Y", then)


def _age_text(proc: Proc, around: Context) -> str:
    began = started(proc, around.boot)
    if began is None or around.now is None:
        return "?"
    return duration(min(max(0.0, around.now - began), 9999 * 86400))


def _cgroup_text(proc: Proc, _: Context) -> str:
    return "?" if proc.cgroup is None else elide_left(safe(proc.cgroup), _CGROUP)


FIELDS = (
    Field(
        "pid", "PID", 7, True, False, 90,
        attrgetter("pid"), lambda p, _: str(p.pid),
        "process ID",
    ),
    Field(
        "ppid", "PPID", 7, True, False, 12,
        attrgetter("ppid"), lambda p, _: str(p.ppid),
        "process ID of the parent",
    ),
    Field(
        "user", "USER", 8, False, False, 40,
        attrgetter("user"), lambda p, _: p.user,
        "effective user, /proc/PID/status",
    ),
    Field(
        "uid", "UID", 10, True, False, 11,
        attrgetter("uid"), lambda p, _: "?" if p.uid is None else str(p.uid),
        "effective user's number, /proc/PID/status",
    ),
    Field(
        "state", "S", 2, False, False, 50,
        attrgetter("state"), lambda p, _: p.state,
        "R running, S sleeping, D waiting for I/O, Z dead and not collected, T stopped, I idle",
    ),
    Field(
        "nice", "NI", 3, True, False, 14,
        attrgetter("nice"), lambda p, _: str(p.nice),
        "niceness, -20 (first) to 19 (last); /proc/PID/stat",
    ),
    Field(
        "prio", "PRI", 4, True, False, 13,
        attrgetter("prio"), _prio_text,
        "the kernel's priority: 20 + niceness, below 0 real-time, RT the highest; /proc/PID/stat",
    ),
    Field(
        "threads", "THR", 5, True, True, 15,
        attrgetter("threads"), lambda p, _: _count(p.threads),
        "threads; /proc/PID/stat",
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
        "priv", "PRIV", 5, True, True, 21,
        lambda p: p.rss - p.shr, lambda p, _: _memory(p, max(0, p.rss - p.shr)),
        "RES less SHR, as in htop: anonymous memory, which forks may share; /proc/PID/statm",
    ),
    Field(
        "anon", "ANON", 5, True, True, 22,
        attrgetter("anon"), lambda p, _: _memory(p, p.anon),
        "resident anonymous memory: heap, stacks; RssAnon of /proc/PID/status",
        STATUS,
    ),
    Field(
        "shmem", "SHMEM", 6, True, True, 23,
        attrgetter("shmem"), lambda p, _: _memory(p, p.shmem),
        "resident shared memory: tmpfs, memfd, SysV; RssShmem of /proc/PID/status",
        STATUS,
    ),
    Field(
        "swap", "SWAP", 5, True, True, 70,
        attrgetter("swap"), lambda p, _: _memory(p, p.swap),
        "swapped out: Swap of /proc/PID/smaps_rollup, VmSwap of status where that is denied",
        ROLLUP,
    ),
    Field(
        "pss", "PSS", 5, True, True, 78,
        attrgetter("pss"), lambda p, _: _memory(p, p.pss),
        "RES with each shared page divided by its users, so that sums are right; smaps_rollup",
        ROLLUP,
    ),
    Field(
        "uss", "USS", 5, True, True, 76,
        attrgetter("uss"), lambda p, _: _memory(p, p.uss),
        "what nobody else maps: Private_* of /proc/PID/smaps_rollup",
        ROLLUP,
    ),
    Field(
        "peak", "PEAK", 5, True, True, 24,
        attrgetter("peak"), lambda p, _: _memory(p, p.peak),
        "the most that RES ever was since exec; VmHWM of /proc/PID/status",
        STATUS,
    ),
    Field(
        "quota", "%QUOTA", 7, True, True, 80,
        attrgetter("rss"), lambda p, c: _share(p.rss, c.limit) if counts(p, c.level) else "·",
        "RES in per cent of the limit that binds; · of who is not under it",
    ),
    Field(
        "host", "%HOST", 6, True, True, 25,
        attrgetter("rss"), lambda p, c: "·" if p.kernel_thread else _share(p.rss, c.host),
        "RES in per cent of the machine's memory (MemTotal), as MEM% in htop and top",
    ),
    Field(
        "growth", "GROWTH", 7, True, True, 74,
        attrgetter("growth"), _growth_text,
        "bytes a minute by which RES grew in the last minute, by the median slope; ? until known",
        GROWTH,
    ),
    Field(
        "majflt", "MAJFLT/s", 9, True, True, 26,
        attrgetter("majflt_per_s"), _rate_text,
        "page faults a second that had to wait for a disk: thrashing; /proc/PID/stat",
    ),
    Field(
        "cpu", "CPU%", 5, True, True, 60,
        attrgetter("cpu_pct"), _cpu_text,
        "CPU since the last refresh (in `memtui ps`: since the start), per cent of one CPU",
    ),
    Field(
        "time", "TIME+", 8, True, True, 30,
        attrgetter("cpu_time"), lambda p, _: cpu_time(p.cpu_time),
        "CPU time since the start, user and system",
    ),
    Field(
        "start", "START", 6, True, False, 16,
        attrgetter("start"), _start_text,
        "when it began: time today, else day, else year; /proc/PID/stat",
    ),
    Field(
        "age", "AGE", 7, True, True, 17,
        lambda p: -p.start, _age_text,
        "how long ago it began; /proc/PID/stat",
    ),
    Field(
        "oom", "OOM", 5, True, True, 72,
        attrgetter("badness"), _badness_text,
        "who dies next: RES + swap + page tables + ADJ, in thousandths of the limit that binds",
        BADNESS | ADJ,
    ),
    Field(
        "adj", "ADJ", 5, True, True, 27,
        attrgetter("adj"), lambda p, _: "?" if p.adj is None else str(p.adj),
        "oom_score_adj: -1000 is never killed for want of memory, 1000 first",
        ADJ,
    ),
    Field(
        "cgroup", "CGROUP", _CGROUP, False, False, 28,
        attrgetter("cgroup"), _cgroup_text,
        "its cgroup in the memory hierarchy; /proc/PID/cgroup",
    ),
    Field(
        "limit", "LIMIT", 6, True, False, 29,
        attrgetter("limit"), _limit_text,
        "the tightest of its cgroups' limits, RLIMIT_AS and RLIMIT_DATA; · where there is none",
        LIMIT,
    ),
    Field(
        "tree", "TREE", 6, True, True, 31,
        attrgetter("tree"), _tree_text,
        "PSS of it and all its descendants; ≤ where RES had to stand in, which counts shared twice",
        TREE,
    ),
    Field(
        "command", "COMMAND", 0, False, False, 100,
        attrgetter("command"), lambda p, _: p.command,
        "command line; the program's name stands out",
    ),
)  # fmt: skip

BY_KEY = {f.key: f for f in FIELDS}
DEFAULT = (
    "pid", "user", "state", "virt", "rss", "shr", "quota", "cpu", "time", "command",
)  # fmt: skip
"""The columns shown where nobody chose others: none of them costs more than the list itself."""

POOLED = frozenset({"rss", "quota", "host"})
"""The quantities that memory which belongs to no process has, too."""

_ALIASES = {"mem": "rss", "memory": "rss", "m": "rss", "p": "cpu", "t": "time", "n": "pid"}


def chosen(keys: tuple[str, ...] = DEFAULT) -> tuple[Field, ...]:
    """Return the columns of these keys in their order, the command line last."""
    return (*(BY_KEY[k] for k in keys if k != "command"), BY_KEY["command"])


def needs(keys: tuple[str, ...]) -> int:
    """Return what has to be read for these columns, as bits."""
    bits = 0
    for key in keys:
        bits |= BY_KEY[key].needs
    return bits


def find(name: str) -> Field:
    """Return the column a person means by key or title. Raises ValueError with a sentence."""
    word = name.strip().lower()
    word = _ALIASES.get(word, word)
    for field in FIELDS:
        if word in (field.key, field.title.lower(), field.title.lower().strip("%+")):
            return field
    raise ValueError(f"no column {name!r}: choose from {', '.join(f.key for f in FIELDS)}")
