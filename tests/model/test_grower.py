"""Who grew: one process that explains most of it, or nobody."""

from __future__ import annotations

import pytest

from memtui.model.grower import Grower, Grown
from memtui.model.snapshot import Proc
from tests.support.made import MIB, proc

LIMIT = 1000 * MIB


def follow(ticks: list[tuple[int, list[Proc]]], cgroup: str | None = "/a") -> Grown | None:
    """What is said after the last of `ticks`: hard MiB and processes, a second each."""
    growth, said = Grower(), None
    for t, (hard, procs) in enumerate(ticks):
        said = growth.add(float(t), hard * MIB, LIMIT, procs, cgroup)
    return said


def test_who_grows_most_is_named() -> None:
    said = follow([(300 + 10 * t, [proc(1, 200), proc(2, 50 + 9 * t)]) for t in range(12)])
    assert said is not None
    assert said.identity == (2, 20)
    assert said.command == "python3 x.py"
    assert said.grown == 99 * MIB
    assert said.over_s == 11
    assert said.share == pytest.approx(0.9)


def test_where_several_share_it_nobody_is() -> None:
    grow = [[proc(i, 20 + 5 * t) for i in (1, 2, 3)] for t in range(12)]
    assert follow([(300 + 15 * t, procs) for t, procs in enumerate(grow)]) is None


def test_where_nothing_grows_nobody_did() -> None:
    assert follow([(300, [proc(1, 100 + 9 * t)]) for t in range(12)]) is None


def test_a_newborn_counts_from_nothing() -> None:
    ticks = [(300, [proc(1, 200)])] * 5
    ticks += [(300 + 40 * t, [proc(1, 200), proc(9, 40 * t)]) for t in range(1, 5)]
    said = follow(ticks)
    assert said is not None
    assert said.identity == (9, 90)


def test_a_pid_that_was_given_again_is_another_process() -> None:
    ticks = [(600, [proc(5, 400)])] * 6
    ticks += [(200 + 100 * t, [proc(5, 100 * t, start=77)]) for t in range(1, 7)]
    said = follow(ticks)
    assert said is not None
    assert said.identity == (5, 77)
    assert said.grown == 600 * MIB


def test_mapped_files_are_no_growth() -> None:
    reads = [proc(1, 100 + 50 * t, shr=(90 + 50 * t) * MIB) for t in range(8)]
    leaks = [proc(2, 100 + 10 * t) for t in range(8)]
    said = follow([(300 + 10 * t, [reads[t], leaks[t]]) for t in range(8)])
    assert said is not None
    assert said.identity == (2, 20)


def test_shared_memory_is_the_one_who_maps_it() -> None:
    fills = [proc(1, 100 + 50 * t, shr=(90 + 50 * t) * MIB) for t in range(8)]
    said = follow([(300 + 50 * t, [fills[t], proc(2, 90)]) for t in range(8)])
    assert said is not None
    assert said.identity == (1, 10)


def test_only_who_is_charged_there_counts() -> None:
    far = [proc(1, 100 + 90 * t, cgroup="/b") for t in range(8)]
    near = [proc(2, 100 + 30 * t, cgroup=cgroup) for t, cgroup in enumerate([None] + ["/a/x"] * 7)]
    ticks = [(300 + 40 * t, [far[t], near[t]]) for t in range(8)]
    said = follow(ticks)
    assert said is not None
    assert said.identity == (2, 20)
    assert (follow(ticks, cgroup=None) or said).identity == (1, 10), "all are the machine's"


def test_another_limit_begins_anew() -> None:
    growth = Grower()
    for t in range(8):
        growth.add(t, (300 + 20 * t) * MIB, LIMIT, [proc(1, 100 + 20 * t)])
    assert growth.add(8, 500 * MIB, 2 * LIMIT, [proc(1, 260)]) is None


def test_what_is_remembered_is_bounded() -> None:
    growth = Grower()
    for t in range(300):
        growth.add(10.0 * t, (100 + t) * MIB, LIMIT, [proc(i, i / 100) for i in range(1, 900)])
    assert len(growth._tables) == 24
    assert max(len(table.rss) for table in growth._tables) < 750, "the small ones are nobody"
