"""What was: bounded for ever, and honest about what was not known."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.levels import Hierarchy, Level, Parts
from memtui.model import series
from memtui.model.quota import resolve_quota
from memtui.model.series import PARTS, Recent, Series
from memtui.model.snapshot import Host, Proc, Snapshot
from tests.support.made import MIB, proc


def snapshot(at: float, procs: list[Proc], usage: int | None = 50 * MIB) -> Snapshot:
    parts = Parts(anon=10 * MIB, kernel=MIB, sock=MIB, cache_active=2 * MIB)
    level = Level("/a", "/sys/fs/cgroup/a", limit=100 * MIB, usage=usage, parts=parts)
    quota = resolve_quota(Hierarchy(2, False, "/a", (level,)), Host())
    return Snapshot(at, at, procs, len(procs), quota, took_s=0.0, delay_s=1.0)


def test_points_are_those_of_the_level_that_binds() -> None:
    made = Series()
    made.add(snapshot(1, [proc(1, 5)]))
    assert (list(made.limit), list(made.usage)) == ([100 * MIB], [50 * MIB])
    assert made.parts["anon"][0] == 10 * MIB
    assert made.parts["kernel"][0] == 2 * MIB
    assert made.parts["cache"][0] == 2 * MIB
    assert math.isnan(made.parts["tmpfs/shm"][0]), "unknown, not 0"


def test_it_stays_bounded_and_keeps_its_whole_span() -> None:
    made = Series()
    for i in range(3 * series._POINTS):
        made.add(snapshot(float(i), [proc(1 + i % 200, i % 7)]))
        assert len(made.times) < series._POINTS
        assert len(made.processes) <= series._MOST
    assert made.times[0] == 0
    assert made.times[-1] > 3 * series._POINTS - 10
    assert list(made.times) == sorted(made.times)
    lengths = {len(v) for v in (*made.processes.values(), *made.parts.values(), made.usage)}
    assert lengths == {len(made.times)}
    assert made.names.keys() == made.processes.keys()
    assert made.parts.keys() == set(PARTS)


def test_the_biggest_at_any_time_come_first_and_gaps_are_unknown() -> None:
    made = Series()
    made.add(snapshot(1, [proc(1, 5)]))
    made.add(snapshot(2, [proc(2, 9), proc(1, 1)]))
    made.add(snapshot(3, [proc(1, 2)]))
    assert made.biggest(5) == [proc(2).identity, proc(1).identity]
    values = made.processes[proc(2).identity]
    assert math.isnan(values[0])
    assert values[1] == 9 * MIB
    assert math.isnan(values[2])
    assert made.biggest(1) == [proc(2).identity]


def test_an_unknown_quota_is_unknown() -> None:
    made = Series()
    empty = resolve_quota(Hierarchy(None, False, None, ()), Host())
    made.add(Snapshot(0, 0, [], 0, empty, took_s=0, delay_s=1))
    assert math.isnan(made.limit[0])
    assert math.isnan(made.usage[0])
    assert made.biggest(3) == []


@given(
    st.lists(st.tuples(st.floats(0, 500), st.none() | st.floats(0, 1e12)), max_size=60),
    st.integers(0, 130),
)
def test_the_grid_has_the_asked_length_and_only_values_that_were(
    points: list[tuple[float, float | None]], count: int
) -> None:
    made = Recent()
    points.sort(key=lambda p: p[0])
    for at, value in points:
        made.add(at, value)
    grid = made.grid(count)
    assert len(grid) == (count if points else 0)
    assert set(grid) <= {v for _, v in points} | {None}
    if grid and points[-1][1] is not None:
        assert grid[-1] is not None


def test_the_newest_stands_at_the_end_and_gaps_are_carried() -> None:
    made = Recent(span_s=10)
    for at, value in ((100.0, 1.0), (104.5, 5.0), (109.0, 9.0)):
        made.add(at, value)
    assert made.grid(10) == [1, 1, 1, 1, 5, 5, 5, 5, 5, 9]
    assert made.grid(0) == []


def test_what_is_old_is_dropped() -> None:
    made = Recent(span_s=10)
    for i in range(1000):
        made.add(float(i), 1.0)
    assert len(made._points) <= 22
