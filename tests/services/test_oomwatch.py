"""OOM kills in captured trees, tick by tick, and real ones in groups that the test makes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE, Roots
from memtui.model.snapshot import Proc
from memtui.model.victims import OomEvent, describe
from memtui.services.oomwatch import OomWatch
from memtui.services.quota import QuotaSource
from memtui.services.sampler import Processes
from tests.support.cgroups import MIB, Group
from tests.support.made import proc
from tests.support.programs import running
from tests.support.trees import copy

V1 = "sys/fs/cgroup/memory"
V2 = "sys/fs/cgroup"
STEP = "/jobs/j1/step"
SCOPE = "user.slice/user-1000.slice/session-3.scope"


class Machine:
    """A captured machine whose counters move between ticks of one second."""

    def __init__(self, root: Path, cgroup: str | None = None) -> None:
        self.root = root
        self.now = 1000.0
        self.roots = Roots(str(root))
        self.quota = QuotaSource(self.roots, cgroup)
        self.watch = OomWatch(self.roots, cgroup)
        self.before = self.watch.start()

    def tick(self, *procs: Proc) -> list[OomEvent]:
        self.now += 1.0
        return self.watch.observe(self.now, procs, self.quota.read())

    def host(self, count: int) -> None:
        (self.root / "proc/vmstat").write_text(f"a 1\noom_kill {count}\n")

    def v1(self, group: str, count: int) -> None:
        path = self.root / V1 / group.lstrip("/")
        path.mkdir(exist_ok=True)
        text = f"oom_kill_disable 0\nunder_oom 0\noom_kill {count}\n"
        (path / "memory.oom_control").write_text(text)

    def v2(self, group: str, total: int, local: int) -> None:
        path = self.root / V2 / group
        path.mkdir(exist_ok=True)
        (path / "memory.events").write_text(f"oom 0\noom_kill {total}\n")
        (path / "memory.events.local").write_text(f"oom 0\noom_kill {local}\n")


@pytest.fixture
def v1_tree(tmp_path: Path) -> Machine:
    return Machine(copy("v1_hybrid", tmp_path))


@pytest.fixture
def v2_tree(tmp_path: Path) -> Machine:
    return Machine(copy("v2_systemd", tmp_path))


def test_what_was_counted_before_the_start(v1_tree: Machine) -> None:
    told = {(e.cgroup, e.count, e.scope, e.before_start) for e in v1_tree.before}
    assert told == {
        (STEP, 2, "cgroup", True),
        ("/jobs/j1", 1, "cgroup", True),
        (STEP + "/child", 4, "cgroup", True),
        ("/other", 5, "elsewhere", True),
    }
    assert len({e.id for e in v1_tree.before}) == 4


def test_quiet_ticks_tell_nothing(v1_tree: Machine) -> None:
    assert v1_tree.tick(proc(1), proc(2)) == []
    assert v1_tree.tick(proc(1)) == []


def test_a_kill_names_the_group_and_the_victim(v1_tree: Machine) -> None:
    bystander, small = proc(5, 900, "/other"), proc(6, 2, STEP + "/child")
    victim = proc(7, 58.3, STEP + "/child", name="hog")
    v1_tree.tick(bystander, small, victim)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step/child", 5)
    (event,) = v1_tree.tick()
    assert (event.count, event.cgroup, event.scope) == (1, STEP + "/child", "cgroup")
    assert [v.pid for v in event.victims] == [7]
    assert [v.pid for v in event.others] == [6]
    assert event.evidence == "vanished"
    assert event.victims[0].last_seen == v1_tree.now - 1
    assert describe(event).startswith(f"killed 1 in {STEP}/child: probably hog 7 (58.3M)")


def test_a_victim_that_dies_later_updates_the_event(v1_tree: Machine) -> None:
    victim = proc(7, 58, STEP)
    v1_tree.tick(victim)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    (first,) = v1_tree.tick(victim)
    assert (first.victims, first.evidence) == ((), "none")
    assert v1_tree.tick(victim) == []
    (second,) = v1_tree.tick(victim._replace(state="Z", rss=0))
    assert second.id == first.id
    assert second.time == first.time
    assert second.victims[0].rss == 58 * MIB
    assert v1_tree.tick() == []


def test_after_five_seconds_nobody_is_blamed(v1_tree: Machine) -> None:
    late = proc(7, 58, STEP)
    v1_tree.tick(late)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    assert [e.victims for e in v1_tree.tick(late)] == [()]
    for _ in range(5):
        assert v1_tree.tick(late) == []
    assert v1_tree.tick() == []


def test_while_it_exits_v1_shows_a_process_in_the_root(v1_tree: Machine) -> None:
    victim = proc(8, 50, STEP)
    v1_tree.tick(victim)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    v1_tree.tick(victim._replace(cgroup="/", rss=0))
    (event,) = v1_tree.tick()
    assert [(v.pid, v.rss) for v in event.victims] == [(8, 50 * MIB)]


def test_who_is_of_unknown_cgroup_is_named_only_if_nobody_else_vanished(v1_tree: Machine) -> None:
    stranger, victim = proc(7, 900, None), proc(8, 5, STEP)
    v1_tree.tick(stranger, victim)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    assert [e.victims for e in v1_tree.tick(victim)] == [()]
    told = [e for _ in range(5) for e in v1_tree.tick(victim)]
    assert [v.pid for e in told for v in e.victims] == [7]


def test_kills_in_quick_succession_are_one_event(v1_tree: Machine) -> None:
    a, b, c = (proc(n, n, STEP) for n in (1, 2, 3))
    v1_tree.tick(a, b, c)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    (first,) = v1_tree.tick(b, c)
    v1_tree.host(9)
    v1_tree.v1("jobs/j1/step", 4)
    (second,) = v1_tree.tick(c)
    assert (first.id, first.count, second.id, second.count) == (first.id, 1, first.id, 2)
    assert [v.pid for v in second.victims] == [2, 1]


def test_a_victim_is_named_once(v1_tree: Machine) -> None:
    a, b = proc(1, 90, STEP), proc(2, 1, STEP)
    v1_tree.tick(a, b)
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step", 3)
    (first,) = v1_tree.tick(b)
    for _ in range(5):
        v1_tree.tick(b)
    v1_tree.host(9)
    v1_tree.v1("jobs/j1/step", 4)
    (second,) = v1_tree.tick()
    assert second.id != first.id
    assert [v.pid for v in second.victims] == [2]


def test_a_group_born_after_the_start(v1_tree: Machine) -> None:
    v1_tree.tick()
    v1_tree.host(8)
    v1_tree.v1("jobs/j1/step/new", 1)
    (event,) = v1_tree.tick()
    assert (event.cgroup, event.count) == (STEP + "/new", 1)
    assert describe(event).endswith("no process known in that group vanished")


def test_elsewhere(v1_tree: Machine) -> None:
    v1_tree.tick(proc(1, 50, "/other"))
    v1_tree.host(8)
    v1_tree.v1("other", 6)
    (event,) = v1_tree.tick()
    assert (event.scope, event.ours, event.cgroup) == ("elsewhere", False, "/other")
    assert [v.pid for v in event.victims] == [1]


def test_the_group_of_a_command_of_ours_is_ours(v1_tree: Machine) -> None:
    mine, its = f"/memtui-run-{os.getpid()}-0", f"/memtui-run-{os.getpid()}9-0"
    v1_tree.v1(mine, 0)
    v1_tree.tick(proc(1, 50, mine), proc(2, 50, its))
    v1_tree.host(9)
    v1_tree.v1(mine, 1)
    v1_tree.v1(its, 1)
    told = {e.cgroup: (e.scope, [v.pid for v in e.victims]) for e in v1_tree.tick()}
    assert told == {mine: ("cgroup", [1]), its: ("elsewhere", [2])}


def test_a_group_that_is_gone(v1_tree: Machine) -> None:
    v1_tree.v1("jobs/j1/step/brief", 0)
    v1_tree.tick(proc(1, 900, STEP), proc(2, 30, STEP + "/brief"))
    v1_tree.host(8)
    shutil.rmtree(v1_tree.root / V1 / "jobs/j1/step/brief")
    told = [*v1_tree.tick(), *v1_tree.tick()]
    assert [(e.scope, e.cgroup, e.count) for e in told] == [("gone", None, 1)]
    assert [v.pid for v in told[-1].victims] == [2]
    assert not any(v1_tree.tick() for _ in range(8))


def test_a_counter_that_lags_behind_the_machine_s_is_told_once(v1_tree: Machine) -> None:
    v1_tree.tick()
    v1_tree.host(8)
    assert v1_tree.tick() == []
    v1_tree.v1("jobs/j1/step", 3)
    assert [e.cgroup for e in v1_tree.tick()] == [STEP]
    assert not any(v1_tree.tick() for _ in range(8))


def test_without_a_count_in_vmstat(tmp_path: Path) -> None:
    root = copy("v1_hybrid", tmp_path)
    (root / "proc/vmstat").write_text("pgfault 1\n")
    machine = Machine(root)
    machine.tick()
    machine.v1("jobs/j1/step/child", 5)
    assert [e.cgroup for e in machine.tick()] == [STEP + "/child"]


def test_v2_own_and_parent(v2_tree: Machine) -> None:
    assert [(e.cgroup, e.count) for e in v2_tree.before] == [
        ("/user.slice/user-1000.slice", 3),
        ("/" + SCOPE, 2),
    ]
    v2_tree.tick(proc(9, 70, "/" + SCOPE))
    v2_tree.host(8)
    v2_tree.v2("user.slice", 6, 0)
    v2_tree.v2("user.slice/user-1000.slice", 6, 0)
    v2_tree.v2(SCOPE, 3, 3)
    (event,) = v2_tree.tick()
    assert (event.cgroup, event.scope, event.count) == ("/" + SCOPE, "cgroup", 1)
    assert [v.pid for v in event.victims] == [9]
    assert not any(v2_tree.tick() for _ in range(8))


def test_v2_remembers_kills_in_a_removed_child(v2_tree: Machine) -> None:
    slice_ = "/user.slice/user-1000.slice"
    v2_tree.tick(proc(8, 900, "/" + SCOPE), proc(9, 7, slice_ + "/run.scope"))
    v2_tree.host(8)
    v2_tree.v2("user.slice", 6, 0)
    v2_tree.v2("user.slice/user-1000.slice", 6, 0)
    told = [*v2_tree.tick(), *v2_tree.tick()]
    assert [(e.cgroup, e.scope, e.count) for e in told] == [(slice_, "cgroup", 1)]
    assert [v.pid for v in told[-1].victims] == [9]
    assert not any(v2_tree.tick() for _ in range(8))


def test_without_any_counter(tmp_path: Path) -> None:
    machine = Machine(copy("no_cgroup", tmp_path))
    assert machine.before == []
    machine.tick(proc(1))
    machine.host(8)
    told = [*machine.tick(), *machine.tick()]
    assert [e.scope for e in told] == ["gone"]
    assert [v.pid for v in told[0].victims] == [1]


# -- real kills, in groups of 64 MiB


def _ticks(watch: OomWatch, source: QuotaSource, group: str) -> list[OomEvent]:
    """Sample until the group's event has a victim or its time is up; the latest of each id."""
    found: dict[int, OomEvent] = {}
    processes = Processes(LIVE, room=0)
    end = time.monotonic() + 8
    while time.monotonic() < end and not any(e.victims for e in found.values()):
        for e in watch.observe(time.time(), processes.sample(cgroups=True), source.read()):
            if e.cgroup == group:  # others may be killed on this machine meanwhile
                found[e.id] = e
        time.sleep(0.2)
    return list(found.values())


