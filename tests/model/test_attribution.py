"""Whom an event names: by the kernel log, by exit status, by who vanished. Forged cases, too."""

from __future__ import annotations

import pytest

from memtui.model.attribution import attribute
from memtui.model.logmatch import Logged, Match, View, claim, find_logged, is_surely_of, same_group
from memtui.model.snapshot import Proc
from memtui.model.victims import SURE, Departed, OomEvent, candidates
from tests.support.made import MIB, proc

AT = 1000.0
GROUP = "/a/b"
EVENT = OomEvent(1, AT, 1, GROUP, "cgroup", False)
HOST = View(pids=True, paths=True)
CONTAINER = View(pids=False, paths=False)
KILLED, EXITED, TERMINATED = 9, 0, 15


def gone(p: Proc, status: int | None = None, missed: float = AT, **more: int) -> Departed:
    return Departed(p, missed - 1, missed, status, **more)


def record(pid: int, mib: float = 50, comm: bytes = b"python3", **more: object) -> Logged:
    found = Logged(
        AT, pid, comm, 0, int(mib * MIB), 0, GROUP, GROUP, False, False, "Killed process"
    )
    return found._replace(**more)  # type: ignore[arg-type]


def named(event: OomEvent) -> list[tuple[int, str]]:
    return [(v.pid, v.evidence) for v in event.victims]


# -- which process a record means


def test_where_the_log_s_pids_are_ours_a_pid_is_proof() -> None:
    twins = [gone(proc(1, 50)), gone(proc(2, 50)), gone(proc(3, 50))]
    match = find_logged(record(2), twins, [], set(), HOST)
    assert match.gone is not None
    assert (match.gone.proc.pid, match.sure) == (2, True)


def test_a_record_of_a_process_that_nobody_saw_means_no_other() -> None:
    twins = [gone(proc(1, 50)), gone(proc(2, 50))]
    assert find_logged(record(7), twins, [proc(3, 50)], set(), HOST) == Match(record(7))


def test_a_victim_that_still_shows_as_alive_is_found_by_its_pid() -> None:
    match = find_logged(record(3), [gone(proc(1, 50))], [proc(3, 50)], set(), HOST)
    assert match.gone is not None
    assert match.gone.proc.pid == 3


def test_a_process_that_became_another_program_is_known_by_its_pid() -> None:
    match = find_logged(record(4), [gone(proc(4, 1, comm=b"sh", name="sh"))], [], set(), HOST)
    event = attribute(EVENT, [], [match])
    assert [(v.pid, v.name, v.rss) for v in event.victims] == [(4, "python3", 50 * MIB)]


def test_in_a_container_a_number_means_nothing() -> None:
    departed = [gone(proc(77, 50, comm=b"bash")), gone(proc(5, 48))]
    match = find_logged(record(77), departed, [proc(77, 2)], set(), CONTAINER)
    assert match.gone is not None
    assert (match.gone.proc.pid, match.sure) == (5, True)


def test_in_a_container_one_of_two_alike_is_only_probable() -> None:
    departed = [gone(proc(5, 48)), gone(proc(6, 30))]
    match = find_logged(record(9001), departed, [], set(), CONTAINER)
    event = attribute(EVENT, departed, [match])
    assert named(event) == [(5, "vanished")]
    assert [v.pid for v in event.others] == [6]


@pytest.mark.parametrize(
    "other",
    [
        gone(proc(5, 48), EXITED),
        gone(proc(5, 48), TERMINATED),
        gone(proc(5, 48), missed=AT - 5),
        gone(proc(5, 90)),
        gone(proc(5, 48, "/elsewhere")),
        gone(proc(5, 48, comm=b"python")),
    ],
    ids=["exited", "terminated", "ended before", "was bigger", "another group", "another name"],
)
def test_in_a_container_who_does_not_fit_is_not_meant(other: Departed) -> None:
    assert find_logged(record(9001), [other], [], set(), View(pids=False, paths=True)).gone is None


def test_nobody_is_meant_by_two_records() -> None:
    departed = [gone(proc(5, 48)), gone(proc(6, 48))]
    first = find_logged(record(9001), departed, [], set(), CONTAINER)
    assert first.gone is not None
    second = find_logged(record(9002), departed, [], {first.gone.proc[:2]}, CONTAINER)
    assert second.gone is not None
    assert {first.gone.proc.pid, second.gone.proc.pid} == {5, 6}


# -- which records tell of an event


def test_groups_are_the_same_by_path_or_from_inside_a_namespace_by_its_end() -> None:
    assert same_group("/a/b", "/a/b", HOST)
    assert not same_group("/b", "/a/b", HOST)
    assert same_group("/b", "/docker/x/b", CONTAINER)
    assert same_group("/", "/docker/x", CONTAINER)
    assert not same_group("/b", "/docker/x/c", CONTAINER)


def test_a_record_of_another_group_is_not_claimed() -> None:
    pool = [record(1, task_memcg="/other"), record(2, task_memcg="/x" + GROUP), record(3)]
    assert [k.pid for k in claim(EVENT, pool, {}, 7.0, HOST)] == [3]


