"""Whom memtui marks is whom the kernel kills: real kills in groups that the test makes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from memtui.kernel.cgroup import at_or_below
from memtui.kernel.procfs import read_kin
from memtui.kernel.roots import LIVE
from memtui.model.badness import Doomed
from memtui.model.snapshot import Proc, Snapshot
from memtui.services.sampler import Sampler
from tests.support.cgroups import MIB, Group
from tests.support.holders import Holder, Holders, holders, kills, relimit
from tests.support.limited import as_nobody
from tests.support.procs import until

LIMIT = 64 * MIB


class Watch:
    """memtui's eye on a group, and the process that fills it."""

    def __init__(self, group: Group, start: Holders, fill_in: Group | None = None) -> None:
        self.group = group
        self.start = start
        self.sampler = Sampler(LIVE, cgroup=group.cgroup)
        self.filler = Holder(fill_in or group)
        self.members: set[int] = set()

    def look(self) -> Snapshot:
        """One more tick."""
        snapshot = self.sampler.sample()
        own = self.group.cgroup
        alive = [p for p in snapshot.procs if p.state != "Z"]
        self.members = {p.pid for p in alive if p.cgroup and at_or_below(p.cgroup, own)}
        return snapshot

    @property
    def doomed(self) -> Doomed:
        """The next victim after one more tick."""
        found = self.look().doomed
        assert found is not None
        assert found.cgroup == self.group.cgroup, "another limit binds"
        return found

    @property
    def marked(self) -> int:
        """Its PID."""
        found = self.doomed
        assert found.identity is not None, found.reason
        return found.identity[0]

    def kill(self) -> int:
        """Fill the group until the kernel kills; return whom it took, who was marked.

        What the dead held comes back some ms late, so that the kernel may take another: the
        runner-up. Who was killed is told by who is gone.
        """
        doomed, before = self.doomed, kills(self.group)
        victims = [i[0] for i in (doomed.identity, doomed.runner_up) if i is not None]
        self.filler.fill(self.group, 2 * self.size)
        until(lambda: len(self.gone()) >= kills(self.group) - before)
        assert self.gone() == set(victims[: len(self.gone())]), f"{self.gone()} of {victims}"
        return victims[0]

    def gone(self) -> set[int]:
        """Who of those that lived at the last tick is killed; children of ours included."""
        return {pid for pid in self.members if not lives(pid)}

    @property
    def size(self) -> int:
        return int(self.group.limit_file.read_text()) // MIB

    def close(self) -> None:
        self.sampler.stop()
        self.filler.close()


@pytest.fixture
def start() -> Iterator[Holders]:
    with holders() as made:
        yield made


@pytest.fixture
def watch(memory_group: Group, start: Holders) -> Iterator[Watch]:
    """A group of 64 MiB."""
    memory_group.set_limit(LIMIT)
    made = Watch(memory_group, start)
    yield made
    made.close()


def test_the_biggest(watch: Watch, start: Holders) -> None:
    start(watch.group, 4)
    big = start(watch.group, 16)
    start(watch.group, 8)
    assert watch.marked == big.pid
    assert watch.kill() == big.pid


def test_not_the_biggest_because_of_its_adj(watch: Watch, start: Holders) -> None:
    start(watch.group, 16)
    small = start(watch.group, 4, adj=400)
    assert watch.marked == small.pid
    assert watch.kill() == small.pid


def test_the_biggest_though_another_has_some_adj(watch: Watch, start: Holders) -> None:
    big = start(watch.group, 16)
    start(watch.group, 4, adj=100)
    assert watch.marked == big.pid
    assert watch.kill() == big.pid


def test_a_child_and_not_its_parent(watch: Watch, start: Holders) -> None:
    parent = start(watch.group, 4)
    child = parent.fork(8)
    assert watch.marked == child
    assert watch.kill() == child


def test_a_parent_and_not_its_child(watch: Watch, start: Holders) -> None:
    parent = start(watch.group, 4)
    child = parent.fork(1)
    parent.hold(10)
    start(watch.group, 8)  # should the kernel take one more, it is not the child
    assert watch.marked == parent.pid
    assert watch.kill() == parent.pid
    assert lives(child)


