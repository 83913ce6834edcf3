"""The quota bar with every number that a kernel could give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.levels import Hierarchy, Level, Parts
from memtui.model.query import Order
from memtui.model.quota import resolve_quota
from memtui.model.snapshot import Host, Quota, Snapshot
from memtui.render.frame import KEYS, first_frame, geometry, key_at, keys_line
from memtui.render.levels import limit_lines
from memtui.render.quota import (
    ANON,
    CACHE,
    KERNEL,
    SHMEM,
    UNKNOWN,
    bar,
    limit_words,
    quota_lines,
    segments,
    swap_line,
)
from memtui.render.spans import fitted, plain, width_of
from tests.support.made import MIB, proc

number = st.integers(0, 2**63)
perhaps = st.none() | number
glyphs = st.sampled_from([ANON, SHMEM, KERNEL, CACHE])
parts = st.builds(Parts, *[perhaps] * 8)
levels = st.builds(
    Level,
    st.sampled_from(["/", "/a/b", "/中文/\x1b[31m"]),
    st.just("/sys/fs/cgroup/a"),
    limit=perhaps,
    limit_file=st.just("/sys/fs/cgroup/a\x1b[31m/memory.max"),
    high=perhaps,
    usage=perhaps,
    peak=perhaps,
    limit_known=st.booleans(),
    swap_limit=perhaps,
    swap_usage=perhaps,
    parts=parts,
)
hosts = st.builds(Host, perhaps, perhaps, perhaps, perhaps, parts)
quotas = st.builds(
    lambda lv, host, version: resolve_quota(Hierarchy(version, False, "/a", tuple(lv)), host),
    st.lists(levels, max_size=3),
    hosts,
    st.sampled_from([1, 2]),
)


@given(
    st.lists(st.tuples(number, glyphs), max_size=6),
    number,
    st.integers(1, 200),
    st.dictionaries(st.sampled_from("│┊"), number),
)
def test_the_bar_is_exactly_as_wide(
    filled: list[tuple[int, str]], limit: int, width: int, marks: dict[str, int]
) -> None:
    assert width_of(bar(filled, limit, width, marks)) == width


def test_a_limit_of_0_is_a_full_bar_or_an_empty_one() -> None:
    assert plain(bar([(5, ANON)], 0, 8)) == ANON * 8
    assert plain(bar([], 0, 8)) == " " * 8


def test_the_bar_shows_shares() -> None:
    drawn = plain(bar([(25, ANON), (25, SHMEM), (25, CACHE)], 100, 8))
    assert drawn == ANON * 2 + SHMEM * 2 + CACHE * 2 + "  "
    assert plain(bar([(100, ANON)], 100, 8)) == ANON * 8
    assert plain(bar([(300, ANON)], 100, 8)) == ANON * 8, "over the limit: not over the edge"
    assert plain(bar([(50, ANON)], 100, 8, {"│": 100}))[-1] == "│"


def test_the_tip_of_hard_memory_tells_the_level() -> None:
    assert {r for _, r in bar([(60, ANON)], 100, 100)[:60]} == {"bar"}
    assert bar([(80, ANON)], 100, 100)[79][1] == "bar_warn"
    assert bar([(95, ANON)], 100, 100)[94][1] == "bar_crit"
    assert bar([(95, CACHE)], 100, 100)[94][1] == "bar_cache", "cache is no danger"


def test_without_parts_all_of_the_usage_is_one_piece() -> None:
    assert segments(Parts(), 7) == [(7, ANON)]
    assert segments(Parts(), None) == [(0, ANON)]
    assert segments(Parts(anon=1, kernel=2, sock=3, cache_active=4), 99) == [
        (1, ANON), (5, KERNEL), (4, CACHE),
    ]  # fmt: skip


@given(quotas, st.integers(40, 200), st.integers(1, 4))
def test_the_box_has_its_height_and_fits_whatever_is_known(
    quota: Quota, width: int, height: int
) -> None:
    drawn = quota_lines(quota, width, height)
    assert len(drawn) <= height
    for line in drawn:
        assert width_of(fitted(line, width)) == width
        assert plain(line).isprintable()
    assert limit_words(quota, width).isprintable()
    for line in limit_lines(quota):
        assert plain(line).isprintable()


def hierarchy(**more: object) -> Hierarchy:
    level = Level("/a", "/x", usage=95 * MIB, limit_file="/x/memory.max")
    return Hierarchy(2, False, "/a", (level._replace(**more),))  # type: ignore[arg-type]


@pytest.mark.parametrize("known", [Parts(), Parts(anon=90 * MIB)])
def test_usage_of_which_the_cache_is_unknown_is_not_called_hard(known: Parts) -> None:
    quota = resolve_quota(hierarchy(limit=100 * MIB, parts=known), Host(999 * MIB, 998 * MIB))
    lines = [*quota_lines(quota, 80, 2), *limit_lines(quota)]
    assert not {r for line in lines for _, r in line} & {"warn", "crit", "bar_warn"}
    assert plain(lines[0]).count(UNKNOWN) > 40
    assert ANON not in plain(lines[0])
    assert ("hard ? ", "muted") in lines[1]
    assert "95%" in plain(lines[0]), "how full it is, is known"
    assert ("?", "muted") in lines[2]


def test_what_is_in_use_of_the_host_is_hard_without_parts() -> None:
    quota = resolve_quota(Hierarchy(None, False, None, ()), Host(100 * MIB, 5 * MIB))
    first, second = quota_lines(quota, 80, 2)
    assert ANON in plain(first)
    assert plain(second).rstrip().endswith("hard CRIT 95.0M   95%")


def test_a_limit_that_cannot_be_read_is_not_called_none() -> None:
    host = Host(999 * MIB, 900 * MIB)
    known, unknown = (resolve_quota(hierarchy(limit_known=k), host) for k in (True, False))
    assert limit_words(known) == "no limit: host memory"
    assert limit_words(unknown) == "host memory (a cgroup limit is not readable)"
    for words in ("no limit", "limit not readable"):
        quota = known if words == "no limit" else unknown
        assert words in plain(quota_lines(quota, 80, 5)[4])
        assert any(f"95.0M {words}" in plain(line) for line in limit_lines(quota))


def test_a_group_that_may_use_nothing_is_drawn() -> None:
    level = Level("/a", "/sys/fs/cgroup/a", limit=0, limit_file="/x/memory.max", usage=4096)
    quota = resolve_quota(Hierarchy(2, False, "/a", (level,)), Host(100 * MIB, 50 * MIB))
    assert quota.binding is not None
    assert quota.binding.bytes == 0
    text = "\n".join(map(plain, quota_lines(quota, 100, 5)))
    assert "4.00K" in text


def test_unknown_numbers_are_question_marks() -> None:
    nothing = resolve_quota(Hierarchy(None, False, None, ()), Host())
    assert "not visible" in plain(quota_lines(nothing, 80, 4)[0])
    host = resolve_quota(Hierarchy(None, False, None, ()), Host(total=100 * MIB))
    assert "?" in plain(quota_lines(host, 80, 4)[0])


@pytest.mark.parametrize(
    ("limit", "said"), [(None, "200M / 1000M"), (50 * MIB, "20.0M / 50.0M"), (0, "none")]
)
def test_swap_is_the_cgroups_pair_or_the_hosts(limit: int | None, said: str) -> None:
    level = Level("/a", "/x", limit=9 * MIB, usage=MIB, swap_limit=limit, swap_usage=20 * MIB)
    host = Host(100 * MIB, 50 * MIB, 1000 * MIB, 800 * MIB)
    quota = resolve_quota(Hierarchy(2, False, "/a", (level,)), host)
    assert said in " ".join(plain(swap_line(quota, 80)).split())


@given(quotas)
def test_the_first_frame_fills_the_screen(quota: Quota) -> None:
    snapshot = Snapshot(0, 0, [proc(n) for n in range(1, 30)], 29, quota, took_s=0, delay_s=1)
    for width, height in ((40, 10), (80, 24), (97, 31), (200, 60)):
        frame = first_frame(snapshot, width, height, Order(), 0)
        assert [width_of(line) for line in frame] == [width] * height


def test_the_parts_of_the_screen_add_up() -> None:
    for width in range(40, 220, 7):
        for height in range(10, 80):
            g = geometry(width, height)
            assert g.title + g.quota + g.scopes + g.table + g.bottom + g.keys == height
            assert g.left + g.right == width
            assert g.table >= 3


def test_a_click_on_a_key_is_that_key() -> None:
    text = plain(keys_line(200))
    for key, label, action in KEYS:
        at = text.index(f" {key} {label} ")
        assert key_at(at + 1, 200) == action
        assert key_at(at + len(key) + 2, 200) == action
    assert key_at(199, 200) is None


@pytest.mark.parametrize("width", range(10, 60, 7))
def test_the_key_bar_is_cut_not_wrapped(width: int) -> None:
    assert width_of(keys_line(width)) == width