def _kill_in(group: Group, around: Group) -> list[OomEvent]:
    source, watch = QuotaSource(LIVE, around.cgroup), OomWatch(LIVE, around.cgroup)
    assert [e for e in watch.start() if e.cgroup == group.cgroup] == []
    with running("hog", group, mib=200, pause=0.03) as child:
        told = _ticks(watch, source, group.cgroup)
        assert child.ended() == -9
    source.close()
    assert all(v.pid == child.pid for e in told for v in e.victims)
    return told


def test_a_real_kill_by_the_group_s_own_limit(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    (event,) = _kill_in(memory_group, memory_group)
    assert (event.count, event.cgroup, event.scope) == (1, memory_group.cgroup, "cgroup")
    assert (event.victims[0].rss or 0) > 20 * MIB
    assert memory_group.oom_kills() == 1


def test_a_real_kill_in_a_child_by_its_parent_s_limit(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    inner = memory_group.child("in ner")
    (event,) = _kill_in(inner, memory_group)
    assert (event.count, event.cgroup, event.scope) == (1, inner.cgroup, "cgroup")
    assert memory_group.oom_kills() == 0
    source = QuotaSource(LIVE, memory_group.cgroup)
    quota = source.read()
    source.close()
    assert quota.events.oom_kill == 1
    watch = OomWatch(LIVE, memory_group.cgroup)
    before = [e for e in watch.start() if e.cgroup == inner.cgroup]
    assert [(e.count, e.before_start, e.ours) for e in before] == [(1, True, True)]
