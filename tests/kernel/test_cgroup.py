"""Levels of captured trees and of real cgroups; what is gone or odd degrades to None."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel import cgroup1, cgroup2
from memtui.kernel.cgroup import Events, HierarchyReader, Parts, read_hierarchy
from memtui.kernel.oomcount import read_kills
from memtui.kernel.roots import LIVE, Roots
from tests.support.cgroups import MIB, Group, memory_group_of
from tests.support.procs import run_python
from tests.support.programs import running
from tests.support.trees import copy, tree


def test_v1_hybrid() -> None:
    h = read_hierarchy(tree("v1_hybrid"))
    assert (h.version, h.hybrid, h.cgroup) == (1, True, "/jobs/j1/step")
    assert [lv.path for lv in h.levels] == ["/jobs/j1/step", "/jobs/j1", "/jobs", "/"]
    assert [lv.limit for lv in h.levels] == [256 * MIB, None, 512 * MIB, None]
    assert h.levels[2].directory == "/sys/fs/cgroup/memory/jobs"
    assert h.levels[2].limit_file == "/sys/fs/cgroup/memory/jobs/memory.limit_in_bytes"
    assert h.levels[2].swap_limit == 256 * MIB
    assert h.hierarchical_limit == 256 * MIB


def test_v1_kills_are_summed_over_the_subtree() -> None:
    h = read_hierarchy(tree("v1_hybrid"))
    assert [lv.events.oom_kill for lv in h.levels] == [6, 7, 7, 12]
    assert h.levels[0].events == Events(oom_kill=6)


def test_v1_parts() -> None:
    own = read_hierarchy(tree("v1_hybrid")).levels[0]
    assert own.parts == Parts(50 * MIB, 5 * MIB, 5 * MIB, 10 * MIB, 4 * MIB, None, None, 6 * MIB)
    assert own.swap_usage == MIB


def test_v1_container_without_a_cgroup_namespace() -> None:
    h = read_hierarchy(tree("v1_docker"))
    assert [lv.path for lv in h.levels] == ["/docker/3f4c"]
    assert h.levels[0].limit == 128 * MIB
    assert not h.hybrid


def test_old_v1_tells_shared_memory_only_by_its_list() -> None:
    data = b"total_rss 10\ntotal_inactive_anon 4\ntotal_active_anon 9\n"
    assert cgroup1.parse_stat(data).shmem == 3
    assert cgroup1.parse_stat(b"total_rss 10\n").shmem is None


def test_v2_limit_on_a_middle_ancestor() -> None:
    h = read_hierarchy(tree("v2_systemd"))
    assert (h.version, h.hybrid) == (2, False)
    scope, slice_, users, root = h.levels
    assert (scope.limit, scope.peak, scope.events.oom_kill) == (None, 310 * MIB, 2)
    assert (slice_.limit, slice_.high, slice_.swap_limit) == (1024 * MIB, 900 * MIB, 512 * MIB)
    assert slice_.events == Events(5, 3, 12, 41, 1)
    assert users.usage == 2000 * MIB
    assert (root.path, root.usage, root.limit, root.events) == ("/", None, None, Events())


@pytest.mark.parametrize("name", ["v2_systemd", "v1_hybrid", "v2_container", "slurm"])
def test_a_limit_that_is_none_is_known_to_be_none(name: str) -> None:
    assert all(lv.limit_known for lv in read_hierarchy(tree(name)).levels)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("v2_systemd", "user.slice/memory.max"),
        ("v1_hybrid", "memory/jobs/j1/memory.limit_in_bytes"),
    ],
)
@pytest.mark.parametrize("content", [None, b"", b"\n", b"ma", b"-5\n", b"1x\n"])
def test_a_limit_that_is_absent_or_damaged_is_not_known(
    name: str, file: str, content: bytes | None, tmp_path: Path
) -> None:
    root = copy(name, tmp_path)
    path = root / "sys/fs/cgroup" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    levels = read_hierarchy(Roots(str(root))).levels
    unknown = [lv for lv in levels if not lv.limit_known]
    assert [lv.limit_file for lv in unknown] == ["/sys/fs/cgroup/" + file]
    assert unknown[0].limit is None


def test_a_limit_beside_no_usage_is_not_known_where_its_file_says_nothing(tmp_path: Path) -> None:
    root = copy("v2_systemd", tmp_path)
    (root / "sys/fs/cgroup/memory.max").mkdir()
    assert not read_hierarchy(Roots(str(root))).levels[-1].limit_known


def test_v2_kernel_memory_before_5_18() -> None:
    data = b"anon 5\nkernel_stack 1\nslab_reclaimable 7\nslab_unreclaimable 2\n"
    parts = cgroup2.parse_stat(data)
    assert (parts.kernel, parts.kernel_reclaimable, parts.sock) == (3, 7, None)


@pytest.mark.parametrize("name", ["v2_container", "v1_docker", "v2_systemd"])
def test_the_mount_point_is_not_taken_for_our_group_where_we_are_outside_of_it(
    name: str, tmp_path: Path
) -> None:
    root = copy(name, tmp_path)
    own = root / "proc/self/cgroup"
    own.write_text(own.read_text().replace(":/", ":/../x/"))
    assert read_hierarchy(Roots(str(root)))[:4] == (None, False, None, ())
    asked = read_hierarchy(Roots(str(root)), "/sys/fs/cgroup" + "/memory" * (name == "v1_docker"))
    assert asked.levels[-1].directory.startswith("/sys/fs/cgroup"), "whoever asks for it, gets it"


def test_hybrid_without_memory_on_v2() -> None:
    h = read_hierarchy(tree("no_cgroup"))
    assert h[:4] == (None, False, None, ())


def test_a_hybrid_with_memory_on_v2(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    with (root / "proc/self/mountinfo").open("a") as f:
        f.write("40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n")
    (root / "proc/self/cgroup").write_text("1:name=systemd:/\n0::/\n")
    h = read_hierarchy(Roots(str(root)))
    assert (h.version, h.hybrid, h.levels[0].limit) == (2, True, 256 * MIB)


def test_unreadable_files_are_unknown(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    for name in ("memory.max", "memory.stat", "memory.events", "memory.current"):
        path = root / "sys/fs/cgroup" / name
        path.unlink()
        path.mkdir()  # reads fail for root too
    level = read_hierarchy(Roots(str(root))).levels[0]
    assert (level.limit, level.usage) == (None, None)
    assert (level.parts, level.events) == (Parts(), Events())


def test_cut_short() -> None:
    level = read_hierarchy(tree("cut_short")).levels[0]
    assert (level.limit, level.usage) == (None, 64 * MIB)
    assert level.parts == Parts(anon=MIB), "the rest may be cache, so it is not `other`"
    assert not level.limit_known
    assert level.events == Events()


def test_an_unreadable_mount_table_is_no_reason_to_see_nothing(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    (root / "proc/self/mountinfo").unlink()
    assert read_hierarchy(Roots(str(root))).levels[0].limit == 256 * MIB


def test_another_group(tmp_path: Path) -> None:
    roots = tree("v1_hybrid")
    assert read_hierarchy(roots, "/other").levels[0].usage == 100 * MIB
    assert read_hierarchy(roots, "jobs/j1/").levels[0].path == "/jobs/j1"
    assert read_hierarchy(roots, "/sys/fs/cgroup/memory/jobs").levels[0].path == "/jobs"
    gone = read_hierarchy(roots, "/jobs/nobody")
    assert (gone.cgroup, gone.levels[0].path) == ("/jobs/nobody", "/jobs")


def test_changes_of_a_tree_are_seen(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    reader = HierarchyReader(Roots(str(root)))
    assert reader.read().levels[0].limit == 256 * MIB
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert reader.read().levels[0].limit is None


def test_kills_of_v2_groups_themselves() -> None:
    kills = read_kills(2, "/", str(Path(tree("v2_systemd").root) / "sys/fs/cgroup"))
    slice_ = "/user.slice/user-1000.slice"
    assert kills["/"].number is None
    assert kills[slice_].number == 0
    assert kills[slice_ + "/session-3.scope"].number == 2


def test_kills_of_v2_before_5_2_are_what_the_children_do_not_have(tmp_path: Path) -> None:
    for path, count in (("a", 5), ("a/b", 3), ("a/b/c", 1), ("a/d", 2)):
        (tmp_path / path).mkdir()
        (tmp_path / path / "memory.events").write_text(f"oom_kill {count}\n")
    kills = read_kills(2, "/a", str(tmp_path / "a"))
    assert {p: k.number for p, k in kills.items()} == {"/a": 0, "/a/b": 2, "/a/b/c": 1, "/a/d": 2}


def test_the_walk_is_bounded(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / str(i)).mkdir()
    assert len(read_kills(1, "/", str(tmp_path), most=5)) == 5
    assert read_kills(1, "/", str(tmp_path / "absent")) == {}


# -- this machine


@pytest.fixture
def reader(memory_group: Group) -> Iterator[HierarchyReader]:
    made = HierarchyReader(LIVE, memory_group.cgroup)
    yield made
    made.close()


def test_a_real_group(memory_group: Group, reader: HierarchyReader) -> None:
    memory_group.set_limit(64 * MIB)
    first = reader.read().levels[0]
    assert (first.path, first.limit, first.events.oom_kill) == (memory_group.cgroup, 64 * MIB, 0)
    memory_group.set_limit(32 * MIB)
    assert reader.read().levels[0].limit == 32 * MIB


def test_usage_of_a_real_group_is_fresh(memory_group: Group, reader: HierarchyReader) -> None:
    memory_group.set_limit(128 * MIB)
    before = reader.read().levels[0].usage
    with running("hog", memory_group, mib=20) as program:
        held = program.wait_for("done")
        level = reader.read().levels[0]
    assert before is not None
    assert level.usage is not None
    assert level.usage > before + held
    assert level.parts.anon is not None
    assert level.parts.anon >= 20 * MIB


def test_a_removed_group_leaves_the_one_above_it(memory_group: Group) -> None:
    child = memory_group.child("inner", 64 * MIB)
    reader = HierarchyReader(LIVE, child.cgroup)
    assert reader.read(0).levels[0].limit == 64 * MIB
    child.dir.rmdir()
    after = reader.read(0)
    assert (after.cgroup, after.levels[0].path) == (child.cgroup, memory_group.cgroup)
    again = memory_group.child("inner", 32 * MIB)
    fresh = HierarchyReader(LIVE, again.cgroup)
    again.dir.rmdir()
    again.dir.mkdir()
    assert fresh.read(0).levels[0].limit is None
    fresh.close()
    reader.close()


MOVED = """
import os, sys
from memtui.kernel.cgroup import HierarchyReader
reader = HierarchyReader()
print(reader.read(0).cgroup == sys.argv[2])
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
h = reader.read(0)
print(h.cgroup == sys.argv[2], h.levels[0].limit)
"""


def test_our_own_move_is_noticed(memory_group: Group) -> None:
    memory_group.set_limit(200 * MIB)
    out = run_python(MOVED, str(memory_group.dir), memory_group.cgroup)
    assert out.split() == ["False", "True", str(200 * MIB)]


def test_descriptors_are_given_back() -> None:
    with memory_group_of() as group:
        before = len(os.listdir("/proc/self/fd"))
        reader = HierarchyReader(LIVE, group.cgroup)
        for _ in range(3):
            reader.read(0)
        reader.close()
        assert len(os.listdir("/proc/self/fd")) == before


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    for lead in (b"", b"anon ", b"oom_kill ", b"total_rss ", b"hierarchical_memory_limit "):
        cgroup2.parse_events(lead + data)
        cgroup2.parse_stat(lead + data)
        cgroup1.parse_stat(lead + data)
        cgroup1.parse_hierarchical(lead + data)
        cgroup1.parse_oom_control(lead + data)
    cgroup1.parse_limit(data)
