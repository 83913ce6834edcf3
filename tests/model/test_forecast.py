"""When will it be full: worlds made up with many seeds, and what each rule is there for."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.model.forecast import AHEAD, Forecast, Forecaster
from memtui.model.robust import least_squares, theil_sen
from memtui.model.swings import Swings
from tests.support import forecasting as worlds
from tests.support.forecasting import LIMIT, World, score, table

SEEDS = 3
GIB = 1 << 30


def follow(course: Callable[[float], float], until: float, delay: float = 1.0) -> list[Forecast]:
    """What is said at each reading of `course`, shares of the limit over seconds."""
    forecaster, steps = Forecaster(), int(until / delay)
    return [
        forecaster.add(i * delay, int(course(i * delay) * LIMIT), LIMIT, "a") for i in range(steps)
    ]


# -- the simulation; more of it: python -m tools.forecast


@pytest.mark.parametrize(
    ("world", "lead_s"),
    [
        (worlds.slow_leak, 180),
        (worlds.noisy_leak, 100),
        (worlds.fast_leak, 30),
        (worlds.steeper_leak, 60),
        (worlds.leak_in_steps, 100),
        (worlds.leak_under_gc, 60),
        (worlds.burst, 3),
        (worlds.jerky_burst, 4),
    ],
    ids=lambda w: getattr(w, "__name__", ""),
)
def test_what_becomes_full_is_announced(world: World, lead_s: float) -> None:
    s = score(world, 2 * SEEDS)
    print("\n".join(table([s])))
    assert s.filled == s.runs
    assert s.found >= s.filled - (world in (worlds.burst, worlds.jerky_burst))
    assert s.lead_s is not None
    assert s.lead_s >= lead_s
    assert s.in_range is not None
    assert s.in_range > 0.5


@pytest.mark.parametrize(
    ("world", "per_h", "again_per_h"),
    [
        (worlds.plateau, 0, 0),
        (worlds.cache_fill, 0, 0),
        (worlds.noise, 1.0, 1.0),
        (worlds.sawtooth, 0.5, 0.1),  # the first tooth is a leak until it falls
        (worlds.sawtooth_90s, 0.5, 0.1),
        (worlds.ragged_sawtooth, 1.0, 0.6),
        (worlds.jobs, 2.0, 1.7),
        (worlds.step, 0.25, 0),
        (worlds.step_84, 0, 0),
        (worlds.saturating, 0.5, 0.25),
        (worlds.growth_that_stops, 0.75, 0.25),
    ],
    ids=lambda w: getattr(w, "__name__", ""),
)
def test_what_does_not_become_full_is_hardly_ever_announced(
    world: World, per_h: float, again_per_h: float
) -> None:
    s = score(world, SEEDS, hours=2.2)
    print("\n".join(table([s])))
    assert s.filled == 0
    assert s.false_per_h <= per_h
    assert s.again_per_h <= again_per_h
    assert s.false_share < 0.05


@pytest.mark.parametrize("delay", [0.2, 5.0, 60.0])
def test_any_delay_does(delay: float) -> None:
    leak = score(worlds.slow_leak, SEEDS, delay)
    assert leak.found == leak.filled == SEEDS
    assert leak.lead_s is not None
    assert leak.lead_s > 100
    assert score(worlds.plateau, 1, delay).false_per_h == 0


# -- the rules


def test_a_straight_leak_tells_its_rate_and_when() -> None:
    said = follow(lambda t: 0.3 + 0.001 * t, 500)[-1]
    assert said.detector == "slow"
    assert said.rate == pytest.approx(0.001 * LIMIT, rel=0.01)
    assert said.eta_s is not None
    assert said.eta_s[0] <= 201 <= said.eta_s[1]


def test_it_never_looks_further_ahead_than_three_times_what_it_saw() -> None:
    for i, said in enumerate(follow(lambda t: 0.5 + 0.0004 * t, 800)):
        assert said.eta_s is None or sum(said.eta_s) / 2 < AHEAD * i * 1.2


def test_below_half_of_the_limit_nothing_is_said_but_the_rate_is_known() -> None:
    said = follow(lambda t: 0.1 + 0.01 * t, 35)[-1]
    assert said.eta_s is None
    assert said.rate == pytest.approx(0.01 * LIMIT, rel=0.01)


def test_what_stands_still_has_a_rate_of_0() -> None:
    rng = random.Random(1)
    assert follow(lambda _: 0.7 + rng.gauss(0, 0.001), 60)[-1].rate == 0.0
    assert follow(lambda _: 0.7, 2)[-1].rate is None, "not known yet"


def test_a_warning_ends_soon_after_growth_did() -> None:
    said = follow(lambda t: 0.3 + 0.002 * min(t, 250), 400)
    assert said[249].eta_s is not None
    assert [s.eta_s for s in said[290:]] == [None] * 110


def test_a_warning_ends_at_once_when_memory_is_given_back() -> None:
    said = follow(lambda t: 0.3 + 0.002 * t if t < 250 else 0.4, 260)
    assert said[249].eta_s is not None
    assert [s.eta_s for s in said[250:]] == [None] * 10


def test_a_burst_is_said_by_the_fast_detector() -> None:
    said = follow(lambda t: 0.3 if t < 60 else 0.3 + 0.05 * (t - 60), 68)[-1]
    assert said.detector == "fast"
    assert said.eta_s is not None
    assert said.eta_s[0] <= 7 <= said.eta_s[1]


def test_growth_that_slows_down_towards_less_than_the_limit_is_no_danger() -> None:
    said = follow(lambda t: 0.2 + 0.7 * (1 - 2 ** (-t / 100)), 900)
    assert all(s.eta_s is None for s in said[100:])


def test_another_limit_counts_at_once_and_growth_stays_known() -> None:
    forecaster = Forecaster()
    for t in range(300):
        far = forecaster.add(float(t), GIB + t * (1 << 20), 16 * GIB, "a")
    assert far.eta_s is None
    near = forecaster.add(300.0, GIB + 300 * (1 << 20), GIB + 400 * (1 << 20), "a")
    assert near.eta_s is not None
    assert near.eta_s[0] <= 100 <= near.eta_s[1]


def test_another_level_begins_anew() -> None:
    forecaster = Forecaster()
    for t in range(200):
        said = forecaster.add(float(t), int((0.5 + t / 500) * LIMIT), LIMIT, "a")
    assert said.eta_s is not None
    assert forecaster.add(200.0, int(0.9 * LIMIT), LIMIT, "b") == Forecast()


def test_a_pause_begins_anew() -> None:
    forecaster = Forecaster()
    for t in range(200):
        forecaster.add(float(t), int((0.5 + t / 500) * LIMIT), LIMIT)
    assert forecaster.add(400.0, int(0.9 * LIMIT), LIMIT) == Forecast()


def test_the_same_moment_twice_changes_nothing() -> None:
    forecaster = Forecaster()
    for t in range(200):
        said = forecaster.add(float(t), int((0.5 + t / 500) * LIMIT), LIMIT)
    assert forecaster.add(199.0, int((0.5 + 199 / 500) * LIMIT), LIMIT) == said


def test_what_is_unknown_stays_unknown() -> None:
    forecaster = Forecaster()
    assert forecaster.add(0, None, LIMIT)[:3] == (None, None, None)
    assert forecaster.add(0, 5, None)[:3] == (None, None, None)
    assert forecaster.add(0, 5, 0)[:3] == (None, None, None)


readings = st.lists(
    st.tuples(st.floats(0, 200), st.none() | st.integers(0, 2**63), st.integers(0, 2**63)),
    max_size=60,
)


@settings(deadline=None)
@given(readings)
def test_no_readings_break_it(many: list[tuple[float, int | None, int]]) -> None:
    forecaster, at = Forecaster(), 0.0
    for step, hard, limit in many:
        at += step
        said = forecaster.add(at, hard, limit)
        if said.eta_s is not None:
            assert 0 <= said.eta_s[0] <= said.eta_s[1]


def _size(thing: object, seen: set[int]) -> int:
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    inner = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    if isinstance(thing, (list, tuple)) or hasattr(thing, "maxlen"):
        inner += list(thing)  # type: ignore[call-overload]
    return sys.getsizeof(thing) + sum(_size(x, seen) for x in inner)


def test_memory_stays_bounded() -> None:
    forecaster, rng, sizes = Forecaster(), random.Random(1), []
    for t in range(20_000):
        forecaster.add(t * 1.0, int(rng.uniform(0.2, 0.99) * LIMIT), LIMIT)
        if t in (5_000, 19_999):
            sizes.append(_size(forecaster, set()))
    assert sizes[1] < 1.2 * sizes[0]
    assert sizes[1] < 40_000


# -- what they are made of


def test_theil_sen_spares_an_outlier() -> None:
    points = [(float(t), 2.0 * t) for t in range(10)]
    points[4] = 4.0, 900.0
    slopes = theil_sen(points)
    assert slopes is not None
    assert slopes.mid == pytest.approx(2.0)
    assert theil_sen(points[:1]) is None
    assert theil_sen(points[:2], apart_s=5) is None


def test_least_squares() -> None:
    fitted = least_squares([(5.0, 1.0), (6.0, 3.0), (7.0, 5.0)])
    assert fitted is not None
    assert fitted[0] == pytest.approx(2.0)
    assert fitted[1] == pytest.approx(0.0)
    assert least_squares([(0.0, 1.0), (1.0, 2.0)]) is None
    assert least_squares([(1.0, 1.0)] * 3) is None


def test_swings_remember_from_where_it_fell() -> None:
    swings = Swings()
    for t, level in enumerate([10, 50, 90, 40, 20, 60, 70]):
        swings.add(t, level, level, 5)
    bound = swings.bound(1)
    assert bound is not None
    assert bound >= 90
    assert [(c.top, c.floor) for c in swings.cycles] == [(90, 20)]
    swings.add(5000, 75, 75, 5)
    assert swings.bound(1) is None, "forgotten"
