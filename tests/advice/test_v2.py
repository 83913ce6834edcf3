"""Advice of what only cgroup v2 tells."""

from __future__ import annotations

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import all_advice
from memtui.services.explain import look
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group
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
