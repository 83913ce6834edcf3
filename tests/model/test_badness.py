"""Whom the OOM killer would take, reckoned as the kernel does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.cgroup import Hierarchy, Level, Parts
from memtui.kernel.oomscore import parse_sizes
from memtui.kernel.procfs import PAGE
from memtui.model.badness import (
    Around,
    Doomed,
    Weight,
    badness,
    describe,
    next_victim,
    sees_all,
    total_of,
)
from memtui.model.quota import resolve_quota
from memtui.model.snapshot import Host, Identity, Proc, Quota
from tests.support.made import proc

MIB = 1 << 20
GIB = 1 << 30
HOST = Host(4 * GIB, 3 * GIB, 0, 0)


def quota_of(
    limit: int | None = 64 * MIB,
    swap_limit: int | None = None,
    host: Host = HOST,
    version: int = 2,
    anon: int | None = None,
) -> Quota:
    """A group /a/b with that limit, below one without."""
    own = Level(
        "/a/b", "/sys/a/b", limit, "/sys/a/b/memory.max", usage=32 * MIB, swap_limit=swap_limit,
        parts=Parts(anon=anon, cache_active=0, cache_inactive=0),
    )  # fmt: skip
    levels = (own, Level("/a", "/sys/a"))
    return resolve_quota(Hierarchy(version, False, "/a/b", levels), host)


def grown(pid: int, mib: float, cgroup: str | None = "/a/b", **more: object) -> Proc:
    return proc(pid, mib, cgroup, virt=1 << 30, **more)


def weights(procs: list[Proc], **adjs: int) -> dict[Identity, Weight]:
    return {p.identity: Weight(adjs.get(f"p{p.pid}", 0), 0, 0) for p in procs}


def pid_of(found: Doomed) -> int | None:
    return found.identity[0] if found.identity else None


QUOTA = quota_of()


def test_the_sizes_are_added_in_pages() -> None:
    assert badness(10 * MIB, 2 * MIB, MIB, 0, GIB) == 13 * MIB
    assert badness(10 * MIB, PAGE - 1, PAGE - 1, 0, GIB) == 10 * MIB


def test_a_thousandth_is_rounded_down_before_it_is_multiplied() -> None:
    total = 1999 * PAGE
    assert badness(0, 0, 0, 1000, total) == 1000 * PAGE
    assert badness(0, 0, 0, 1, 999 * PAGE) == 0
    assert badness(5 * PAGE, 0, 0, -10, total) == -5 * PAGE


def test_minus_1000_is_never() -> None:
    assert badness(GIB, 0, 0, -1000, GIB) is None
    assert badness(GIB, 0, 0, -999, GIB) is not None


@given(
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 40),
    st.integers(-999, 1000),
    st.integers(PAGE * 1000, 1 << 44),
)
def test_more_memory_or_a_higher_adj_is_never_better(
    rss: int, more: int, adj: int, total: int
) -> None:
    before = badness(rss, 0, 0, adj, total)
    assert before is not None
    bigger, blamed = badness(rss + more, 0, 0, adj, total), badness(rss, 0, 0, 1000, total)
    assert bigger is not None
    assert blamed is not None
    assert before <= bigger
    assert before <= blamed


@pytest.mark.parametrize(
    ("limit", "swap_limit", "swap", "total"),
    [
        (64 * MIB, 0, GIB, 64 * MIB),
        (64 * MIB, 16 * MIB, GIB, 80 * MIB),
        (64 * MIB, 16 * MIB, 4 * MIB, 68 * MIB),
        (64 * MIB, None, GIB, 64 * MIB + GIB),
        (None, None, GIB, 5 * GIB),
        (None, None, None, 4 * GIB),
    ],
)
def test_the_total_is_the_limit_with_the_swap_that_can_be_used(
    limit: int | None, swap_limit: int | None, swap: int | None, total: int
) -> None:
    quota = quota_of(limit, swap_limit, HOST._replace(swap_total=swap, swap_free=swap))
    assert total_of(quota) == total


def test_without_swappiness_a_group_s_swap_does_not_count_but_the_machine_s_does() -> None:
    host = HOST._replace(swap_total=GIB, swap_free=GIB)
    assert total_of(quota_of(host=host), swap_counts=False) == 64 * MIB
    assert total_of(quota_of(None, host=host), swap_counts=False) == 5 * GIB


def test_the_biggest_dies_and_the_margin_is_told() -> None:
    procs = [grown(1, 5), grown(2, 20), grown(3, 8), grown(4, 900, "/a")]
    found = next_victim(procs, {**weights(procs)}, QUOTA)
    assert (pid_of(found), found.cgroup, found.total) == (2, "/a/b", 64 * MIB)
    assert found.runner_up == procs[2].identity
    assert found.margin == 12 * MIB
    assert found.badness == 20 * MIB


def test_a_raised_adj_outweighs_size_and_a_lowered_one_saves() -> None:
    procs = [grown(2, 20), grown(3, 8), grown(4, 6)]
    assert pid_of(next_victim(procs, weights(procs, p3=200), QUOTA)) == 3
    assert pid_of(next_victim(procs, weights(procs, p2=-500), QUOTA)) == 3
    assert pid_of(next_victim(procs, weights(procs, p2=-1000, p3=-1000), QUOTA)) == 4


def test_the_limit_decides_how_much_an_adj_is_worth() -> None:
    procs = [grown(2, 20), grown(3, 8)]
    held = weights(procs, p3=150)
    assert pid_of(next_victim(procs, held, quota_of(64 * MIB))) == 2
    assert pid_of(next_victim(procs, held, quota_of(128 * MIB))) == 3


def test_swap_and_page_tables_weigh() -> None:
    procs = [grown(2, 20), grown(3, 8), grown(4, 9)]
    held = weights(procs)
    held[procs[1].identity] = Weight(0, 16 * MIB, 0)
    assert pid_of(next_victim(procs, held, QUOTA)) == 3
    held[procs[2].identity] = Weight(0, 0, 18 * MIB)
    assert pid_of(next_victim(procs, held, QUOTA)) == 4


@pytest.mark.parametrize(
    "spared",
    [
        {"state": "Z", "rss": 0, "virt": 0},
        {"kernel_thread": True, "rss": 0, "virt": 0},
        {"cgroup": "/a"},
        {"cgroup": "/a/bc"},
    ],
    ids=str,
)
def test_who_has_no_memory_or_is_elsewhere_is_passed_by(spared: dict[str, object]) -> None:
    procs = [grown(2, 20)._replace(**spared), grown(3, 8)]  # type: ignore[arg-type]
    assert pid_of(next_victim(procs, weights(procs), QUOTA)) == 3


def test_the_first_process_dies_in_a_container_and_not_on_the_host() -> None:
    procs = [grown(1, 20), grown(3, 8)]
    assert pid_of(next_victim(procs, weights(procs), QUOTA, Around(whole=True))) == 3
    assert pid_of(next_victim(procs, weights(procs), QUOTA, Around(whole=False))) == 1


def test_a_child_in_the_memory_of_its_waiting_parent_is_passed_by() -> None:
    parent, child = grown(2, 20, state="D"), grown(3, 20, ppid=2)
    assert pid_of(next_victim([parent, child], weights([parent, child]), QUOTA)) == 2


def test_of_equals_the_one_that_came_last_dies() -> None:
    procs = [grown(2, 8, start=50), grown(3, 8, start=70), grown(4, 8, start=60)]
    found = next_victim(procs, weights(procs), QUOTA)
    assert (pid_of(found), found.margin) == (3, 0)


def test_a_group_is_walked_before_those_below_it() -> None:
    procs = [grown(2, 8, "/a/b/c", start=1), grown(3, 8, start=70)]
    assert pid_of(next_victim(procs, weights(procs), QUOTA)) == 2


def test_without_a_limit_everybody_counts() -> None:
    procs = [grown(2, 20), grown(3, 900, "/x"), grown(4, 30, None)]
    found = next_victim(procs, weights(procs), quota_of(None))
    assert (pid_of(found), found.cgroup) == (3, None)


def test_a_group_that_dies_as_a_whole_is_named() -> None:
    procs = [
        grown(2, 20, "/a/b/c/d"), grown(3, 8, "/a/b/c"), grown(4, 9, "/a/b"), grown(5, 2, "/a/b/c"),
    ]  # fmt: skip
    around = Around(group_kills=frozenset({"/a/b/c", "/a/b/c/d", "/a"}))
    found = next_victim(procs, weights(procs, p5=-1000), QUOTA, around)
    assert (pid_of(found), found.group) == (2, "/a/b/c")
    assert found.others == (procs[1].identity,)
    assert set(found.all) == {procs[0].identity, procs[1].identity}
    around = Around(group_kills=frozenset({"/a/b"}))
    assert len(next_victim(procs, weights(procs), QUOTA, around).all) == 4


UNKNOWN = [
    (Around(hidden=2), "2 processes of the cgroup cannot be seen from here"),
    (Around(instead="the kernel panics"), "the kernel panics"),
]


@pytest.mark.parametrize(("around", "reason"), UNKNOWN)
def test_nobody_is_named_where_that_cannot_be_known(around: Around, reason: str) -> None:
    procs = [grown(2, 20), grown(3, 8)]
    found = next_victim(procs, weights(procs), QUOTA, around)
    assert (found.identity, found.all, found.reason) == (None, (), reason)
    assert describe(found, procs) == f"not known: {reason}"


def test_an_adj_that_cannot_be_read_may_be_any() -> None:
    procs = [grown(2, 20), grown(3, 8)]
    held = {**weights(procs), procs[1].identity: Weight(None, 0, 0)}
    found = next_victim(procs, held, QUOTA)
    assert found.identity is None
    assert "oom_score_adj of python3 3" in found.reason


def test_unknown_swap_matters_where_there_is_some() -> None:
    procs = [grown(2, 20), grown(3, 8)]
    held = {**weights(procs), procs[1].identity: Weight(0, None, None)}
    assert pid_of(next_victim(procs, held, QUOTA)) == 2
    swapped = quota_of(swap_limit=0, host=HOST._replace(swap_total=GIB, swap_free=0))
    assert "swap of python3 3" in next_victim(procs, held, swapped).reason


def test_a_big_process_of_unknown_cgroup_may_be_in_the_group() -> None:
    procs = [grown(2, 20), grown(3, 30, None)]
    found = next_victim(procs, weights(procs), QUOTA)
    assert (found.identity, found.reason) == (None, "the cgroup of python3 3 is not known yet")
    procs = [grown(2, 20), grown(3, 10, None)]
    assert pid_of(next_victim(procs, weights(procs), QUOTA)) == 2


def test_a_process_whose_first_thread_ended_hides_its_memory() -> None:
    procs = [grown(2, 20), proc(3, 0, state="Z", threads=4)]
    assert "first thread has ended" in next_victim(procs, weights(procs), QUOTA).reason


def test_the_machine_s_memory_from_within_a_container_is_everybody_s() -> None:
    procs = [grown(2, 20)]
    found = next_victim(procs, weights(procs), quota_of(None), Around(whole=False))
    assert "not all its processes are visible" in found.reason


def test_memory_of_nobody_visible_is_somebody_s() -> None:
    procs = [grown(2, 20)]
    around = Around(whole=False, hidden=None)
    full = quota_of(anon=55 * MIB)
    assert "not visible" in next_victim(procs, weights(procs), full, around).reason
    assert pid_of(next_victim(procs, weights(procs), quota_of(anon=25 * MIB), around)) == 2


def test_a_limit_of_a_hidden_ancestor_names_nobody() -> None:
    hierarchy = Hierarchy(
        1, False, "/", (Level("/", "/sys", usage=MIB),), 32 * MIB, "/sys/memory.stat"
    )
    found = next_victim([grown(2, 20, "/")], {}, resolve_quota(hierarchy, HOST))
    assert "cgroup which is not visible" in found.reason


def test_nobody_there_is_no_victim() -> None:
    assert next_victim([], {}, QUOTA).reason == "nobody there may be killed"
    assert next_victim([], {}, resolve_quota(Hierarchy(None, False, None, ()), Host())).reason


def test_kernel_threads_show_that_all_is_seen() -> None:
    assert sees_all([grown(1, 2), proc(2, 0, kernel_thread=True)])
    assert not sees_all([grown(1, 2), grown(2, 3)])


def test_words_name_both_and_how_far_apart_they_are() -> None:
    procs = [grown(2, 20), grown(3, 8)]
    words = describe(next_victim(procs, weights(procs), QUOTA), procs)
    assert words == "python3 2 (RES 20.0M); 12.0M worse than python3 3 (RES 8.00M)"
    around = Around(group_kills=frozenset({"/a/b"}))
    words = describe(next_victim(procs, weights(procs), QUOTA, around), procs)
    assert words.endswith("; 1 more die with it (memory.oom.group)")


STATUS = b"Name:\tR\nVmSize:\t  900 kB\nVmPTE:\t      52 kB\nVmSwap:\t     128 kB\nHuge:\t1 kB\n"


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (STATUS, (128 << 10, 52 << 10)),
        (STATUS.replace(b"VmSwap", b"VmPMD"), (None, 180 << 10)),
        (STATUS[:40], (None, None)),
        (b"Name:\tkthreadd\nState:\tS\n", (0, 0)),
        (b"Name:\tVmPTE: 9 kB\nVmSize:\t1 kB\n", (None, None)),
    ],
)
def test_status_tells_swap_and_page_tables(
    data: bytes, sizes: tuple[int | None, int | None]
) -> None:
    assert parse_sizes(data) == sizes
