"""Counts OOM kills: in which cgroup, how many, and whose limit was hit.

Quiet looks cost nothing but a comparison: the visible cgroups are walked only when
/proc/vmstat's oom_kill or a level's counter moved. Kernels before 4.13 have no oom_kill in
vmstat: there the levels' own counters decide, which the quota reader sums over 256 groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import HierarchyReader, Level, at_or_below
from memtui.kernel.meminfo import read_oom_kill
from memtui.kernel.oomcount import Kills, read_kills, read_limit_and_peak
from memtui.kernel.roots import Roots
from memtui.model.snapshot import Host, Quota
from memtui.model.victims import home

_GROUPS = 4096  # walked at most
_RECHECKS = 2  # walks after one that was called for: the counters do not move as one
_TINY = 0.03  # of RAM available: the machine itself ran out
_PAGES = 1 << 20  # how near to its limit a peak stands after an OOM, in bytes

_COUNTS = 1500  # remembered at most
_TOTAL = "//"  # behind a path: with all below it; no cgroup's path has it

Gate = tuple[int | None, ...]
Key = tuple[str, int]
"""(cgroup path, inode of its directory)."""
News = Callable[[Key, int], tuple[int, float | None]]
"""From a counter: how many of its kills nobody has seen, and when somebody last looked."""


def unseen(_key: Key, number: int) -> tuple[int, float | None]:
    """Say that nobody ever looked."""
    return number, None


class Before(NamedTuple):
    """Kills in a group of before the start."""

    cgroup: str
    number: int
    last_looked: float | None  # seconds since the epoch


class Cause(NamedTuple):
    """Whose limit was hit: `OomEvent.cause`, `limit_cgroup` and `limit_bytes`."""

    cause: str = ""
    cgroup: str | None = None
    bytes: int | None = None


class Rise(NamedTuple):
    """A counter that rose."""

    cgroup: str | None  # None: no visible group's
    number: int
    hidden: bool  # no group's own counter tells of it; told a look late, as it must be seen twice
    cause: Cause = Cause()
    group_kill: bool = False


class OomCounters:
    """Call `start` once, then `look` at each look, from one thread."""

    def __init__(self, roots: Roots, cgroup: str | None) -> None:
        """Look at all groups that are visible; `home` is ours, or that of `cgroup`."""
        self._roots = roots
        self._asked = cgroup
        self.version: int | None = None
        self.home: str | None = None
        self.top = ("/", "")  # path and directory
        self.levels: Sequence[Level] = ()  # as at the last look
        self.groups: dict[str, Kills] = {}
        self._gate: Gate | None = None
        self._rechecks = 0
        self._base_host: int | None = None
        self._base_levels: dict[str, int] = {}
        self._told: dict[str, int] = {}  # kills told since the start, by the group that counted
        self._told_hidden: dict[str | None, int] = {}  # and those that no group's own counter has
        self._unexplained: dict[str | None, int] = {}

    def start(self, news: News = unseen) -> list[Before]:
        """Read all counters; return what groups count already and nobody has seen, most first."""
        host = read_oom_kill(self._roots)
        reader = HierarchyReader(self._roots, self._asked)
        try:
            hierarchy = reader.read(host)
        finally:
            reader.close()
        self.version = hierarchy.version
        self.home = home(hierarchy.levels)
        self.levels = hierarchy.levels
        if self.levels:
            self.top = self.levels[-1].path, self.levels[-1].directory
        self.groups = self._walk()
        self._base_host = host
        self._base_levels = self._summed(hierarchy.levels)
        self._gate = _gate(host, hierarchy.levels)
        return self._before(news)

    def counts(self) -> dict[Key, int]:
        """Return the counters as they are, for a later `news`; those that concern us first."""
        own = {(p, k.inode): k.number for p, k in self.groups.items() if k.number is not None}
        kept = sorted(own, key=lambda key: not (own[key] or self._at_home(key[0])))[:_COUNTS]
        return {**{key: own[key] for key in kept}, **self._totals()}

    def look(self, quota: Quota, fired: Mapping[str, float] | None = None) -> list[Rise]:
        """Return the counters that rose since the last look.

        `fired`: groups in which v1 told of an OOM just now, and in all below the limit's.
        """
        self.levels = quota.levels
        gate = _gate(quota.host_oom_kill, quota.levels)
        if gate != self._gate:
            self._gate, self._rechecks = gate, 1 + _RECHECKS
            self.home = home(quota.levels)
        if self._rechecks <= 0:
            return []
        self._rechecks -= 1
        before, self.groups = self.groups, self._walk()
        rises = []
        for path, number in _risen(before, self.groups):
            self._told[path] = self._told.get(path, 0) + number
            cause = self._cause(path, before, fired or {}, quota.host)
            group_kill = _rose(before.get(path), self.groups[path], "groups")
            rises.append(Rise(path, number, False, cause, group_kill))
        for place, number in self._hidden(quota):
            self._told_hidden[place] = self._told_hidden.get(place, 0) + number
            rises.append(Rise(place, number, True))
        return rises

    @property
    def restless(self) -> bool:
        """Whether the next looks walk the groups once more."""
        return self._rechecks > 0

    def directory(self, path: str) -> str:
        """Return where the group `path` lies."""
        top, directory = self.top
        below = path if top == "/" else path[len(top) :]
        return self._roots.at(directory).rstrip("/") + below.rstrip("/")

    def _walk(self) -> dict[str, Kills]:
        path, directory = self.top
        if self.version is None:
            return {}
        return read_kills(self.version, path, self._roots.at(directory), _GROUPS)

    def _summed(self, levels: Sequence[Level]) -> dict[str, int]:
        """Counters that outlive the groups they sum over: v2's; v1 has none."""
        if self.version != 2:
            return {}
        return {lv.path: lv.events.oom_kill for lv in levels if lv.events.oom_kill is not None}

    def _hidden(self, quota: Quota) -> list[tuple[str | None, int]]:
        """Kills that no visible group's own counter explains, twice in a row.

        v2 levels remember those of removed groups below them; /proc/vmstat counts everybody's.
        """
        now: dict[str | None, int] = {}
        for path, number in self._summed(quota.levels).items():
            rise = number - self._base_levels.setdefault(path, number)
            now[path] = rise - self._explained(path) - _sum_below(now, path)
        if quota.host_oom_kill is not None and self._base_host is not None:
            told = sum(self._told.values()) + sum(self._told_hidden.values())
            pending = sum(n for n in now.values() if n > 0)
            now[None] = quota.host_oom_kill - self._base_host - told - pending
        before, self._unexplained = self._unexplained, now
        sure = [(p, min(n, before.get(p, 0))) for p, n in now.items()]
        return [(p, n) for p, n in sure if n > 0]

    def _explained(self, level: str) -> int:
        return _sum_below(self._told, level) + _sum_below(self._told_hidden, level)

    def _before(self, news: News) -> list[Before]:
        """What the groups' own counters have, then what only the sums above them do."""
        found: dict[str, Before] = {}
        for path, kills in self.groups.items():
            if kills.number:
                number, looked = news((path, kills.inode), kills.number)
                found[path] = Before(path, number, looked)
        told = list(found.values())
        for key, total in self._totals().items():  # innermost first
            path = key[0].removesuffix(_TOTAL)
            number, looked = news(key, total)
            rest = number - sum(b.number for b in told if at_or_below(b.cgroup, path))
            if rest > 0:
                told.append(Before(path, rest, looked))
        return sorted((b for b in told if b.number > 0), key=lambda b: -b.number)

    def _totals(self) -> dict[Key, int]:
        """The sums of v2's levels, in which groups that are gone still count."""
        inodes = {p: self.groups[p].inode for p in self._base_levels if p in self.groups}
        now = self._summed(self.levels)
        return {(p + _TOTAL, inodes[p]): n for p, n in now.items() if p in inodes}

    def _at_home(self, path: str) -> bool:
        return self.home is not None and at_or_below(path, self.home)

    # -- whose limit

    def _cause(
        self, path: str, before: Mapping[str, Kills], fired: Mapping[str, float], host: Host
    ) -> Cause:
        """Whose limit killed in `path`: of a visible group, or of something above them.

        v2 counts an OOM where the limit is. v1 tells all groups below the limit's, by eventfd;
        failing that, a group that had to reclaim and stands at its limit.
        """
        chain = [p for p in _upwards(path) if p in self.groups]
        hit = [p for p in chain if _rose(before.get(p), self.groups[p], "hits")]
        if self.version == 1:
            told = [p for p in chain if p in fired]
            hit = told[::-1] or [p for p in hit if self._at_limit(p)]
            hit = hit or [p for p in chain if self._at_limit(p)]
        for found in hit:
            limit, _ = read_limit_and_peak(self.version or 2, self.directory(found))
            if limit is not None:
                return Cause("limit", found, limit)
        if host.total and host.available is not None and host.available < host.total * _TINY:
            return Cause("host")
        known = self.version == 2 and all(self.groups[p].hits is not None for p in chain)
        return Cause("above" if known else "")

    def _at_limit(self, path: str) -> bool:
        limit, peak = read_limit_and_peak(self.version or 1, self.directory(path))
        return limit is not None and peak is not None and peak >= limit - _PAGES


