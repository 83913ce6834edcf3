"""Pressure and thrashing in words, from what counters did over the last ten seconds. Pure.

Sources, best first: PSI of the own cgroup (v2), PSI of the host, refaults and limit hits of the
level that binds, major faults of each process. The thresholds are those of memory managers:
systemd-oomd and nohang act on `full` pressure, Android's lmkd on refaults against file cache.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from memtui.kernel.levels import Activity, Level
from memtui.model.snapshot import Identity, Proc, Quota

WINDOW_S = 10.0
"""Seconds over which rates are taken."""

_SHORTEST_S = 1.0
_SOME_WARN, _FULL_CRIT, _FULL_AT_ONCE = 10.0, 10.0, 40.0  # per cent
_CACHE_SHARE = 0.3  # of file cache read again within the window
_PAGE = 4096
_FEW = 100.0  # refaults or faults per second that are no matter
_QUIET_S = 15.0  # after a kill, refaults are its echo
_HITS = 10.0  # times per second at the limit that are told
_PAGERS_EVERY_S = 2.0
_majflt = attrgetter("majflt")


class Thrash(NamedTuple):
    """How the memory of a level is struggling; None where nothing is known of it.

    `level` is "calm", "warn" or "crit"; `words` one sentence, "" where there is nothing to say.
    Percentages are of the window's time, rates per second.
    """

    level: str | None = None
    words: str = ""
    some_pct: float | None = None
    full_pct: float | None = None
    scope: str | None = None  # whose PSI: "cgroup", "host", or None
    refaults: float | None = None  # pages that had been evicted too early
    hits: float | None = None  # v1 failcnt, v2 memory.events `max`: usage at the limit
    throttled: float | None = None  # v2 memory.events `high`
    pager: str | None = None  # the process with most major faults; safe to display
    pager_faults: float | None = None
    over_s: float = WINDOW_S  # the window: longer where samples are rarer


class _Counters(NamedTuple):
    at: float  # monotonic seconds
    scope: str | None  # of PSI
    some: int | None  # us
    full: int | None
    level: str  # whose activity it is
    activity: Activity
    hits: int | None
    throttled: int | None
    kills: int | None


def _rate(now: int | None, then: int | None, seconds: float) -> float | None:
    """What a counter did per second; None where it is unknown, or began anew."""
    return None if now is None or then is None or now < then else (now - then) / seconds


def _sum(*values: float | None) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _read(at: float, quota: Quota) -> tuple[_Counters, Level | None]:
    limit, p = quota.binding, quota.pressure
    level = None if limit is None or limit.level is None else quota.levels[limit.level]
    psi = p.scope, p.some_total, p.full_total
    if level is None:
        return _Counters(at, *psi, "", Activity(), None, None, quota.host_oom_kill), None
    a, e = level.activity, level.events
    hits = e.max if a.failcnt is None else a.failcnt
    return _Counters(at, *psi, level.path, a, hits, e.high, e.oom_kill), level


class ThrashWatch:
    """Follows the counters of snapshots; bounded for ever."""

    def __init__(self) -> None:
        self._past: deque[_Counters] = deque()
        self._killed: float | None = None  # when the last kill was seen
        self._full_since: float | None = None
        self._faults: _Pagers = _Pagers()

    def add(self, at: float, quota: Quota, procs: Sequence[Proc] | None) -> Thrash:
        """Return how it stands at `at` monotonic seconds; `procs` are all, or None."""
        pager = None if procs is None else self._faults.add(at, procs)
        now, level = _read(at, quota)
        then = self._before(now)
        if then is None:
            return Thrash()
        seconds = at - then.at
        if (_rate(now.kills, then.kills, seconds) or 0) > 0:
            self._killed = at
        found = _rates(now, then, seconds)
        if pager is not None and pager[1] >= _FEW:
            found = found._replace(pager=pager[0], pager_faults=pager[1])
        return self._judged(found, now, then, level)

    def _before(self, now: _Counters) -> _Counters | None:
        """The counters of ten seconds ago, or the oldest; of the same sources."""
        past = self._past
        if past and (past[-1].level != now.level or past[-1].scope != now.scope):
            past.clear()
        if not past or now.at - past[-1].at >= WINDOW_S / 40:
            past.append(now)
        while len(past) > 2 and now.at - past[1].at >= WINDOW_S:
            past.popleft()
        return past[0] if now.at - past[0].at >= _SHORTEST_S else None

    def _judged(
        self, found: Thrash, now: _Counters, then: _Counters, level: Level | None
    ) -> Thrash:
        if found[2:8] == (None,) * 6 and found.pager is None:
            return found
        if found.full_pct is None or found.full_pct <= _FULL_CRIT:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now.at
        echo = self._killed is not None and now.at - self._killed < _QUIET_S
        worst = _pressure_level(found, now.at, self._full_since)
        if worst == "crit" and (found.scope == "host" and level is not None):
            worst = "warn"  # somebody else's, perhaps
        if worst == "crit" and _no_reclaim(now.activity, then.activity):
            worst = "warn"
        if worst == "calm" and not echo and _rereads(found, level):
            worst = "warn"
        return found._replace(level=worst, words=_words(found, level))


def _rates(now: _Counters, then: _Counters, seconds: float) -> Thrash:
    some = _rate(now.some, then.some, seconds)
    full = _rate(now.full, then.full, seconds)
    a, b = now.activity, then.activity
    refaults = _sum(
        _rate(a.refault_file, b.refault_file, seconds),
        _rate(a.refault_anon, b.refault_anon, seconds),
    )
    return Thrash(
        some_pct=None if some is None else min(100.0, some / 1e4),
        full_pct=None if full is None else min(100.0, full / 1e4),
        scope=None if some is None else now.scope,
        refaults=refaults,
        hits=_rate(now.hits, then.hits, seconds),
        throttled=_rate(now.throttled, then.throttled, seconds),
        over_s=seconds,
    )


def _pressure_level(found: Thrash, at: float, since: float | None) -> str:
    full, some = found.full_pct or 0.0, found.some_pct or 0.0
    if full > _FULL_AT_ONCE or (since is not None and at - since >= WINDOW_S):
        return "crit"
    return "warn" if some > _SOME_WARN or full > _FULL_CRIT else "calm"


def _no_reclaim(now: Activity, then: Activity) -> bool:
    """Whether nothing was reclaimed or read again where the kernel would tell."""
    return now.scanned is not None and (now.scanned, *now[:2]) == (then.scanned, *then[:2])


def _rereads(found: Thrash, level: Level | None) -> bool:
    """Whether much of the file cache was read again within the window."""
    if found.refaults is None or found.refaults < _FEW or level is None:
        return False
    cache = (level.parts.cache_active or 0) + (level.parts.cache_inactive or 0)
    return found.refaults * _PAGE * found.over_s > _CACHE_SHARE * cache


def _number(rate: float) -> str:
    return f"{rate / 1000:.0f}k" if rate >= 9999.5 else f"{rate:.0f}"


def _words(found: Thrash, level: Level | None) -> str:
    said = []
    some = found.some_pct
    if some is not None and some >= 0.5:
        whose = "the host: tasks stalled" if found.scope == "host" and level else "stalled"
        said.append(f"{whose} {some:.0f} % of the last {found.over_s:.0f} s")
    if found.pager is not None:
        said.append(f"{found.pager} is paging in {_number(found.pager_faults or 0)} pages/s")
    elif (found.refaults or 0) >= _FEW:
        said.append(f"{_number(found.refaults or 0)} evicted pages/s are read again")
    if (found.throttled or 0) >= 1:
        said.append("slowed down at memory.high")
    if (found.hits or 0) >= _HITS and len(said) < 2:
        said.append(f"at its limit {_number(found.hits or 0)} times/s")
    return "; ".join(said[:2])


class _Pagers:
    """Major faults of each process, looked at only while there are any."""

    def __init__(self) -> None:
        self._total = -1
        self._now: dict[Identity, int] = {}
        self._past: deque[tuple[float, dict[Identity, int]]] = deque()

    def add(self, at: float, procs: Sequence[Proc]) -> tuple[str, float] | None:
        """Return the name of who faulted most, and its faults per second."""
        total = sum(map(_majflt, procs))
        if total != self._total:
            self._now = {p[:2]: p.majflt for p in procs if p.majflt}
        self._total = total
        past = self._past
        if not past or at - past[-1][0] >= _PAGERS_EVERY_S:
            past.append((at, self._now))
        while len(past) > 2 and at - past[1][0] >= WINDOW_S:
            past.popleft()
        then, before = past[0]
        if at - then < _SHORTEST_S or self._now is before:
            return None
        grown = ((n - before.get(i, 0), i) for i, n in self._now.items())
        most, who = max(grown, default=(0, (0, 0)))
        name = next((p.name for p in procs if p[:2] == who), None) if most > 0 else None
        return None if name is None else (name, most / (at - then))
