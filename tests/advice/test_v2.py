"""Advice of what only cgroup v2 tells."""

from __future__ import annotations

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import all_advice
from memtui.services.explain import look
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group
from tests.support.procs import until
from tests.support.programs import running


@pytest.mark.memory_v2
@provokes("group-oom", "memory.oom.group is 1, a program takes 75 % of the limit")
def test_a_group_that_dies_together(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    (memory_group.dir / "memory.oom.group").write_text("1")
    with running("hog", memory_group, mib=40) as hog:
        hog.wait_for("done")
        found = look(LIVE, memory_group.cgroup, 0)
    said = {a.id: a for a in all_advice(found.seen)}
    assert "every process of this group" in said["group-oom"].say
    assert [p.pid for p in found.seen.procs] == [hog.pid]


@pytest.mark.memory_v2
@provokes("throttled", "a program that takes more than memory.high")
def test_a_group_that_is_slowed_down(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    (memory_group.dir / "memory.high").write_text(str(24 * MIB))
    with running("hog", memory_group, mib=100, pause=0.01):
        said = {a.id: a for a in all_advice(look(LIVE, memory_group.cgroup, 3.0).seen)}
    assert "slowed down, not hung" in said["throttled"].say
    assert "24 MiB" in said["throttled"].say


@pytest.mark.memory_v2
@pytest.mark.swap
@provokes("swap-thrash", "a program that walks over twice as much as there is room for, with swap")
def test_a_group_that_swaps_and_gets_nothing_else_done(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB, swap=96 * MIB)
    code = """
held = bytearray(48 << 20)
while True:
    for at in range(0, len(held), 4096): held[at] = 1
"""
    with memory_group.python(code) as thrasher:
        try:
            until(lambda: memory_group.read("memory.swap.current") != "0\n", 30)
            found = look(LIVE, memory_group.cgroup, 3.0)
        finally:
            thrasher.kill()
    rows = [(a.id, a.say) for a in all_advice(found.seen) if a.id == "swap-thrash"]
    assert rows, (found.seen.trend, found.seen.quota.levels[0].activity, found.seen.then)
    assert "paused is better than killed" in rows[0][1]
