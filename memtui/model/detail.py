"""All that is known of one process, as records; what follows from a snapshot alone. Pure.

Sizes are bytes; None is unknown, and `Detail.why` says by part of it why that is so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import NamedTuple

from memtui.kernel.grouptree import GroupUse
from memtui.kernel.levels import at_or_below
from memtui.kernel.procfs import TICKS_PER_S
from memtui.kernel.procmore import Mapping, OpenFile, Rlimit
from memtui.model.badness import NEVER, has_memory, level_of, weigh_in
from memtui.model.series import Recent, Series
from memtui.model.snapshot import Identity, Proc, Quota, Snapshot
from memtui.model.tree import descendants

SPAN_S = 300.0
"""Seconds that the memory of a process is followed back."""
FILES = 4096
"""Open files that are looked at."""
_TRACKS = 12  # processes followed at once
_GENERATIONS = 32  # parents at most: nobody has as many, but reads may go round in a circle


class Memory(NamedTuple):
    """Where the memory of a process is: /proc/PID/status, and what smaps_rollup adds."""

    anon: int | None = None  # RssAnon
    file: int | None = None  # RssFile
    shmem: int | None = None  # RssShmem
    swap: int | None = None  # VmSwap: without swapped shared memory
    page_tables: int | None = None  # VmPTE
    peak: int | None = None  # VmHWM
    virt: int | None = None  # VmSize
    data: int | None = None  # VmData
    stack: int | None = None  # VmStk
    locked: int | None = None  # VmLck
    huge: int | None = None  # HugetlbPages: in no RSS
    pss: int | None = None
    uss: int | None = None  # all Private_*
    pss_anon: int | None = None
    pss_file: int | None = None
    pss_shmem: int | None = None
    lazy_free: int | None = None  # given back as soon as memory is short
    age_s: float = 0.0  # seconds since PSS and what follows it were read


class Near(NamedTuple):
    """One resource limit, and what of it is used."""

    name: str  # as setrlimit(2) has it, without RLIMIT_
    soft: int | None  # None: unlimited
    hard: int | None
    used: int | None  # None: not known
    is_size: bool  # bytes; else a count

    @property
    def share(self) -> float | None:
        """Per cent of the soft limit that is used; None where either is not known."""
        return None if not self.soft or self.used is None else 100.0 * self.used / self.soft


class Rank(NamedTuple):
    """How near a process is to being taken by the OOM killer."""

    adj: int | None = None  # oom_score_adj
    badness: int | None = None  # bytes
    total: int | None = None  # bytes that adj is a share of
    place: int | None = None  # 1: it is the worst that is known
    of: int = 0  # processes that were weighed
    next: bool = False  # it would die now, or with who does
    reason: str = ""  # why there is no place


class Detail(NamedTuple):
    """One process at one moment."""

    proc: Proc
    time: float  # seconds since the epoch
    began: float | None = None  # the same, of its start
    memory: Memory | None = None  # None: not read yet
    groups: tuple[GroupUse, ...] = ()  # its own first
    binding: str | None = None  # path of the level whose limit binds
    limits: tuple[Near, ...] = ()
    rank: Rank = Rank()
    parents: tuple[Proc, ...] = ()  # the nearest first
    below: int = 0  # descendants
    below_rss: int = 0  # bytes of theirs, shared ones counted in each
    exe: str | None = None  # safe to display
    cwd: str | None = None
    descriptors: int | None = None
    files: tuple[OpenFile, ...] | None = None  # not of the short form
    why: MappingOf[str, str] = {}  # by part: "pss", "fd", "exe", "cwd", "limits", "groups"
    ended: str = ""  # in words, once it has

    @property
    def in_memory(self) -> list[OpenFile]:
        """Open files that hold memory or disk which is not to be seen elsewhere, biggest first."""
        held = [f for f in self.files or () if f.is_file and (f.memory or f.deleted)]
        return sorted(held, key=lambda f: -(f.taken or 0))


class Mappings(NamedTuple):
    """What a process maps, the biggest PSS first."""

    identity: Identity
    rows: tuple[Mapping, ...] = ()
    took_s: float = 0.0  # what reading cost
    why: str = ""


class Environment(NamedTuple):
    """With which environment a process was started: shown when asked for, kept nowhere."""

    identity: Identity
    lines: tuple[str, ...] = ()  # safe to display
    why: str = ""


def outline(proc: Proc, snapshot: Snapshot) -> Detail:
    """Return what a snapshot alone tells of a process: nothing has to be read for it."""
    below = descendants(snapshot.procs, proc.pid)
    level = level_of(snapshot.quota)
    boot = snapshot.boot
    return Detail(
        proc,
        snapshot.time,
        began=None if boot is None else boot + proc.start / TICKS_PER_S,
        binding=None if level is None else level.path,
        rank=rank(proc, snapshot),
        parents=tuple(parents(proc, snapshot.procs)),
        below=len(below),
        below_rss=sum(p.rss for p in below),
    )


def parents(proc: Proc, procs: Sequence[Proc]) -> list[Proc]:
    """Return the parent, its parent, and so on up to PID 1, as far as they are seen."""
    by_pid = {p[0]: p for p in procs}
    found: list[Proc] = []
    while len(found) < _GENERATIONS and (above := by_pid.get(proc.ppid)) is not None:
        if above in found:
            break
        found.append(above)
        proc = above
    return found


def rank(proc: Proc, snapshot: Snapshot) -> Rank:
    """Return how many processes of the level that binds the OOM killer would take before it."""
    weight, doomed = snapshot.weights.get(proc.identity), snapshot.doomed
    adj = proc.adj if weight is None else weight.adj
    if doomed is None:
        return Rank(adj, reason="not known yet")
    if weight is None:
        return Rank(adj, reason=_no_weight(proc, snapshot.quota))
    total = doomed.total
    own = weigh_in(proc, weight, total)
    if own is None or adj == NEVER:
        never = "oom_score_adj is -1000: it is never taken"
        return Rank(adj, total=total, reason=never if adj == NEVER else "not known")
    weights = snapshot.weights
    known = [w for p in snapshot.procs if (w := weigh_in(p, weights.get(p[:2]), total)) is not None]
    place = 1 + sum(w > own for w in known)
    return Rank(adj, own, total, place, len(known), proc.identity in doomed.all)


def _no_weight(proc: Proc, quota: Quota) -> str:
    if not has_memory(proc):
        return "it has no memory to free"
    level = level_of(quota)
    if level is not None and proc.cgroup and not at_or_below(proc.cgroup, level.path):
        return "it is not in the cgroup whose limit binds"
    return "not known"


def near(
    limits: MappingOf[str, Rlimit], memory: Memory, descriptors: int | None
) -> tuple[Near, ...]:
    """Return the limits that memory and files run into, each with what it is compared with."""
    told = (
        ("AS", "Max address space", memory.virt, True),
        ("DATA", "Max data size", memory.data, True),
        ("STACK", "Max stack size", memory.stack, True),
        ("MEMLOCK", "Max locked memory", memory.locked, True),
        ("NOFILE", "Max open files", descriptors, False),
    )
    return tuple(
        Near(name, *limits[line], used, is_size)
        for name, line, used, is_size in told
        if line in limits
    )


def memory_of(status: MappingOf[str, int], rollup: MappingOf[str, int] | None) -> Memory:
    """Return the record of what the two files say."""
    get = status.get
    tables = get("VmPTE")
    base = Memory(
        get("RssAnon"), get("RssFile"), get("RssShmem"), get("VmSwap"),
        None if tables is None else tables + get("VmPMD", 0),
        get("VmHWM"), get("VmSize"), get("VmData"), get("VmStk"), get("VmLck"),
        get("HugetlbPages"),
    )  # fmt: skip
    if rollup is None:
        return base
    private = [v for k, v in rollup.items() if k.startswith("Private_")]
    return base._replace(
        pss=rollup.get("Pss"),
        uss=sum(private) if private else None,
        pss_anon=rollup.get("Pss_Anon"),
        pss_file=rollup.get("Pss_File"),
        pss_shmem=rollup.get("Pss_Shmem"),
        lazy_free=rollup.get("LazyFree"),
    )


class Tracks:
    """The resident memory of processes that somebody looked at, over the last minutes."""

    def __init__(self) -> None:
        self._tracks: OrderedDict[Identity, Recent] = OrderedDict()
        self._at = 0.0

    def follow(self, identity: Identity, series: Series) -> None:
        """Follow a process from now on, and back as far as it was among the biggest."""
        if identity in self._tracks:
            self._tracks.move_to_end(identity)
            return
        track = self._tracks[identity] = Recent(SPAN_S)
        values = series.processes.get(identity, ())
        for at, value in zip(series.times, values, strict=False):
            if value == value and series.times[-1] - at <= SPAN_S:  # not NaN
                track.add(at, value)
        while len(self._tracks) > _TRACKS:
            self._tracks.popitem(last=False)

    def add(self, snapshot: Snapshot) -> None:
        """Remember what those that are followed have; a snapshot counts once."""
        if snapshot.mono <= self._at or not self._tracks:
            return
        self._at = snapshot.mono
        pids = {pid for pid, _ in self._tracks}
        for proc in snapshot.procs:
            if proc[0] in pids and (track := self._tracks.get(proc[:2])) is not None:
                track.add(snapshot.mono, float(proc.rss))

    def grid(self, identity: Identity, count: int) -> Sequence[float | None]:
        """Return `count` values, the newest last; None before it was followed."""
        track = self._tracks.get(identity)
        return [] if track is None else track.grid(count)
