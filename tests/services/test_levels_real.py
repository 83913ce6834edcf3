"""Limits and counters at every level of real groups, as the kernel keeps them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Quota
from memtui.services.quota import QuotaSource
from tests.support.cgroups import MIB, Group, hog


def read(group: Group) -> Quota:
    source = QuotaSource(LIVE, group.cgroup)
    try:
        return source.read()
    finally:
        source.close()


@pytest.fixture
def nested(memory_group: Group) -> tuple[Group, Group, Group]:
    """Three groups, one below the other; the innermost may hold processes."""
    middle = memory_group.child("middle")
    return memory_group, middle, middle.child("inner")


@pytest.fixture
def full(nested: tuple[Group, Group, Group]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the innermost group that holds 20 MiB."""
    process = nested[2].python(hog(20), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert process.stdout.readline() == b"holds 20\n"
    yield process
    process.kill()
    process.communicate()


def test_a_limit_in_the_middle_binds_what_is_below(
    nested: tuple[Group, Group, Group], full: subprocess.Popen[bytes]
) -> None:
    outer, middle, inner = nested
    outer.set_limit(256 * MIB)
    middle.set_limit(96 * MIB)
    quota = read(inner)
    assert quota.limit is not None
    assert (quota.limit.bytes, quota.limit.path) == (96 * MIB, str(middle.limit_file))
    assert quota.limit.usage is not None
    assert 20 * MIB < quota.limit.usage < 96 * MIB
    levels = {level.path: level for level in quota.levels}
    assert levels[inner.cgroup].limit is None
    assert levels[outer.cgroup].limit == 256 * MIB
    usages = [levels[g.cgroup].usage for g in nested]
    assert all(usage is not None and usage > 20 * MIB for usage in usages)


def test_the_peak_outlives_the_process(
    nested: tuple[Group, Group, Group], full: subprocess.Popen[bytes]
) -> None:
    outer, _, inner = nested
    outer.set_limit(256 * MIB)
    full.kill()
    full.wait()
    quota = read(inner)
    assert quota.peak is not None
    assert quota.peak > 20 * MIB
    assert quota.limit is not None
    assert quota.limit.usage is not None
    assert quota.limit.usage < quota.peak


@pytest.mark.memory_v2
def test_high_is_told_and_kills_nobody(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    (memory_group.dir / "memory.high").write_text(str(24 * MIB))
    with memory_group.python(hog(26), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert process.stdout.readline() == b"holds 26\n"
        quota = read(memory_group)
        process.kill()
    assert quota.high == 24 * MIB
    assert quota.events.high
    assert quota.events.oom_kill == 0


FORKS = f"""
import os
for _ in range(2):
    if not os.fork():
        break
{hog(100)}
"""


@pytest.mark.memory_v2
def test_a_group_that_dies_as_one_is_counted_as_one(memory_group: Group) -> None:
    memory_group.set_limit(48 * MIB)
    (memory_group.dir / "memory.oom.group").write_text("1")
    process = memory_group.python(FORKS, stdout=subprocess.DEVNULL)
    assert process.wait(60) == -9
    quota = read(memory_group)
    assert quota.events.oom_group_kill == 1
    assert quota.events.oom_kill is not None
    assert quota.events.oom_kill >= 3


@pytest.mark.memory_v2
def test_the_root_group_has_no_files_and_no_limit(memory_group: Group) -> None:
    top = read(memory_group).levels[-1]
    assert (top.path, top.limit, top.usage) == ("/", None, None)


def test_no_limit_anywhere_is_the_machine_s_memory(memory_group: Group) -> None:
    quota = read(memory_group)
    assert quota.limit is not None
    assert quota.levels[0].limit is None
    assert quota.host.total is not None
    assert quota.limit.bytes <= quota.host.total
