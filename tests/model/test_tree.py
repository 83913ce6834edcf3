"""The process tree: order, lines, folding, and what it costs."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from memtui.model.query import Order, sort
from memtui.model.snapshot import Identity, Proc
from memtui.model.tree import LONE, Tree, descendants, grow, parents_of
from tests.support.made import proc


def child(pid: int, ppid: int, mib: float = 1) -> Proc:
    return proc(pid, mib, ppid=ppid)


FAMILY = [child(1, 0), child(2, 1), child(3, 2), child(4, 2), child(5, 1), child(6, 5)]


def drawn(procs: list[Proc], *folded: Identity) -> list[str]:
    tree = grow(procs, parents_of(procs), set(folded))
    return [
        f"{t.lead}{p.pid}" + (f"+{t.hidden}" if t.hidden else "")
        for p, t in zip(tree.rows, tree.twigs, strict=True)
    ]


def test_lines_lead_from_parent_to_child() -> None:
    assert drawn(FAMILY) == ["1", "├─ 2", "│  ├─ 3", "│  └─ 4", "└─ 5", "   └─ 6"]


def test_folded_ones_say_how_many_are_below() -> None:
    assert drawn(FAMILY, (2, 20)) == ["1", "├─ 2+2", "└─ 5", "   └─ 6"]
    assert drawn(FAMILY, (1, 10)) == ["1+5"]
    assert drawn(FAMILY, (6, 60), (4, 40)) == drawn(FAMILY), "nothing is below them"


def test_a_reused_pid_is_not_folded() -> None:
    assert drawn(FAMILY, (2, 999)) == drawn(FAMILY)


def test_siblings_stand_in_the_order_of_the_sort() -> None:
    procs = [child(1, 0, 1), child(2, 1, 5), child(3, 1, 9), child(4, 2, 7), child(5, 2, 8)]
    assert drawn(sort(procs, Order())) == ["1", "├─ 3", "└─ 2", "   ├─ 5", "   └─ 4"]


def test_sorted_by_tree_the_worst_family_comes_first() -> None:
    procs = [
        child(1, 0)._replace(tree=30), child(2, 0)._replace(tree=90), child(3, 2)._replace(tree=50),
        child(4, 2)._replace(tree=70), child(9, 0)._replace(tree=None),
    ]  # fmt: skip
    assert drawn(sort(procs, Order("tree"))) == ["2", "├─ 4", "└─ 3", "1", "9"]


def test_whose_parent_is_not_shown_stands_below_the_next_who_is() -> None:
    rows = [p for p in FAMILY if p.pid not in (2, 5)]
    tree = grow(rows, parents_of(FAMILY))
    assert [t.lead + str(p.pid) for p, t in zip(*tree, strict=True)] == [
        "1",
        "├─ 3",
        "├─ 4",
        "└─ 6",
    ]
    assert drawn([child(8, 77), child(9, 78)]) == ["8", "9"]


def test_a_circle_of_parents_loses_nobody() -> None:
    circle = [child(1, 0), child(2, 3), child(3, 2), child(4, 4)]
    assert Counter(p.pid for p in grow(circle, parents_of(circle)).rows) == Counter([1, 2, 3, 4])
    rows = [child(2, 3)]
    assert [p.pid for p in grow(rows, {2: 3, 3: 2}).rows] == [2]


def test_memory_of_no_process_comes_last() -> None:
    pool = proc(0, 500, pool="tmpfs")
    tree = grow([pool, *FAMILY], parents_of(FAMILY))
    assert tree.rows[-1] is pool
    assert tree.twigs[-1] == LONE


def test_descendants_are_all_below() -> None:
    assert {p.pid for p in descendants(FAMILY, 1)} == {2, 3, 4, 5, 6}
    assert {p.pid for p in descendants(FAMILY, 2)} == {3, 4}
    assert descendants(FAMILY, 6) == []


families = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=40)


@given(pairs=families, folded=st.sets(st.integers(1, 30)))
def test_everybody_is_there_once_or_below_somebody_folded(
    pairs: list[tuple[int, int]], folded: set[int]
) -> None:
    procs = list({pid: child(pid, ppid) for pid, ppid in pairs}.values())
    tree: Tree = grow(procs, parents_of(procs), {(n, n * 10) for n in folded})
    assert max(Counter(p.pid for p in tree.rows).values(), default=1) == 1
    assert len(tree.rows) + sum(t.hidden for t in tree.twigs) == len(procs)


@given(pairs=families)
def test_a_child_stands_after_its_parent(pairs: list[tuple[int, int]]) -> None:
    procs = list({pid: child(pid, min(ppid, pid - 1)) for pid, ppid in pairs}.values())
    at = {p.pid: i for i, p in enumerate(grow(procs, parents_of(procs)).rows)}
    assert all(at[p.ppid] < at[p.pid] for p in procs if p.ppid in at)