def _gate(host: int | None, levels: Sequence[Level]) -> Gate:
    return (host, *(lv.events.oom_kill for lv in levels))


def _upwards(path: str) -> list[str]:
    """The group and those above it, innermost first."""
    found = [path]
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        found.append(path)
    return found


def _rose(old: Kills | None, new: Kills, name: str) -> bool:
    """Whether one of a group's counters rose; a new group's began at 0."""
    same = old is not None and old.inode == new.inode
    base, now = getattr(old, name) if same else 0, getattr(new, name)
    return base is not None and now is not None and now > base


def _risen(before: dict[str, Kills], now: dict[str, Kills]) -> list[tuple[str, int]]:
    """Return (path, kills) of the groups whose counter rose; a new group's began at 0."""
    found = []
    for path, kills in now.items():
        old = before.get(path)
        if old is None and len(before) >= _GROUPS:
            continue  # more groups than are walked: it need not be new
        same = old is not None and old.inode == kills.inode
        base = old.number if same and old is not None else 0
        if kills.number is not None and base is not None and kills.number > base:
            found.append((path, kills.number - base))
    return found


def _sum_below(counts: Mapping[str, int] | Mapping[str | None, int], level: str) -> int:
    return sum(n for p, n in counts.items() if p is not None and n > 0 and at_or_below(p, level))
