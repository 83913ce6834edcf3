"""Where it goes: the forecast, who grew, and how memory is struggling, tick by tick. Pure."""

from __future__ import annotations

from typing import NamedTuple

from memtui.model.forecast import Forecast, Forecaster
from memtui.model.grower import Grower, Grown
from memtui.model.snapshot import Limit, Quota, Snapshot
from memtui.model.thrash import Thrash, ThrashWatch

_LEVELS = 4  # levels that are followed at once: which one binds may change to and fro


class Trend(NamedTuple):
    """What is to be said of one tick."""

    forecast: Forecast = Forecast()
    grown: Grown | None = None
    thrash: Thrash = Thrash()
    at: float | None = None  # monotonic seconds; None: nothing was looked at yet
    hard: int | None = None  # bytes, of the level that binds
    limit: int | None = None  # bytes


class _Followed(NamedTuple):
    forecaster: Forecaster
    grower: Grower


class TrendWatch:
    """Takes every snapshot, in the thread that makes them; about 0.1 ms for 1000 processes."""

    def __init__(self) -> None:
        self._thrash = ThrashWatch()
        self._followed: dict[str, _Followed] = {}  # by the file that says the limit; latest last

    def add(self, snapshot: Snapshot) -> Trend:
        """Return how it stands, and where it goes, after this snapshot."""
        quota, at = snapshot.quota, snapshot.mono
        complete = snapshot.count == len(snapshot.procs)
        thrash = self._thrash.add(at, quota, snapshot.procs if complete else None)
        limit = quota.binding
        if limit is None:
            return Trend(Forecast(reason="no limit is visible from here"), None, thrash, at)
        forecaster, grower = self._follow(limit.path)
        forecast = forecaster.add(at, limit.hard, limit.bytes)
        grown = None
        if complete and limit.bytes:
            cgroup = _cgroup(quota, limit)
            grown = grower.add(at, limit.hard, limit.bytes, snapshot.procs, cgroup)
        if not forecast.rate or forecast.rate < 0:
            grown = None  # it grew, but does no longer
        return Trend(forecast, grown, thrash, at, limit.hard, limit.bytes)

    def _follow(self, path: str) -> _Followed:
        found = self._followed.pop(path, None) or _Followed(Forecaster(), Grower())
        self._followed[path] = found
        if len(self._followed) > _LEVELS:
            del self._followed[next(iter(self._followed))]
        return found


def _cgroup(quota: Quota, limit: Limit) -> str | None:
    """The path of the level that binds; None for the machine."""
    return None if limit.level is None else quota.levels[limit.level].path
