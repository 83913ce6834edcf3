"""Who was probably killed, and how it is told."""

from __future__ import annotations

import pytest

from memtui.kernel.cgroup import Level
from memtui.model.attribution import attribute
from memtui.model.snapshot import Proc
from memtui.model.victims import (
    Departed,
    OomEvent,
    candidates,
    describe,
    home,
)
from tests.support.made import proc

EVENT = OomEvent(1, 100.0, 1, "/a/b", "cgroup", False)


def gone(*procs: Proc, missed: float = 100.0) -> list[Departed]:
    return [Departed(p, missed - 1, missed) for p in procs]


def pids(found: list[Departed]) -> list[int]:
    return [d.proc.pid for d in found]


def test_the_biggest_of_the_group_comes_first() -> None:
    departed = gone(proc(1, 5), proc(2, 50), proc(3, 900, "/a"), proc(4, 1, "/a/b/c"))
    assert pids(candidates(departed, EVENT, 99.0)) == [2, 1, 4]


def test_an_unknown_cgroup_ranks_last() -> None:
    departed = gone(proc(1, 500, None), proc(2, 5))
    assert pids(candidates(departed, EVENT, 99.0)) == [2, 1]


def test_who_was_gone_before_is_no_candidate() -> None:
    assert candidates(gone(proc(1), missed=90.0), EVENT, 99.0) == []
    assert candidates(gone(proc(1, kernel_thread=True)), EVENT, 99.0) == []


def test_of_a_group_that_is_gone_nobody_in_a_counted_group_is_a_candidate() -> None:
    event = EVENT._replace(cgroup=None, scope="gone")
    departed = gone(proc(1, 900, "/x"), proc(2, 5, "/removed"))
    assert pids(candidates(departed, event, 99.0, {"/x"})) == [2]


def test_no_more_victims_than_kills() -> None:
    event = attribute(EVENT, gone(proc(1, 9), proc(2, 5)))
    assert [v.pid for v in event.victims] == [1]
    assert [v.pid for v in event.others] == [2]
    assert event.evidence == "vanished"
    assert attribute(EVENT, []).evidence == "none"


def test_words() -> None:
    named = attribute(EVENT, gone(proc(4821, 58.3)))
    assert describe(named) == "killed 1 in /a/b: probably python3 4821 (58.3M)"
    assert describe(EVENT) == "killed 1 in /a/b: no process known in that group vanished"
    assert describe(EVENT._replace(cgroup=None)).endswith("a process that memtui had not seen")
    before = EVENT._replace(count=3, before_start=True)
    assert describe(before) == "killed 3 in /a/b, before memtui started"


def test_words_for_more_and_for_less() -> None:
    two = attribute(EVENT._replace(count=2), gone(proc(1, 1)))
    assert describe(two).endswith("probably python3 1 (1.00M) and 1 not known")
    others = attribute(EVENT, gone(proc(1, 1), proc(2, 1)))
    assert describe(others).endswith("; also vanished then: python3 2 (1.00M)")


def test_words_for_elsewhere() -> None:
    there = EVENT._replace(scope="elsewhere")
    assert describe(there).startswith("killed 1 elsewhere on this machine, in /a/b: ")
    lost = EVENT._replace(scope="gone", cgroup=None)
    assert describe(lost).startswith(
        "killed 1 in a cgroup that is gone, or not visible from here: "
    )


def test_a_hostile_cgroup_name_is_made_safe() -> None:
    assert "\x1b" not in describe(EVENT._replace(cgroup="/a\x1b[2J"))


def lv(path: str, limit: int | None = None, usage: int | None = 1) -> Level:
    return Level(path, "/cg" + path, limit, usage=usage)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([lv("/a/b"), lv("/a", 5), lv("/", None, None)], "/a"),
        ([lv("/a/b", 3), lv("/a", 5), lv("/", None, None)], "/a"),
        ([lv("/a/b"), lv("/a"), lv("/", None, None)], "/"),
        ([lv("/docker/x")], "/docker/x"),
        ([], None),
    ],
)
def test_home(levels: list[Level], expected: str | None) -> None:
    assert home(levels) == expected
