"""What the next run of memtui knows: kills that nobody has seen, told once, and earlier records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE, Roots
from memtui.model.victims import OomEvent
from memtui.services.oomlogs import history
from memtui.services.oomwatch import OomWatch
from memtui.services.recorder import Recorder
from memtui.services.remembered import Remembered
from memtui.services.sampler import Sampler
from memtui.services.waker import Waker
from tests.support.cgroups import MIB, Group
from tests.support.programs import line
from tests.support.trees import copy

SCOPE = "user.slice/user-1000.slice/session-3.scope"


@contextmanager
def watching() -> Iterator[list[OomEvent]]:
    """What a run of memtui tells, from its start to its end."""
    told: list[OomEvent] = []
    sampler = Sampler(LIVE, 5.0)
    sampler.listen(lambda _, events: told.extend(events))
    sampler.start()
    try:
        wait_for(lambda: sampler.latest)
        yield told
    finally:
        sampler.stop()


def wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def comm_of_us() -> str:
    return Path("/proc/self/comm").read_text().strip()


def kill_in(group: Group, pause: float = 0.0) -> None:
    before = group.oom_kills()
    group.start(line("hog", mib=60, tell=0, pause=pause)).wait(60)
    assert group.oom_kills() > before


def kill_with_a_dump(group: Group) -> int:
    """Kill until the kernel says whose limit it was: it does so ten times in five seconds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        process = group.start(line("hog", mib=60, tell=0))
        process.wait(30)
        if any(k.pid == process.pid and k.task_memcg == group.cgroup for k in history()):
            return process.pid
        time.sleep(0.5)
    raise AssertionError("the kernel log never named the group")


def of(group: Group, told: list[OomEvent]) -> list[OomEvent]:
    return [e for e in told if e.cgroup == group.cgroup]


@pytest.mark.world
def test_kills_between_two_runs_are_told_once(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    with watching():
        pass
    kill_in(memory_group)
    kill_in(memory_group)
    with watching() as told:
        (event,) = of(memory_group, told)
    assert (event.before_start, event.count) == (True, 2)
    assert event.last_looked is not None
    assert 0 < time.time() - event.last_looked < 60
    with watching() as told:
        assert of(memory_group, told) == []


@pytest.mark.kmsg
def test_the_kernel_log_names_those_that_nobody_saw(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    with watching():
        pass
    pid = kill_with_a_dump(memory_group)
    with watching() as told:
        (event,) = of(memory_group, told)
    assert event.count == memory_group.oom_kills()
    assert (event.victims[-1].pid, event.victims[-1].evidence) == (pid, "kernel-log")
    assert (event.cause, event.limit_cgroup) == ("limit", memory_group.cgroup)
    assert "Killed process" in event.record


@pytest.mark.world
def test_a_kill_that_was_seen_is_known_to_the_next_run_with_its_post_mortem(
    memory_group: Group,
) -> None:
    memory_group.set_limit(24 * MIB)
    with watching() as told:
        kill_in(memory_group, pause=0.15)  # it lives for seconds: somebody sees it
        wait_for(lambda: [e for e in of(memory_group, told) if e.victims])
    with watching() as told:
        (event,) = of(memory_group, told)
    assert (event.recorded, event.before_start, event.count) == (True, False, 1)
    (victim,) = event.victims
    assert victim.name.startswith("python")
    assert victim.parent == comm_of_us()
    assert event.scene is not None
    assert event.scene.procs


def test_a_group_that_was_removed_does_not_make_its_kills_news(tmp_path: Path) -> None:
    """v2's levels go on counting them: 3 kills of groups that are gone, 2 of a scope."""
    root = copy("v2_systemd", tmp_path)
    watch, remembered = OomWatch(Roots(str(root))), Remembered(LIVE)
    remembered.begin()
    assert [(e.cgroup, e.count) for e in watch.start(remembered.news)] == [
        ("/user.slice/user-1000.slice", 3),
        ("/" + SCOPE, 2),
    ]
    remembered.count(watch.counters.counts())
    remembered.farewell()

    events = root / "sys/fs/cgroup" / SCOPE / "memory.events.local"
    events.write_text("oom 0\noom_kill 0\n")  # as if its kills were in a child that is gone
    again = Remembered(LIVE)
    again.begin()
    assert OomWatch(Roots(str(root))).start(again.news) == []


def test_another_machine_s_files_leave_no_trace(tmp_path: Path) -> None:
    root = copy("v2_systemd", tmp_path)
    waker = Waker()
    recorder = Recorder(Roots(str(root)), None, waker)
    assert [e.last_looked for e in recorder.start()] == [None, None]
    recorder.farewell()
    recorder.close()
    waker.close()
    assert Remembered(LIVE).begin() == []
    assert Recorder(Roots(str(root)), None, Waker()).start() != []
