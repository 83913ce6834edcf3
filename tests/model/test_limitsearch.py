"""The search for the smallest limit, against commands whose need is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.limits import MIN_LIMIT
from memtui.model.limitsearch import TOLERANCE, Search
from tests.support.cgroups import MIB

GIB = 1 << 30


def search(need: int, upper: int, peak: int | None) -> tuple[Search, list[int]]:
    found, tried = Search(upper, peak), []
    while (limit := found.next()) is not None:
        tried.append(limit)
        found.take(limit, limit >= need)
    return found, tried


@given(
    st.integers(1, 64 * GIB),
    st.floats(0.3, 4.0),
    st.booleans(),
)
def test_it_ends_soon_at_what_is_needed(need: int, ratio: float, known: bool) -> None:
    """Peaks hold cache that could be dropped, or were seen too low; some are not known at all."""
    found, tried = search(need, 64 * GIB, int(need * ratio) if known else None)
    assert len(tried) <= 30
    assert found.high >= need or found.high == 64 * GIB
    assert found.high - max(need, MIN_LIMIT) <= max(256 << 10, TOLERANCE * found.high) + (64 << 10)
    assert found.low < need
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("need", [20 * MIB, 300 * MIB, 5 * GIB])
def test_a_peak_makes_it_short(need: int) -> None:
    _, tried = search(need, 64 * GIB, need + MIB)
    assert len(tried) <= 8
    assert tried[0] - (need + MIB) < 64 << 10, "first just what it took"


def test_nothing_is_tried_below_the_least_limit() -> None:
    found, tried = search(1, 64 * GIB, 300_000)
    assert (found.high, tried) == (MIN_LIMIT, [MIN_LIMIT])


def test_what_was_enough_once_and_then_not_is_too_little() -> None:
    found = Search(GIB, 100 * MIB)
    assert found.next() == 100 * MIB
    found.take(100 * MIB, True)
    found.take(100 * MIB, False)
    assert (found.low, found.high) == (100 * MIB, GIB)
    assert found.next() == 105 * MIB
