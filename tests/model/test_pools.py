"""Memory that belongs to no process: with the processes' own it is what the bar draws."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtui.kernel.levels import Parts
from memtui.kernel.mounts import Tmpfs
from memtui.model.pools import KINDS, mount_point, own_memory, pools, why_not
from memtui.model.snapshot import Limit, Proc, Quota
from memtui.units import size_short
from tests.support.made import MIB, proc


def quota_of(parts: Parts) -> Quota:
    """A quota of which only what fills it is known."""
    values = dict.fromkeys(Quota._fields)
    return Quota(**{**values, "parts": parts})  # type: ignore[arg-type]


def by_kind(rows: list[Proc]) -> dict[str, int]:
    return {r.pool: r.rss // MIB for r in rows}


FULL = Parts(*(n * MIB for n in (500, 100, 40, 60, 20, 10, 5, 7)))


def test_what_the_bar_draws_is_all_there() -> None:
    mounts = [Tmpfs("/dev/shm", 80 * MIB, 1 << 30, 7)]
    rows = pools(quota_of(FULL), mounts, 450 * MIB)
    assert by_kind(rows) == {"tmpfs": 80, "shared": 20, "cache": 110, "kernel": 25, "rest": 57}
    assert sum(r.rss for r in rows) + 450 * MIB == sum(n or 0 for n in FULL)
    assert {r.pool for r in rows} == set(KINDS)
    assert "unexplained" in next(r.command for r in rows if r.pool == "rest")


def test_what_is_counted_twice_is_said_to_be() -> None:
    rows = pools(quota_of(FULL), [], 700 * MIB)
    (rest,) = (r for r in rows if r.pool == "rest")
    assert (rest.rss // MIB, "twice" in rest.command) == (-193, True)


def test_files_of_other_groups_are_not_counted_into_this_limit() -> None:
    """The mounts of /proc/self/mountinfo are everybody's; memory.stat says what is charged."""
    limit = Limit(1 << 30, "/x/memory.max", 0, 0, 0, 0)
    mounts = [Tmpfs("/dev/shm", 800 * MIB, 1 << 30, 7), Tmpfs("/tmp", 50 * MIB, 1 << 30, 8)]
    (row,) = (r for r in pools(quota_of(FULL)._replace(binding=limit), mounts, None) if r.argv)
    assert (row.rss // MIB, mount_point(row)) == (100, "/dev/shm")
    assert row.command == "[tmpfs] /dev/shm and 1 more: as far as it is charged here"
    none = FULL._replace(shmem=0)
    assert not any(r.argv for r in pools(quota_of(none)._replace(binding=limit), mounts, None))


sizes = st.none() | st.integers(0, 1 << 44)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(sizes, min_size=8, max_size=8), st.lists(st.integers(1, 1 << 40)), sizes)
def test_it_adds_up_whenever_a_rest_is_told(
    parts: list[int | None], used: list[int], own: int | None
) -> None:
    filled = Parts(*parts)
    mounts = [Tmpfs(f"/m{i}", n, n, i) for i, n in enumerate(used)]
    rows = pools(quota_of(filled), mounts, own)
    if any(r.pool == "rest" for r in rows):
        assert own is not None
        assert sum(r.rss for r in rows) + own == sum(n or 0 for n in filled)
    assert len({r.identity for r in rows}) == len(rows), "each row is told apart"
    assert all(r.pid == 0 for r in rows), "no signal goes there"
    assert all(len(size_short(r.rss)) <= 5 for r in rows)
    assert all(why_not(r) for r in rows)


@pytest.mark.parametrize("unknown", ["anon", "shmem"])
def test_of_what_is_unknown_no_rest_is_told(unknown: str) -> None:
    rows = pools(quota_of(FULL._replace(**{unknown: None})), [], 1)
    assert "rest" not in by_kind(rows)
    assert "rest" not in by_kind(pools(quota_of(FULL), [], None))
    assert pools(quota_of(Parts()), [], 5) == []


def test_a_mount_point_is_shown_safely_and_found_as_it_is() -> None:
    (row,) = pools(quota_of(Parts()), [Tmpfs("/mnt/\x1b[31m\udcff", 5, 9, 3)], None)
    assert "\x1b" not in row.command
    assert mount_point(row) == "/mnt/\x1b[31m\udcff"
    assert mount_point(row._replace(pool="cache")) is None


def test_own_memory_is_anonymous_memory_and_exact_where_it_was_read() -> None:
    plain = proc(1, 10, shr=4 * MIB)
    assert own_memory([plain, plain]) == 12 * MIB
    assert own_memory([plain, plain._replace(pss_anon=MIB)]) == 7 * MIB
    assert own_memory([]) == 0