def test_the_mark_moves_with_an_adj(watch: Watch, start: Holders) -> None:
    one, two = start(watch.group, 12), start(watch.group, 4)
    assert watch.marked == one.pid
    two.adj(500)
    assert watch.marked == two.pid
    one.adj(700)
    assert watch.marked == one.pid
    one.adj(0)
    assert watch.marked == two.pid
    assert watch.kill() == two.pid


@pytest.mark.parametrize(("limits", "adj_dies"), [((96, 48), False), ((48, 96), True)])
def test_the_mark_moves_with_the_limit(
    watch: Watch, start: Holders, limits: tuple[int, int], adj_dies: bool
) -> None:
    """oom_score_adj is a share of the limit: 9 MiB of 48, 18 MiB of 96."""
    relimit(watch.group, limits[0] * MIB)
    big, blamed = start(watch.group, 14), start(watch.group, 1, adj=190)
    first, then = (big, blamed) if adj_dies else (blamed, big)
    assert watch.marked == first.pid
    relimit(watch.group, limits[1] * MIB)
    assert watch.marked == then.pid
    assert watch.kill() == then.pid


def test_of_equals_the_one_that_came_last(watch: Watch, start: Holders) -> None:
    if os.cpu_count() != 1:
        pytest.skip("needs a single CPU: with more the kernel counts resident pages inexactly")
    parent = start(watch.group, 2)
    children = [parent.fork(6) for _ in range(3)]
    assert watch.doomed.margin == 0
    assert watch.marked == children[-1]
    assert watch.kill() == children[-1]


def test_page_tables_weigh(watch: Watch, start: Holders) -> None:
    wide = start(watch.group).spread(1024)
    big = start(watch.group, 6)
    snapshot = watch.look()
    sizes = {p.pid: p.rss for p in snapshot.procs}
    assert sizes[wide.pid] < sizes[big.pid]
    assert snapshot.doomed is not None
    assert snapshot.doomed.all == (identity(snapshot, wide.pid),)
    assert watch.kill() == wide.pid


def test_who_may_not_be_killed_is_passed_by(watch: Watch, start: Holders) -> None:
    spared, other, blest = start(watch.group, 16), start(watch.group, 4), start(watch.group, 9)
    try:
        spared.adj(-1000)
        blest.adj(-200)
    except PermissionError:
        pytest.skip("needs CAP_SYS_RESOURCE, to lower oom_score_adj")
    assert watch.marked == other.pid
    assert watch.kill() == other.pid


def test_who_is_outside_the_group_is_passed_by(memory_group: Group, start: Holders) -> None:
    inner, other = memory_group.child("inner", LIMIT), memory_group.child("other")
    watch = Watch(inner, start)
    outside, victim = start(other, 24, adj=1000), start(inner, 4)
    assert watch.marked == victim.pid
    assert watch.kill() == victim.pid
    assert outside.alive
    watch.close()


def test_the_limit_of_a_parent_takes_from_all_below(memory_group: Group, start: Holders) -> None:
    memory_group.set_limit(LIMIT)
    one, two = memory_group.child("one"), memory_group.child("two", 2 * LIMIT)
    watch = Watch(memory_group, start, fill_in=one)
    start(one, 8)
    victim = start(two, 14)
    assert watch.marked == victim.pid
    assert watch.kill() == victim.pid
    watch.close()


@pytest.mark.memory_v2
def test_all_of_a_group_that_dies_as_a_whole(memory_group: Group, start: Holders) -> None:
    memory_group.set_limit(LIMIT)
    one, two = memory_group.child("one"), memory_group.child("two")
    (two.dir / "memory.oom.group").write_text("1")
    watch = Watch(memory_group, start, fill_in=one)
    bystander = start(one, 8)
    victim, small = start(two, 14), start(two)
    doomed = watch.doomed
    assert doomed.group == two.cgroup
    assert [pid for pid, _ in doomed.all] == [victim.pid, small.pid]
    watch.filler.fill(watch.group, 128)
    until(lambda: not victim.alive and not small.alive)
    assert bystander.alive
    assert watch.filler.alive
    watch.close()


