"""The trend line: the most important words survive every width."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.model.forecast import Forecast
from memtui.model.grower import Grown
from memtui.model.thrash import Thrash
from memtui.model.trend import Trend
from memtui.render.palette import DARK, looks
from memtui.render.spans import plain, width_of
from memtui.render.trend import full_words, trend_line

M = 1 << 20
LEAK = Forecast(1.2 * M, (160, 200), "slow", "")
GROWN = Grown((7, 70), "python3", "python3 train.py", 90 * M, 30.0, 0.9)
STALLED = Thrash("warn", "stalled 38 % of the last 10 s; R is paging in 900 pages/s")


def text(trend: Trend | None, width: int = 120) -> str:
    line = trend_line(trend, width)
    assert width_of(line) == width
    return plain(line)


def roles(trend: Trend, width: int = 120) -> dict[str, str]:
    return {text.strip(" ,;"): role for text, role in trend_line(trend, width)}


def test_a_leak() -> None:
    said = text(Trend(LEAK, GROWN)).rstrip()
    assert said == " trend   +1.2M/s, full in about 3 min, mostly python3 train.py"


def test_both_ends() -> None:
    said = text(Trend(LEAK, GROWN, STALLED), 140)
    assert said.startswith(" trend   +1.2M/s, full in about 3 min, mostly python3 train.py  ")
    assert said.endswith("  stalled 38 % of the last 10 s; R is paging in 900 pages/s ")


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, "?"),
        (0.0, "steady"),
        (0.1 * M, "+102K/s"),
        (-35 * M, "-35M/s"),
        (3.0 * (1 << 30), "+3.0G/s"),
        (5.0, "+5.0B/s"),
    ],
)
def test_calm(rate: float | None, words: str) -> None:
    trend = Trend(Forecast(rate))
    assert text(trend).split() == ["trend", words]
    assert roles(trend)[words] == "muted" if words in roles(trend) else True
    assert {role for _, role in trend_line(trend, 80)} <= {"muted", ""}


def test_before_the_first_look_it_is_unknown() -> None:
    assert text(None).split() == ["trend", "?"]


def test_levels_have_colours_and_words() -> None:
    assert "warn" in {role for _, role in trend_line(Trend(LEAK), 80)}
    soon = Trend(LEAK._replace(eta_s=(30, 40)))
    assert "crit" in {role for _, role in trend_line(soon, 80)}
    assert "full in about 35 s" in text(soon)
    bad = Trend(Forecast(0.0), None, Thrash("crit", "stalled 70 % of the last 10 s"))
    assert "CRIT stalled 70 %" in text(bad)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (40, " trend   +1.2M/s, full in about 3 min"),
        (64, " trend   full in about 3 min        stalled 38 % of the last 10 s"),
        (80, " trend   +1.2M/s, full in about 3 min              stalled 38 % of the last 10 s"),
    ],
)
def test_the_least_important_gives_way(width: int, words: str) -> None:
    said = text(Trend(LEAK, GROWN, STALLED), width).rstrip()
    assert said.split() == words.split()


def test_a_long_command_is_cut_and_harmless() -> None:
    trend = Trend(LEAK, GROWN._replace(command="python3 \x1b[31m" + "x" * 300))
    assert "\x1b" not in text(trend, 100)
    assert "mostly python3 ␛[31mxxx" in text(trend, 100)
    assert "…" in text(trend, 100)


def test_when_is_a_range_where_it_is_wide() -> None:
    assert full_words((160, 200)) == "full in about 3 min"
    assert full_words((110, 300)) == "full in 2 to 5 min"
    assert full_words((10, 45)) == "full in 10 to 45 s"
    assert full_words((0, 1)) == "full in a second"


finite = st.floats(0, 1e18)
forecasts = st.builds(
    Forecast,
    st.none() | st.floats(-1e18, 1e18),
    st.none() | st.tuples(finite, finite).map(lambda p: (min(p), max(p))),
)
growns = st.builds(
    Grown, st.just((1, 1)), st.text(), st.text(), st.integers(), finite, st.floats(0, 9)
)
thrashes = st.builds(Thrash, st.sampled_from([None, "calm", "warn", "crit"]), st.text(max_size=90))


@settings(deadline=None)
@given(st.builds(Trend, forecasts, st.none() | growns, thrashes), st.integers(40, 200))
def test_it_is_exactly_as_wide_and_every_role_is_known(trend: Trend, width: int) -> None:
    line = trend_line(trend, width)
    assert width_of(line) == width
    assert {role for _, role in line} <= set(looks(DARK))
    if trend.forecast.eta_s is not None:
        assert "full in" in plain(line)
