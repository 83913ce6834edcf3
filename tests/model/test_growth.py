"""How fast a process grows, robust against what comes and goes."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtui.model.growth import Growth, per_minute
from memtui.model.snapshot import Proc
from tests.support.made import MIB, proc


def run(sizes: list[int], start: float = 100.0, every: float = 5.0) -> float | None:
    """The growth after a reading every so many seconds."""
    watched = Growth()
    table = {"5": proc(5)}
    for i, n in enumerate(sizes):
        table["5"] = table["5"]._replace(rss=n)
        for name, value in watched.turn(table, start + every * i):
            table[name] = table[name]._replace(growth=value)
    return table["5"].growth


def test_nothing_is_said_before_enough_is_known() -> None:
    assert run([MIB]) is None
    assert run([MIB, 2 * MIB]) is None
    assert run([MIB] * 3) == 0.0


def test_steady_growth_is_told_in_bytes_a_minute() -> None:
    assert run([n * MIB for n in range(13)]) == 12 * MIB
    assert run([n * MIB for n in range(13, 0, -1)]) == -12 * MIB


def test_a_burst_that_comes_and_goes_and_one_step_move_nothing() -> None:
    calm = [MIB] * 13
    assert run([*calm[:6], 900 * MIB, *calm[7:]]) == 0.0
    assert run([MIB] * 9 + [500 * MIB] * 4) == 0.0


def test_only_the_last_minute_counts() -> None:
    assert run([n * MIB for n in range(20)] + [20 * MIB] * 14) == 0.0


def test_slow_and_quick_refreshes_tell_the_same() -> None:
    def grown(every: float) -> float | None:
        return run([int(i * every * MIB) for i in range(int(60 / every))], every=every)

    assert [round((grown(e) or 0) / MIB) for e in (0.1, 0.5, 1, 2, 10)] == [60] * 5


def test_another_process_under_the_same_number_begins_anew() -> None:
    watched = Growth()
    first, second = proc(5, start=1), proc(5, start=2)
    for i in range(5):
        watched.turn({"5": first}, 100 + 5 * i)
    assert watched.turn({"5": second}, 130) == []


def test_who_is_gone_is_forgotten() -> None:
    watched = Growth()
    for i in range(200):
        table: dict[str, Proc] = {str(n): proc(n) for n in range(5 * i, 5 * i + 5)}
        watched.turn(table, 100.0 + 5 * i)
    assert len(watched._points) < 30


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 2**50)), max_size=14))
def test_any_series_has_an_answer_between_its_extremes(points: list[tuple[float, int]]) -> None:
    points = sorted(points)
    growth = per_minute(points)
    if growth is not None and growth > 0:
        assert max(n for _, n in points) > min(n for _, n in points)
