"""Who was killed, and of what, told by a real Sampler while real processes are OOM-killed.

Each scenario is played in a group of its own, watched by a process that may read the kernel log,
by nobody, and by root without CAP_SYSLOG; the delay is five seconds, so that only the recorder's
own looks can be in time. `python -m tests.kills` plays them many times, and prints a table.
"""

from __future__ import annotations

import pytest

from tests.kills.scenarios import SCENARIOS, Scenario, played
from tests.kills.verdict import Verdict, judge, tells_how
from tests.kills.watched import MODES, watching
from tests.support.cgroups import Group, memory_group_of

V2 = [n for n, s in SCENARIOS.items() if s.v2]
BOTH = [n for n, s in SCENARIOS.items() if not s.v2]


def _play(scenario: Scenario, mode: str, group: Group, again: int = 2) -> Verdict:
    """Play it, and hold what was told to what must hold everywhere.

    Every play must count right and blame nobody wrongly. Without the kernel's log one of three
    plays must name everybody; of brief lives one in three may be missed even then.
    """
    if why := MODES[mode].missing():
        pytest.skip(why)
    group.set_limit(scenario.limit)
    with (
        watching(mode, group.cgroup) as watched,
        played(scenario, group, watched.see, meet=not scenario.brief) as truth,
    ):
        found = judge(watched, truth)
        told = [(e["kind"], e["count"], e["victims"]) for e in watched.told(truth.group.cgroup)]
        counter = truth.group.oom_kills()
        how = tells_how(watched)
    assert found.sure_and_wrong == found.not_oom == 0, told
    assert found.cause, told
    if not truth.all_of_group:  # the kernel counts the first one twice
        assert found.counted == found.kills == counter, told
    assert (set(found.right) <= truth.oom, found.wrong) == (True, 0), told
    if again and not watched.log and set(found.right) != truth.oom:
        with memory_group_of() as other:  # a life that no look saw, on a busy machine
            return _play(scenario, mode, other, again - 1)
    if how or not scenario.brief:
        spare = len(truth.oom) // 3 if scenario.brief and not watched.log else 0
        assert len(truth.oom - set(found.right)) <= spare, told
    if watched.log:
        assert set(found.right.values()) <= {"kernel-log"}, told
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BOTH)
def test_who_was_killed(name: str, mode: str, memory_group: Group) -> None:
    _play(SCENARIOS[name], mode, memory_group)


@pytest.mark.memory_v2
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", V2)
def test_who_was_killed_on_v2(name: str, mode: str, memory_group: Group) -> None:
    _play(SCENARIOS[name], mode, memory_group)


@pytest.mark.pidfd_exit
@pytest.mark.parametrize("mode", MODES)
def test_what_a_person_killed_is_told_as_that(mode: str, memory_group: Group) -> None:
    found = _play(SCENARIOS["by a person"], mode, memory_group)
    assert found.sigkills == 1
