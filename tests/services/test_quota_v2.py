"""A real cgroup v2 group, where levels remember what happened below them."""

from __future__ import annotations

import os
import time

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.victims import OomEvent
from memtui.services.oomwatch import OomWatch
from memtui.services.quota import QuotaSource
from memtui.services.sampler import Processes
from tests.support.cgroups import MIB, Group
from tests.support.programs import line, running

pytestmark = pytest.mark.memory_v2


@pytest.fixture
def v2(memory_group: Group) -> Group:
    """A group of 48 MiB with an empty `inner` below it."""
    memory_group.set_limit(48 * MIB)
    memory_group.child("inner")
    return memory_group


def _watch(watch: OomWatch, source: QuotaSource, seconds: float) -> list[OomEvent]:
    """Tick until something of the groups below is told with a victim, or the time is up."""
    processes = Processes(LIVE, room=0)
    told: list[OomEvent] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(e.victims for e in told):
        procs = processes.sample(cgroups=True)
        told += [e for e in watch.observe(time.time(), procs, source.read()) if e.cgroup]
        time.sleep(0.2)
    processes.close()
    return told


def test_the_parent_s_limit_kills_in_the_child(v2: Group) -> None:
    inner = Group(v2.dir / "inner")
    source, watch = QuotaSource(LIVE, inner.cgroup), OomWatch(LIVE, inner.cgroup)
    watch.start()
    with running("hog", inner, mib=200, pause=0.03) as child:
        told = [e for e in _watch(watch, source, 20) if e.cgroup == inner.cgroup]
        assert child.ended() == -9
    assert told[-1].scope == "cgroup"
    assert [v.pid for v in told[-1].victims] == [child.pid]
    quota = source.read()
    assert quota.limit is not None
    assert (quota.limit.bytes, quota.limit.path) == (48 * MIB, f"{v2.dir}/memory.max")
    assert quota.limit.usage is not None
    assert quota.events.oom_kill == 1
    assert quota.levels[0].events.oom == 0  # the limit was the parent's


def test_kills_in_a_removed_group_are_remembered_by_the_one_above(v2: Group) -> None:
    inner = Group(v2.dir / "inner")
    source, watch = QuotaSource(LIVE, v2.cgroup), OomWatch(LIVE, v2.cgroup)
    watch.start()
    child = inner.start(line("hog", mib=200, tell=0))
    assert child.wait(timeout=30) == -9
    os.rmdir(inner.dir)
    told = _watch(watch, source, 2)
    assert {(e.cgroup, e.scope, e.count) for e in told} == {(v2.cgroup, "cgroup", 1)}