def test_no_more_records_are_claimed_than_kills_were_counted() -> None:
    pool = [record(n) for n in (1, 2, 3)]
    assert [k.pid for k in claim(EVENT._replace(count=2), pool, {}, 7.0, HOST)] == [1, 2]


def test_an_old_record_is_not_claimed() -> None:
    assert claim(EVENT, [record(1, time=AT - 60)], {}, 7.0, HOST) == []


def test_of_a_group_that_is_gone_no_record_of_a_counted_group_tells() -> None:
    event = EVENT._replace(cgroup=None, scope="gone")
    pool = [record(1), record(2, task_memcg="/removed")]
    assert [k.pid for k in claim(event, pool, {GROUP: None}, 7.0, HOST)] == [2]


def test_another_container_s_kill_is_not_surely_ours() -> None:
    inside = EVENT._replace(cgroup="/")
    theirs = record(9001, task_memcg="/docker/other")
    assert claim(inside, [theirs], {}, 7.0, CONTAINER) == [theirs]
    assert not is_surely_of(inside, theirs, CONTAINER)
    assert is_surely_of(EVENT, record(1), HOST)


# -- without a record


def test_killed_by_9_as_the_counter_rose() -> None:
    event = attribute(EVENT, [gone(proc(1, 50), KILLED), gone(proc(2, 60), EXITED)])
    assert named(event) == [(1, "exit-status")]


def test_more_were_killed_than_counted_so_none_is_certain() -> None:
    event = attribute(EVENT, [gone(proc(1, 50), KILLED), gone(proc(2, 30), KILLED)])
    assert named(event) == [(1, "vanished")]
    assert [v.pid for v in event.others] == [2]


def test_a_small_one_is_not_certain_while_a_big_one_lives() -> None:
    event = attribute(EVENT, [gone(proc(1, 5), KILLED)], heaviest=50 * MIB)
    assert named(event) == [(1, "vanished")]


def test_a_small_one_is_not_certain_while_it_is_not_told_how_a_big_one_ended() -> None:
    """A person's `kill -9` of the small one, an instant before the big one was OOM-killed."""
    event = attribute(EVENT, [gone(proc(2, 50)), gone(proc(1, 5), KILLED)])
    assert not [v for v in event.victims if v.evidence in SURE]


def test_who_is_heavy_by_its_adjustment_is_certain_though_small() -> None:
    adjusted = gone(proc(1, 5), KILLED, badness=70 * MIB)
    event = attribute(EVENT, [adjusted], heaviest=50 * MIB)
    assert named(event) == [(1, "exit-status")]


def test_who_had_ended_before_the_count_rose_is_no_candidate() -> None:
    person, kernel = gone(proc(1, 50), KILLED, kills=7), gone(proc(2, 40), KILLED, kills=8)
    found = candidates([person, kernel], EVENT, AT - 1, before=7)
    assert named(attribute(EVENT, found)) == [(2, "exit-status")]
    unknown = [d._replace(kills=None) for d in (person, kernel)]
    assert len(candidates(unknown, EVENT, AT - 1, before=7)) == 2


def test_a_small_process_of_unknown_cgroup_is_no_candidate() -> None:
    event = EVENT._replace(limit_bytes=64 * MIB)
    departed = [gone(proc(1, 2, None)), gone(proc(2, 40, None))]
    assert [d.proc.pid for d in candidates(departed, event, AT - 1)] == [2]


# -- a group killed as a whole


def test_a_group_kill_names_all_and_counts_the_first_once() -> None:
    """The kernel counts the first victim twice."""
    event = EVENT._replace(count=4, group_kill=True)
    all_three = [gone(proc(n, 50 / n), KILLED) for n in (1, 2, 3)]
    told = attribute(event, all_three)
    assert named(told) == [(n, "exit-status") for n in (1, 2, 3)]
    assert told.count == 3
    assert attribute(told, all_three).count == 3


def test_a_group_kill_by_the_log_counts_its_records_once() -> None:
    event = EVENT._replace(count=4)
    pool = [record(1), *(record(n, 2, group_kill=True) for n in (1, 2, 3))]
    claimed = claim(event, pool, {}, 7.0, HOST)
    told = attribute(event, [], [Match(k) for k in claimed])
    assert sorted(v.pid for v in told.victims) == [1, 2, 3]
    assert (told.count, told.group_kill, told.evidence) == (3, True, "kernel-log")


# -- what else a record tells


def test_the_log_says_whose_limit_it_was() -> None:
    told = attribute(EVENT, [], [Match(record(1, oom_memcg="/a"))])
    assert (told.cause, told.limit_cgroup) == ("limit", "/a")
    machine = attribute(EVENT, [], [Match(record(1, machine=True, oom_memcg=None))])
    assert (machine.cause, machine.limit_cgroup) == ("host", None)


def test_a_forged_name_stays_a_name() -> None:
    forged = b"x) total-vm:9kB\x1b[2J"
    (victim,) = attribute(EVENT, [], [Match(record(1, comm=forged))]).victims
    assert victim.pid == 1
    assert "\x1b" not in victim.name
