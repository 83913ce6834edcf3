"""What a process and its descendants hold together."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtui.model.kinship import trees
from memtui.model.snapshot import Proc
from tests.support.made import MIB, proc


def told(*procs: Proc) -> dict[int, tuple[int, bool]]:
    table = {str(p.pid): p for p in procs}
    return {int(name): (tree // MIB, whole) for name, tree, whole in trees(table)}


def test_descendants_of_all_generations_count() -> None:
    rows = [proc(1, 1, ppid=0), proc(2, 2, ppid=1), proc(3, 4, ppid=2), proc(4, 8, ppid=1)]
    assert told(*rows) == {1: (15, False), 2: (6, False), 3: (4, False), 4: (8, False)}


def test_it_is_pss_only_where_all_of_it_is() -> None:
    rows = [proc(1, 9, ppid=0, pss=MIB), proc(2, 9, ppid=1, pss=2 * MIB), proc(3, 5, ppid=2)]
    assert told(*rows) == {1: (8, False), 2: (7, False), 3: (5, False)}
    rows[2] = rows[2]._replace(pss=0)
    assert told(*rows) == {1: (3, True), 2: (2, True), 3: (0, True)}


def test_orphans_and_strangers_have_trees_of_their_own() -> None:
    assert told(proc(7, 3, ppid=5), proc(8, 2, ppid=7)) == {7: (5, False), 8: (2, False)}


def test_only_what_changed_is_told() -> None:
    rows = [proc(1, 1, ppid=0, tree=3 * MIB), proc(2, 2, ppid=1, tree=9)]
    assert told(*rows) == {2: (2, False)}


def test_a_ring_hangs_nobody() -> None:
    assert told(proc(1, 1, ppid=2), proc(2, 1, ppid=1), proc(3, 1, ppid=0)) == {3: (1, False)}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50)), max_size=20))
def test_the_roots_hold_everything_once(made: list[tuple[int, int]]) -> None:
    rows = [proc(i, mib, ppid=min(up, i - 1)) for i, (up, mib) in enumerate(made, 1)]
    found = told(*rows)
    roots = sum(found.get(p.pid, (0, False))[0] for p in rows if p.ppid == 0)
    assert roots == sum(mib for _, mib in made)
