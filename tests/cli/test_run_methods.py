"""Each method on each kind of program: what fits ends well, what does not is judged right."""

from __future__ import annotations

import pytest

from tests.runs.cell import Cell, measure
from tests.runs.programs import PROGRAMS, Program
from tests.support.cgroups import Group
from tests.support.procs import require

REFUSED = {"probably-limit", "maybe-limit"}
OFF_PCT = 2.0
BESIDE = 2 << 20  # what each of several processes takes beside, now more, now less


def measured(method: str, program: Program, base: Group | None = None) -> Cell:
    why = program.missing()
    require(why is None, str(why))
    cell = measure(method, program, base)
    assert not cell.refused
    return cell


def judge_group(name: str, base: Group) -> None:
    """The kernel limits all processes together: nothing escapes, and the peak is exact."""
    cell = measured("cgroup", PROGRAMS[name], base)
    assert "256 MiB" in cell.limit
    assert cell.fits == "ok"
    assert cell.off_pct is not None
    assert cell.peak
    several = PROGRAMS[name].processes if PROGRAMS[name].processes > 1 else 0
    assert abs(cell.off_pct) <= OFF_PCT + 100 * several * BESIDE / cell.peak, cell
    ends = {"daemon": {"limit-part"}, "fork tree": {"limit", "limit-part"}}  # whomever it takes
    assert cell.beyond in ends.get(name, {"limit"}), cell.sentence


@pytest.mark.world
@pytest.mark.parametrize("name", ["python", "fork tree", "daemon", "tmpfs"])
def test_a_group_holds_whoever_forks_leaves_or_writes_files(name: str, memory_group: Group) -> None:
    judge_group(name, memory_group)


@pytest.mark.one_world
@pytest.mark.parametrize("name", ["numpy", "node", "java", "burst"])
def test_a_group_holds_every_runtime(name: str, memory_group: Group) -> None:
    judge_group(name, memory_group)


@pytest.mark.parametrize("name", ["python", "numpy", "node", "java"])
def test_an_rlimit_refuses_memory_and_that_is_said(name: str) -> None:
    cell = measured("data", PROGRAMS[name])
    assert cell.fits == "ok"
    assert cell.beyond in REFUSED, cell.sentence


@pytest.mark.parametrize("name", ["fork tree", "tmpfs"])
def test_what_an_rlimit_does_not_count_escapes_it(name: str) -> None:
    cell = measured("data", PROGRAMS[name])
    assert (cell.fits, cell.beyond) == ("ok", "ok"), cell.sentence


@pytest.mark.parametrize("name", ["python", "numpy", "node", "java", "fork tree", "daemon"])
def test_the_watchdog_ends_a_tree_and_whoever_left_it(name: str) -> None:
    cell = measured("watch", PROGRAMS[name])
    assert cell.fits == "ok"
    assert cell.beyond == "limit-watched", cell.sentence
