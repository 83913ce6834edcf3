"""Processes added up by user, program and cgroup; which scopes there are."""

from __future__ import annotations

from memtui.kernel.grouptree import GroupUse
from memtui.model.filter import parse_filter
from memtui.model.groups import MEASURES, arrange_groups, by_cgroup, by_program, by_user
from memtui.model.scopes import ALL, CGROUPS, MINE, scopes
from memtui.model.snapshot import Quota
from memtui.render.rows import View
from memtui.services.quota import QuotaSource
from tests.support.made import MIB, proc
from tests.support.trees import tree

PROCS = [
    proc(1, 100, user="ann", name="python3", cgroup="/a/b", pss=80 * MIB, cpu_pct=10.0),
    proc(2, 50, user="ann", name="node", cgroup="/a", pss=40 * MIB, cpu_pct=5.0),
    proc(3, 70, user="bob", name="python3", cgroup="/c", cpu_pct=None),
]
USES = [
    GroupUse("/", 300 * MIB, oom_kill=0),
    GroupUse("/a", 200 * MIB, 400 * MIB, oom_kill=3),
    GroupUse("/a/b", 120 * MIB, 120 * MIB, oom_kill=2),
    GroupUse("/c", 90 * MIB, None, oom_kill=None),
]
AROUND = View()


def quota_of(name: str) -> Quota:
    return QuotaSource(tree(name)).read()


def test_users_are_added_up_and_say_what_is_not_known() -> None:
    ann, bob = arrange_groups(by_user(PROCS), "rss")[0]
    assert (ann.key, ann.number, ann.rss.value) == ("ann", 2, 150 * MIB)
    assert (ann.pss.told, ann.pss.unknown) == (120 * MIB, 0)
    assert (bob.pss.told, bob.pss.unknown) == (None, 1)
    assert bob.cpu.told is None


def test_each_group_s_filter_shows_its_processes() -> None:
    for make in (by_user, by_program):
        for group in make(PROCS):
            chosen = parse_filter(group.filter)
            found = [p for p in PROCS if chosen.matches(p, AROUND)]
            assert len(found) == group.number
            assert sum(p.rss for p in found) == group.rss.value
    for group in by_cgroup(PROCS, USES):
        chosen = parse_filter(group.filter)
        assert sum(chosen.matches(p, AROUND) for p in PROCS) == group.number


def test_a_name_that_looks_like_a_filter_is_still_a_name() -> None:
    odd = [proc(1, name='a" | mem>1'), proc(2, name="x y"), proc(3, name="mem>1")]
    for group in by_program(odd):
        chosen = parse_filter(group.filter)
        assert [p.name for p in odd if chosen.matches(p, AROUND)] == [group.key]


def test_cgroups_stand_in_a_tree_and_count_what_is_below() -> None:
    rows, twigs = arrange_groups(by_cgroup(PROCS, USES), "usage")
    assert twigs is not None
    assert [t.lead + g.key for g, t in zip(rows, twigs, strict=True)] == [
        "/", "├─ /a", "│  └─ /a/b", "└─ /c",
    ]  # fmt: skip
    assert [g.number for g in rows] == [3, 2, 1, 1]
    assert [g.share for g in rows] == [None, 50.0, 100.0, None]
    assert [g.oom_kill for g in rows] == [0, 3, 2, None]


def test_v1_counts_kills_in_the_group_itself_and_the_tree_adds_them_up() -> None:
    local = [use._replace(local_count=True) for use in USES]
    kills = {g.key: g.oom_kill for g in by_cgroup(PROCS, local)}
    assert kills == {"/": 5, "/a": 5, "/a/b": 2, "/c": None}


def test_cgroups_fold_and_sort_among_siblings() -> None:
    groups = by_cgroup(PROCS, USES)
    rows, twigs = arrange_groups(groups, "name", inverted=True, folded=frozenset({"/a"}))
    assert [g.key for g in rows] == ["/", "/c", "/a"]
    assert twigs is not None
    assert [t.hidden for t in twigs] == [0, 0, 1]


def test_unknown_comes_last_in_both_directions() -> None:
    for key in MEASURES:
        for inverted in (False, True):
            rows, _ = arrange_groups(by_user(PROCS), key, inverted)
            values = [MEASURES[key].get(g) for g in rows]
            assert None not in values[: len(values) - values.count(None)]


def test_my_cgroup_is_a_scope_only_where_somebody_is_outside() -> None:
    quota = quota_of("v2_container")
    inside = [proc(1, cgroup=quota.cgroup)]
    assert MINE not in scopes(inside, quota)
    mine = quota._replace(cgroup="/x", binding=None)
    assert MINE in scopes([proc(1, cgroup="/x"), proc(2, cgroup="/y")], mine)
    assert MINE not in scopes([proc(1, cgroup="/x"), proc(2, cgroup="/x/z")], mine)


def test_without_a_memory_controller_there_is_no_scope_of_cgroups() -> None:
    quota = quota_of("no_cgroup")
    assert CGROUPS not in scopes(PROCS, quota)
    assert ALL in scopes([], quota)
