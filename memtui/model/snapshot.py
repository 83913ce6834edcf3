"""What is known at one moment: plain immutable records. Sizes are bytes; None is unknown.

NamedTuples and not dataclasses: a thousand rows sort by `itemgetter` at C speed, and importing
`dataclasses` would cost more than the whole first sample before the first frame is painted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from memtui.kernel.cgroup import Events, Level, Parts

if TYPE_CHECKING:
    from memtui.model.badness import Doomed, Weight
    from memtui.model.known import Known
    from memtui.model.trend import Trend

Identity = tuple[int, int]
"""(pid, start time in clock ticks since boot): a reused PID is another process."""


ROLLUP, STATUS, ADJ, LIMIT, GROWTH, TREE, BADNESS = (1 << n for n in range(7))
"""What is read or reckoned only for columns that are shown; bits, see `services/depth`."""

NO_LIMIT = 1 << 62
"""As `Proc.limit`: neither the cgroup nor an rlimit holds this process."""


class Proc(NamedTuple):
    """One process. Strings are safe to display; `comm` and `argv` are the kernel's bytes.

    What follows `cgroup` is None where it is unknown, or was not read.
    """

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
    prio: int | None = None  # stat 18: 20 + nice; below 0: real-time
    majflt_per_s: float | None = None  # since the last sample
    pss: int | None = None  # smaps_rollup Pss
    pss_anon: int | None = None  # smaps_rollup Pss_Anon
    uss: int | None = None  # smaps_rollup, all Private_*
    swap: int | None = None  # smaps_rollup Swap; VmSwap where that is not for us to read
    anon: int | None = None  # status RssAnon
    shmem: int | None = None  # status RssShmem
    peak: int | None = None  # status VmHWM
    adj: int | None = None  # oom_score_adj
    badness: int | None = None  # bytes, as the OOM killer of the level that binds weighs it
    limit: int | None = None  # the tightest of its cgroup, RLIMIT_AS, RLIMIT_DATA; or NO_LIMIT
    growth: float | None = None  # bytes a minute
    tree: int | None = None  # its own and its descendants' PSS; RES of those whose PSS is unread
    tree_whole: bool = False  # `tree` is PSS throughout; else it is at most so much
    stale: int = 0  # bits as ROLLUP: read before it last changed
    unread: str = ""  # why something of it is not known, in words
    pool: str = ""  # no process: "tmpfs", "cache", "kernel", "shared" or "rest"; then pid is 0
    who: Known | None = None  # its kind and what people call it; None: of no kind, or not read yet

    @property
    def identity(self) -> Identity:
        """(pid, start): what a cursor follows and a signal is checked against."""
        return self[0], self[1]

    def moved(
        self,
        ppid: int, state: str, threads: int, nice: int, virt: int, rss: int, shr: int,
        cpu_time: float, cpu_pct: float | None, majflt: int, prio: int, majflt_per_s: float | None,
    ) -> Proc:  # fmt: skip
        """Return the same process with what each tick reads: four times as quick as `_replace`."""
        return Proc._make((
            self[0], self[1], ppid, self[3], self[4], state, threads, nice, self[8], virt, rss,
            shr, cpu_time, cpu_pct, majflt, *self[15:20], prio, majflt_per_s, *self[22:],
        ))  # fmt: skip


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
    recent_peak: int | None = None  # of the binding level since the last snapshot; v2, Linux 6.12

    @property
    def level_path(self) -> str | None:
        """The cgroup whose limit binds, as /proc/PID/cgroup writes it; None: the machine's."""
        at = None if self.binding is None else self.binding.level
        return None if at is None else self.levels[at].path


class Snapshot:
    """Everything of one tick. Compared by identity: equal contents are not asked for."""

    __slots__ = (
        "boot", "count", "delay_s", "doomed", "log", "mono", "pools", "procs", "quota", "time",
        "took_s", "trend", "weights",
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
        pools: Sequence[Proc] = (),
        boot: int | None = None,
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
        self.trend: Trend | None = None  # None in a first look
        self.log = ""  # what is read of the kernel log, in words
        self.pools = pools  # rows for memory that belongs to no process
        self.boot = boot  # seconds since the epoch when the clock of `Proc.start` was 0
