"""The panel of a command under a limit, in words."""

from __future__ import annotations

from memtui.model.runlimit import Ending, Result, derive_verdict
from memtui.render.jobs import state_lines
from memtui.render.spans import plain
from tests.support.made import MIB


def test_a_group_has_a_share_and_a_process_has_a_limit_of_its_own() -> None:
    (group,) = state_lines(32 * MIB, 64 * MIB, 40 * MIB, None, 60)
    (each,) = state_lines(32 * MIB, 64 * MIB, 40 * MIB, None, 60, per_process=True)
    assert plain(group) == "32.0M / 64.0M 50%  peak 40.0M"
    assert plain(each) == "largest process 32.0M of 64.0M each  peak 40.0M"


def test_an_end_that_may_be_a_refused_allocation_is_told() -> None:
    verdict = derive_verdict(Ending("data", 64 * MIB, 1, None, nearest=12 * MIB))
    result = Result(1, None, verdict, 12 * MIB, "", 1.0, 0)
    lines = state_lines(None, 64 * MIB, 12 * MIB, result, 60, per_process=True)
    assert plain(lines[0]) == "ended, exit status 1  peak 12.0M"
    assert [role for line in lines for _, role in line].count("warn") == len(lines)
    assert " ".join(map(plain, lines[1:])) == (
        "exited with status 1; largest process 12.0 MiB of 64.0 MiB private memory: "
        "an allocation may have been refused"
    )
