"""Pressure in words: from deltas alone, whose it is said, unknown where nothing is told."""

from __future__ import annotations

from collections.abc import Iterable

from memtui.kernel.levels import Activity, Events, Hierarchy, Level, Parts
from memtui.kernel.meminfo import Psi
from memtui.model.quota import derive_pressure, resolve_quota
from memtui.model.snapshot import Host, Pressure, Proc, Quota
from memtui.model.thrash import Thrash, ThrashWatch
from tests.support.made import MIB, proc

CACHE = Parts(anon=10 * MIB, cache_active=20 * MIB, cache_inactive=20 * MIB)


def quota(
    some_s: float | None = None,
    full_s: float = 0.0,
    scope: str = "cgroup",
    activity: Activity | None = None,
    events: Events | None = None,
) -> Quota:
    """A level that stalled for so many seconds in all."""
    level = Level("/a", "/a", 100 * MIB, usage=60 * MIB, parts=CACHE)
    level = level._replace(events=events or Events(), activity=activity or Activity())
    pressure = Pressure()
    if some_s is not None:
        psi = Psi(0.0, 0.0, int(some_s * 1e6), int(full_s * 1e6))
        pressure = derive_pressure(*((psi, Psi()) if scope == "cgroup" else (Psi(), psi)))
    return resolve_quota(Hierarchy(2, False, "/a", (level,)), Host(), pressure=pressure)


def follow(ticks: Iterable[Quota], procs: Iterable[list[Proc]] = (), every: float = 1) -> Thrash:
    watch, said, tables = ThrashWatch(), Thrash(), list(procs)
    for t, q in enumerate(ticks):
        said = watch.add(100 + t * every, q, tables[t] if tables else [])
    return said


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert follow([quota()] * 12)[:2] == (None, "")


def test_one_look_tells_nothing_yet() -> None:
    assert follow([quota(5.0)]) == Thrash()


def test_calm() -> None:
    said = follow([quota(5.0)] * 12)
    assert said[:2] == ("calm", "")
    assert (said.some_pct, said.full_pct, said.scope) == (0, 0, "cgroup")


def test_stalls_are_said_over_the_last_ten_seconds() -> None:
    said = follow(quota(0.38 * t) for t in range(30))
    assert said[:2] == ("warn", "stalled 38 % of the last 10 s")
    said = follow(quota(0.38 * min(t, 12)) for t in range(30))
    assert said[:2] == ("calm", ""), "it is over"


def test_a_slow_refresh_says_its_own_window() -> None:
    assert follow((quota(15.0 * t) for t in range(4)), every=60).words == (
        "stalled 25 % of the last 60 s"
    )


def test_all_stalled_is_critical_at_once_or_when_it_lasts() -> None:
    assert follow(quota(0.5 * t, 0.45 * t) for t in range(4)).level == "crit"
    assert follow(quota(0.2 * t, 0.15 * t) for t in range(6)).level == "warn"
    assert follow(quota(0.2 * t, 0.15 * t) for t in range(20)).level == "crit"


def test_the_hosts_pressure_is_named_so_and_not_called_critical() -> None:
    said = follow(quota(0.5 * t, 0.5 * t, "host") for t in range(12))
    assert said[:2] == ("warn", "the host: tasks stalled 50 % of the last 10 s")


def test_stalls_without_any_reclaim_are_not_critical() -> None:
    def at(t: int, scanned: int) -> Quota:
        return quota(0.5 * t, 0.5 * t, activity=Activity(0, 0, 0, scanned, scanned))

    assert follow(at(t, 7) for t in range(12)).level == "warn"
    assert follow(at(t, 700 * t) for t in range(12)).level == "crit"


def test_files_that_are_read_again_and_again_are_thrashing_without_psi() -> None:
    said = follow(quota(activity=Activity(refault_file=900 * t)) for t in range(12))
    assert said[:2] == ("warn", "900 evicted pages/s are read again")
    said = follow(quota(activity=Activity(refault_file=50 * t)) for t in range(12))
    assert said[:2] == ("calm", "")


def test_after_a_kill_refaults_are_its_echo() -> None:
    ticks = [quota(activity=Activity(0), events=Events(oom_kill=0))] * 3
    ticks += [quota(activity=Activity(900 * t), events=Events(oom_kill=1)) for t in range(1, 12)]
    assert follow(ticks).level == "calm"


def test_who_is_paging_in_is_named() -> None:
    tables = [[proc(1, majflt=5), proc(2, majflt=10_000 + 900 * t, name="R")] for t in range(12)]
    said = follow((quota(0.38 * t) for t in range(12)), tables)
    assert said.words == "stalled 38 % of the last 10 s; R is paging in 900 pages/s"
    assert follow([quota(0.0)] * 12, [tables[0]] * 12).pager is None


def test_hits_of_the_limit_are_told_on_v1_and_v2() -> None:
    said = follow(quota(activity=Activity(failcnt=120 * t)) for t in range(12))
    assert said[:2] == ("calm", "at its limit 120 times/s")
    said = follow(quota(events=Events(max=20_000 * t, high=3 * t)) for t in range(12))
    assert said.words == "slowed down at memory.high; at its limit 20k times/s"


def test_counters_that_begin_anew_are_unknown_not_negative() -> None:
    watch = ThrashWatch()
    watch.add(0, quota(50.0, 5.0), [])
    said = watch.add(5, quota(1.0, 1.0), [])
    assert (said.some_pct, said.level) == (None, None)


def test_another_level_begins_anew() -> None:
    watch = ThrashWatch()
    watch.add(0, quota(0.0), [])
    host = resolve_quota(Hierarchy(None, False, None, ()), Host(100, 50))
    assert watch.add(5, host, []) == Thrash()