@pytest.mark.swap
def test_swapped_out_memory_weighs(memory_group: Group, start: Holders) -> None:
    """What is held first is swapped out when others come; it is still the worst."""
    memory_group.set_limit(24 * MIB, swap=64 * MIB)
    watch = Watch(memory_group, start)
    first = start(memory_group, 18)
    start(memory_group, 12)
    snapshot = watch.look()
    sizes = {p.pid: p.rss for p in snapshot.procs}
    weight = snapshot.weights[identity(snapshot, first.pid)]
    assert weight.swap
    assert weight.swap > 2 * MIB
    assert sizes[first.pid] < 18 * MIB
    assert watch.marked == first.pid
    assert watch.kill() == first.pid
    watch.close()


LOOK = """
import json, sys
from memtui.kernel.roots import LIVE
from memtui.services.sampler import Sampler
doomed = Sampler(LIVE, cgroup=sys.argv[1]).sample().doomed
print(json.dumps([doomed.identity and doomed.identity[0], doomed.reason]))
"""
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]
HIDING = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
HIDDEN = ["unshare", "--mount", "sh", "-c", HIDING, "sh"]


def entering(group: Group) -> list[str]:
    """A prefix that moves a command into a group."""
    return ["/bin/sh", "-c", 'echo 0 >"$0" && exec "$@"', str(group.dir / "cgroup.procs")]


def look_from(prefix: list[str], watched: Group) -> tuple[int | None, str]:
    """Whom a memtui started by `prefix` marks, and else why nobody."""
    line = [*prefix, sys.executable, "-c", LOOK, watched.cgroup]
    done = subprocess.run(line, stdout=subprocess.PIPE, timeout=60, check=True)
    pid, reason = json.loads(done.stdout)
    return pid, reason


@pytest.mark.namespaces
def test_members_of_another_pid_namespace_are_not_overlooked(
    memory_group: Group, start: Holders
) -> None:
    memory_group.set_limit(2 * LIMIT)
    within = [*NAMESPACE, *entering(memory_group)]
    assert look_from(within, memory_group) == (1, ""), "the first there dies like any other"
    start(memory_group, 60)
    pid, reason = look_from(within, memory_group)
    assert pid is None
    assert "seen from here" in reason or "not visible from here" in reason


@pytest.mark.namespaces
def test_members_that_proc_hides_are_not_overlooked(memory_group: Group, start: Holders) -> None:
    memory_group.set_limit(2 * LIMIT)
    start(memory_group, 8)
    start(memory_group, 4)
    pid, reason = look_from([*entering(memory_group), *HIDDEN, *as_nobody()], memory_group)
    assert pid is None
    assert "2 processes of the cgroup cannot be seen from here" in reason


ROUNDS = 12


def test_a_dozen_kills_took_whom_the_mark_was_on(watch: Watch, start: Holders) -> None:
    """Sizes and adjs at random, the worst by 1 MiB at least: the kernel counts less exactly."""
    chance = random.Random(7)
    relimit(watch.group, 80 * MIB)
    told = []
    for _ in range(ROUNDS):
        while len(start.made) < 4:
            start(watch.group, chance.randrange(1, 13), chance.choice((0, 0, 60, 120, 200)))
        while ((doomed := watch.doomed).margin or 0) < MIB:
            chance.choice(start.made).hold(1.5)
        told.append((watch.kill(), doomed.margin))
        start.bury(start.dead())
        watch.filler.empty()
    print("".join(f"\nmarked and killed {pid}, worst by {margin} bytes" for pid, margin in told))
    assert len({pid for pid, _ in told}) == ROUNDS <= kills(watch.group)


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    kin = read_kin(pid)
    return kin is not None and kin.living


def identity(snapshot: Snapshot, pid: int) -> tuple[int, int]:
    found: Proc = next(p for p in snapshot.procs if p.pid == pid)
    return found.identity
