"""Which process comes first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.fields import FIELDS
from memtui.model.query import Order, sort
from tests.support.made import proc

some = st.lists(
    st.builds(
        lambda pid, mib, cpu, time: proc(pid, mib, cpu_pct=cpu, cpu_time=time, user=f"u{pid % 3}"),
        st.integers(1, 50),
        st.integers(0, 5),
        st.none() | st.floats(0, 400),
        st.floats(0, 100),
    ),
    max_size=30,
)


@pytest.mark.parametrize("key", [f.key for f in FIELDS])
@given(procs=some, inverted=st.booleans())
def test_sorted_either_way_and_nobody_lost(key: str, procs: list[object], inverted: bool) -> None:
    rows = [p for p in procs if isinstance(p, type(proc(1)))]
    order = Order(key, inverted)
    done = sort(rows, order)
    values = [order.field.sort(p) for p in done]
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=order.descending)
    assert values == known + [None] * (len(values) - len(known)), "unknown comes last"
    assert Counter(done) == Counter(rows)


def test_equal_ones_keep_their_order() -> None:
    rows = [proc(n, 1) for n in (5, 3, 9)]
    assert sort(rows, Order("rss")) == rows
    assert sort(rows, Order("rss", True)) == rows


def test_quantities_come_biggest_first_and_names_in_order() -> None:
    assert [Order(k).descending for k in ("rss", "cpu", "time", "pid", "command")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert Order("rss", True).descending is False


@pytest.mark.parametrize(("inverted", "wanted"), [(False, [3, 2, 1]), (True, [2, 3, 1])])
def test_unknown_comes_last_in_both_directions(inverted: bool, wanted: list[int]) -> None:
    rows = [proc(1, cpu_pct=None), proc(2, cpu_pct=0.0), proc(3, cpu_pct=5.0)]
    assert [p.pid for p in sort(rows, Order("cpu", inverted))] == wanted
    rows = [proc(1, pss=None), proc(2, pss=0), proc(3, pss=5)]
    assert [p.pid for p in sort(rows, Order("pss", inverted))] == wanted


def test_memory_of_no_process_stands_where_it_has_a_size_and_else_last() -> None:
    pool = proc(0, 5, pool="cache", command="[page cache]")
    rows = [proc(1, 3), proc(2, 9)]
    assert [p.pid for p in sort(rows, Order("rss"), [pool])] == [2, 0, 1]
    assert [p.pid for p in sort(rows, Order("rss", True), [pool])] == [1, 0, 2]
    for order in (Order("pid"), Order("pid", True), Order("command"), Order("pss")):
        assert sort(rows, order, [pool])[-1] is pool


def test_the_same_header_again_inverts() -> None:
    order = Order().by("rss")
    assert order == Order("rss", True)
    assert order.by("rss") == Order("rss", False)
    assert order.by("pid") == Order("pid", False)
