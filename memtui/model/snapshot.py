"""What is known at one moment: plain immutable records. Sizes are bytes; None is unknown.

NamedTuples and not dataclasses: a thousand rows sort by `itemgetter` at C speed, and importing
`dataclasses` would cost more than the whole first sample before the first frame is painted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from memtui.kernel.cgroup import Events, Level, Parts

if TYPE_CHECKING:
    from memtui.model.badness import Doomed, Weight

Identity = tuple[int, int]
"""(pid, start time in clock ticks since boot): a reused PID is another process."""


class Proc(NamedTuple):
    """One process. Strings are safe to display; `comm` and `argv` are the kernel's bytes."""

    pid: int
    start: int  # clock ticks since boot, /proc/PID/stat field 22
    ppid: int
    uid: int | None
    user: str  # name, else the number, else "?"
    state: str  # R S D Z T t X I, field 3
    threads: int
    nice: int
    kernel_thread: bool  # PF_KTHREAD in field 9
    virt: int  # statm 0
    rss: int  # statm 1: field 24 of stat is inexact since Linux 6.2
    shr: int  # statm 2
    cpu_time: float  # seconds, utime + stime
    cpu_pct: float | None  # of one CPU since the last sample; None on the first
    majflt: int
    comm: bytes
    argv: bytes  # /proc/PID/cmdline as it is: NUL between arguments
    name: str
    command: str  # the command line, or the name where there is none
    cgroup: str | None  # path in the memory hierarchy; None until read, or where not visible

    @property
    def identity(self) -> Identity:
        """(pid, start): what a cursor follows and a signal is checked against."""
        return self[0], self[1]


class Host(NamedTuple):
    """/proc/meminfo, in bytes. Inside most containers these are the whole machine's."""

    total: int | None = None
    available: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None
    parts: Parts = Parts()


class Limit(NamedTuple):
    """A limit and the usage of the very level that it belongs to."""

    bytes: int
    path: str  # the file that says so: ".../memory.max", or "/proc/meminfo" for the host
    usage: int | None
    working_set: int | None  # usage - inactive file cache, as kubelet counts
    hard: int | None  # usage - file cache - reclaimable slab: what reclaim cannot give back
    level: int | None  # index into Quota.levels; None for the host

    @property
    def is_host(self) -> bool:
        """Whether it is the machine's RAM, not a cgroup, that limits."""
        return self.level is None


class Pressure(NamedTuple):
    """PSI of memory: per cent of the last 10 s that tasks were stalled, and us in all."""

    some_avg10: float | None = None
    full_avg10: float | None = None
    scope: str | None = None  # "cgroup" or "host"
    some_total: int | None = None  # microseconds, for a window of one's own
    full_total: int | None = None


class Quota(NamedTuple):
    """The limits over all visible levels, and the one that binds."""

    version: int | None
    hybrid: bool
    cgroup: str | None
    limit: Limit | None  # the smallest limit
    binding: Limit | None  # the limit with the least headroom now
    high: int | None  # smallest memory.high
    peak: int | None  # of the binding level
    swap_limit: int | None
    swap_usage: int | None
    parts: Parts  # of the binding level
    events: Events  # of the level that sets the limit
    host_oom_kill: int | None  # /proc/vmstat, the whole machine's
    pressure: Pressure
    levels: tuple[Level, ...]
    host: Host
    declared: dict[str, int]  # MEM_LIMIT and the like: labels, not limits


class Snapshot:
    """Everything of one tick. Compared by identity: equal contents are not asked for."""

    __slots__ = (
        "count", "delay_s", "doomed", "mono", "procs", "quota", "time", "took_s", "weights",
    )  # fmt: skip

    def __init__(
        self,
        time: float,
        mono: float,
        procs: list[Proc],
        count: int,
        quota: Quota,
        took_s: float,
        delay_s: float,
        doomed: Doomed | None = None,
        weights: Mapping[Identity, Weight] | None = None,
    ) -> None:
        self.time = time  # seconds since the epoch
        self.mono = mono  # seconds on the monotonic clock when reading began: nothing is older
        self.procs = procs  # in no promised order
        self.count = count  # processes in all; a first look holds only the biggest
        self.quota = quota
        self.took_s = took_s  # CPU seconds that sampling took
        self.delay_s = delay_s
        self.doomed = doomed  # None in a first look, and where there is no Linux procfs
        self.weights = weights or {}  # of those in the level that binds
