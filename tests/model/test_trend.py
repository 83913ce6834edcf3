"""Snapshots in, one trend out: the level that binds, its growth and who made it."""

from __future__ import annotations

from memtui.kernel.levels import Hierarchy, Level, Parts
from memtui.model.quota import resolve_quota
from memtui.model.snapshot import Host, Proc, Snapshot
from memtui.model.trend import Trend, TrendWatch
from tests.support.made import MIB, proc


def level(path: str, hard: int, limit: int = 1000) -> Level:
    parts = Parts(anon=hard * MIB, cache_active=50 * MIB, cache_inactive=50 * MIB)
    file = f"{path}/memory.max"
    return Level(path, path, limit * MIB, file, usage=(hard + 100) * MIB, parts=parts)


def snapshot(
    at: float, levels: tuple[Level, ...], procs: list[Proc], count: int | None = None
) -> Snapshot:
    quota = resolve_quota(Hierarchy(2, False, "/a/b", levels), Host())
    return Snapshot(at, at, procs, count or len(procs), quota, took_s=0.0, delay_s=1.0)


def leak(t: int) -> Snapshot:
    procs = [proc(1, 100), proc(2, 250 + 4 * t, command="python3 train.py")]
    return snapshot(t, (level("/a", 400 + 4 * t),), procs)


def test_a_leak_its_rate_and_who() -> None:
    watch = TrendWatch()
    said = [watch.add(leak(t)) for t in range(80)][-1]
    assert said.forecast.eta_s is not None
    assert said.forecast.eta_s[0] <= 71 <= said.forecast.eta_s[1]
    assert said.grown is not None
    assert said.grown.command == "python3 train.py"
    assert (said.hard, said.limit) == ((400 + 4 * 79) * MIB, 1000 * MIB)


def test_nobody_is_named_when_it_does_not_grow_any_more() -> None:
    watch = TrendWatch()
    for t in range(40):
        watch.add(leak(t))
    said = [watch.add(snapshot(40 + t, (level("/a", 556),), leak(39).procs)) for t in range(40)]
    assert said[-1].grown is None
    assert said[-1].forecast.rate == 0.0


def test_a_limit_that_binds_now_and_then_does_not_make_it_forget() -> None:
    watch, said = TrendWatch(), Trend()
    for t in range(80):
        other = level("/", 990 if t % 7 == 3 else 100, 1100)
        said = watch.add(snapshot(t, (level("/a", 400 + 4 * t), other), leak(t).procs))
    assert said.forecast.eta_s is not None


def test_without_a_limit_nothing_is_expected() -> None:
    said = TrendWatch().add(snapshot(1, (), []))
    assert said.forecast.eta_s is None
    assert said.forecast.reason == "no limit is visible from here"


def test_a_first_look_at_some_of_the_processes_names_nobody() -> None:
    watch = TrendWatch()
    for t in range(10):
        s = leak(t)
        assert watch.add(snapshot(t, s.quota.levels, s.procs, count=500)).grown is None
