"""Processes added up by user, program and cgroup; which scopes there are."""

from __future__ import annotations

from memtui.kernel.grouptree import GroupUse
from memtui.model.filter import parse_filter
from memtui.model.groups import (
    MEASURES,
    arrange_groups,
    by_cgroup,
    by_notebook,
    by_program,
    by_user,
    idle_kernels,
)
from memtui.model.known import CHILD, KERNEL, Activity, Known
from memtui.model.scopes import ALL, CGROUPS, MINE, NOTEBOOKS, USERS, scopes
from memtui.model.snapshot import Proc, Quota
from memtui.render.rows import View
from memtui.render.scopes import solve_groups
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


def test_a_share_of_a_limit_is_theirs_who_are_under_it() -> None:
    limit = 200 * MIB
    for level, shares in ((None, ["75.0", "35.0"]), ("/a/b", ["50.0", "·"])):
        rows = arrange_groups(by_user(PROCS, level), "rss")[0]
        columns = solve_groups(USERS, 120)
        at = [c.key for c in columns].index("quota")
        assert [columns[at].text(group, limit) for group in rows] == shares


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


def notebook(pid: int, path: str, idle_since: float | None = None) -> Proc:
    doing = Activity(idle_since is None, idle_since, evidence="its server")
    who = Known(
        KERNEL, path.rpartition("/")[2], "x", language="python", path=path, root=(pid, 10 * pid),
        notebook=path, activity=doing,
    )  # fmt: skip
    return proc(pid, 100, who=who)


def test_notebooks_are_added_up_with_what_is_below_them_and_two_of_a_name_stay_two() -> None:
    one = notebook(1, "/h/a.ipynb", 1000.0)
    below = proc(2, 30, who=Known(CHILD, "a.ipynb", "x", root=(1, 10), notebook="/h/a.ipynb"))
    same, busy = notebook(3, "/h/a.ipynb", 1600.0), notebook(4, "/h/b.ipynb")
    procs = [one, below, same, busy, proc(5)]
    found = by_notebook(procs, 1720.0)
    assert [(g.key, g.number, g.rss.value // MIB, g.idle) for g in found] == [
        ("/h/a.ipynb", 2, 130, 720.0),
        ("/h/a.ipynb (3)", 1, 100, 120.0),
        ("/h/b.ipynb", 1, 100, None),
    ]
    assert arrange_groups(found, "idle")[0][0].key == "/h/a.ipynb"
    chosen = parse_filter(found[2].filter)
    assert [p.pid for p in procs if chosen.matches(p, AROUND)] == [4]
    assert [p.pid for p in idle_kernels(procs, 10, 1720.0)] == [1]
    assert [p.pid for p in idle_kernels(procs, 2, 1720.0)] == [1, 3]


def test_that_by_notebook_is_there_with_a_kernel_and_stays_while_it_is_looked_at() -> None:
    quota = quota_of("v2_container")
    assert NOTEBOOKS not in scopes([proc(1)], quota)
    assert NOTEBOOKS in scopes([notebook(1, "/h/a.ipynb")], quota)
    assert NOTEBOOKS in scopes([proc(1)], quota, NOTEBOOKS)
