"""The tree of cgroups, from groups that the test makes."""

from __future__ import annotations

from memtui.kernel.roots import LIVE
from memtui.services.cgroups import Cgroups
from tests.support.cgroups import MIB, Group
from tests.support.trees import tree


def test_a_group_appears_with_its_limit_and_goes(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    below = memory_group.child("below", 32 * MIB)
    cgroups = Cgroups(LIVE)
    cgroups.wanted = True
    cgroups.look()
    uses = {use.path: use for use in cgroups.found}
    assert uses[memory_group.cgroup].limit == 64 * MIB
    assert uses[below.cgroup].limit == 32 * MIB
    assert uses[below.cgroup].oom_kill == 0
    assert uses[below.cgroup].usage is not None
    memory_group.remove()
    again = Cgroups(LIVE)
    again.wanted = True
    again.look()
    assert memory_group.cgroup not in {use.path for use in again.found}


def test_it_is_read_only_while_wanted() -> None:
    cgroups = Cgroups(tree("v2_container"))
    cgroups.look()
    assert list(cgroups.found) == []
    cgroups.wanted = True
    cgroups.look()
    assert cgroups.found
    cgroups.wanted = False
    cgroups.look()
    assert list(cgroups.found) == []


def test_v2_tells_of_stalls() -> None:
    cgroups = Cgroups(tree("v2_systemd"))
    cgroups.wanted = True
    cgroups.look()
    assert any(use.limit is not None for use in cgroups.found)
    assert cgroups.whole


def test_without_a_controller_there_are_none() -> None:
    cgroups = Cgroups(tree("no_cgroup"))
    cgroups.wanted = True
    cgroups.look()
    assert list(cgroups.found) == []
