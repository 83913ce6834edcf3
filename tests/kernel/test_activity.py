"""What the kernel counts of reclaim: in captured shapes, and in real groups that thrash."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memtui.kernel import cgroup1, cgroup2
from memtui.kernel.cgroup import read_hierarchy
from memtui.kernel.levels import Activity, Level
from memtui.kernel.roots import LIVE, Roots
from tests.support.cgroups import MIB, Group, memory_group_of
from tests.support.programs import disk_file, running
from tests.support.trees import copy

V2 = b"""anon 1
workingset_refault_anon 2
workingset_refault_file 3
pgscan 10
pgsteal 9
pgscan_kswapd 1
pgmajfault 4
"""
V1 = b"""pgmajfault 1
workingset_refault_file 1
total_workingset_refault_anon 2
total_workingset_refault_file 3
total_pgmajfault 4
"""


def test_v2() -> None:
    assert cgroup2.parse_activity(V2) == Activity(3, 2, 4, 10, 9)
    assert cgroup2.parse_activity(b"workingset_refault 7\n") == Activity(refault_file=7)
    assert cgroup2.parse_activity(b"") == Activity()


def test_v1_counts_the_descendants_too_and_its_limit() -> None:
    assert cgroup1.parse_activity(V1, 8) == Activity(3, 2, 4, failcnt=8)
    assert cgroup1.parse_activity(b"total_workingset_refault 7\n") == Activity(refault_file=7)


def test_a_counter_that_is_cut_short_is_unknown() -> None:
    assert cgroup2.parse_activity(V2[:-1]).majfault is None


def test_a_level_has_them(tmp_path: Path) -> None:
    group = copy("v1_docker", tmp_path) / "sys/fs/cgroup/memory"
    (group / "memory.failcnt").write_text("12\n")
    roots = Roots(str(tmp_path / "v1_docker"))
    assert read_hierarchy(roots).levels[0].activity == Activity(failcnt=12)
    (group / "memory.memsw.limit_in_bytes").write_text(
        (group / "memory.limit_in_bytes").read_text()
    )
    (group / "memory.memsw.failcnt").write_text("7\n")
    assert read_hierarchy(roots).levels[0].activity == Activity(failcnt=7), "swap's is hit first"
    (group / "memory.limit_in_bytes").write_text(f"{(1 << 63) - 4096}\n")
    assert read_hierarchy(roots).levels[0].activity == Activity()


def _poll(group: Group, enough: Callable[[Level], bool]) -> Level:
    end = time.monotonic() + 30
    while True:
        level = read_hierarchy(LIVE, group.cgroup).levels[0]
        if enough(level) or time.monotonic() > end:
            return level
        time.sleep(0.05)


def _big_file(folder: Path) -> tuple[Path, int]:
    path, mib = disk_file(folder, 64)
    if mib < 48:
        pytest.skip("needs a file of 48 MiB that is not in memory")
    return path, mib


@pytest.mark.one_world
def test_a_group_that_reads_a_file_bigger_than_its_limit_refaults(tmp_path: Path) -> None:
    path, mib = _big_file(tmp_path)
    with memory_group_of(limit=24 * MIB) as group, running("rereads", group, path=path, mib=mib):
        level = _poll(group, lambda lv: (lv.activity.refault_file or 0) > 500)
    if level.activity.refault_file is None:
        pytest.skip("this kernel counts no refaults")
    assert level.activity.refault_file > 500
    if level.activity.scanned is not None:
        assert level.activity.scanned >= (level.activity.reclaimed or 0) > 0


@pytest.mark.one_world
def test_a_v1_group_counts_how_often_its_limit_was_hit(v1: Group, tmp_path: Path) -> None:
    (v1.dir / "memory.limit_in_bytes").write_text(str(24 * MIB))
    path, mib = _big_file(tmp_path)
    with running("rereads", v1, path=path, mib=mib):
        level = _poll(v1, lambda lv: bool(lv.activity.failcnt))
    assert (level.activity.failcnt or 0) > 0
