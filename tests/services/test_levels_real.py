"""Limits, usage and counters at every level of real groups: what memtui says, what the kernel keeps
and what the programs in them say they took."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Quota
from memtui.services.quota import QuotaSource
from tests.support.cgroups import MIB, Group
from tests.support.doctor import ask
from tests.support.procs import until
from tests.support.programs import Program, disk_file, line, running

SLACK = MIB  # the kernel charges in batches, and an interpreter breathes


def read(group: Group) -> Quota:
    source = QuotaSource(LIVE, group.cgroup)
    try:
        return source.read()
    finally:
        source.close()


def number(group: Group, v2: str, v1: str) -> int | None:
    """What a file of the group says; None where it says there is none."""
    word = group.read(v2 if group.version == 2 else v1).strip()
    return None if word == "max" or int(word) >= 1 << 62 else int(word)


def usage(group: Group) -> int:
    return number(group, "memory.current", "memory.usage_in_bytes") or 0


def peak(group: Group) -> int:
    return number(group, "memory.peak", "memory.max_usage_in_bytes") or 0


@pytest.fixture
def nested(memory_group: Group) -> tuple[Group, Group, Group]:
    """Three groups, one below the other; the innermost may hold processes."""
    middle = memory_group.child("middle")
    return memory_group, middle, middle.child("inner")


@pytest.fixture
def full(nested: tuple[Group, Group, Group]) -> Iterator[Program]:
    """A process in the innermost group that holds 20 MiB."""
    with running("hog", nested[2], mib=20) as program:
        program.wait_for("done")
        yield program


def levels_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {level["path"]: level for level in document["levels"]}


def test_a_limit_in_the_middle_binds_and_every_level_is_as_the_kernel_keeps_it(
    nested: tuple[Group, Group, Group], full: Program
) -> None:
    outer, middle, inner = nested
    outer.set_limit(256 * MIB)
    middle.set_limit(96 * MIB)
    said = ask("quota", "--cgroup", inner.cgroup)
    assert (said["cgroup"], said["cgroup_version"]) == (inner.cgroup, inner.version)
    assert (said["limit"]["bytes"], said["limit"]["path"]) == (96 * MIB, str(middle.limit_file))
    assert said["binding"] == said["limit"]
    assert abs(said["limit"]["usage"] - usage(middle)) < SLACK
    assert full.said["done"][-1] < said["limit"]["hard"] <= said["limit"]["usage"]
    levels = levels_of(said)
    assert [*levels][:3] == [g.cgroup for g in reversed(nested)]
    for group in nested:
        level = levels[group.cgroup]
        assert level["limit"] == number(group, "memory.max", "memory.limit_in_bytes")
        assert abs(level["usage"] - usage(group)) < SLACK
        assert abs(level["peak"] - peak(group)) < SLACK
        assert level["usage"] > full.said["done"][-1]


def test_the_peak_outlives_the_process(nested: tuple[Group, Group, Group], full: Program) -> None:
    outer, _, inner = nested
    outer.set_limit(256 * MIB)
    full.end()
    quota = read(inner)
    assert quota.peak is not None
    assert quota.peak > full.said["done"][-1]
    assert quota.limit is not None
    assert quota.limit.usage is not None
    assert quota.limit.usage < quota.peak


def reset(group: Group) -> None:
    """Begin a new peak: v1 for everybody, v2 (Linux 6.12) for the descriptor that is written to."""
    if group.version == 1:
        (group.dir / "memory.max_usage_in_bytes").write_text("0")
        return
    with contextlib.suppress(OSError), open(group.dir / "memory.peak", "r+b", buffering=0) as file:
        file.write(b"0")  # before 6.12 it is refused


def test_a_peak_that_is_reset_is_what_the_kernel_then_says(
    nested: tuple[Group, Group, Group], full: Program
) -> None:
    inner = nested[2]
    nested[0].set_limit(256 * MIB)
    full.end()
    source = QuotaSource(LIVE, inner.cgroup)
    held = full.said["done"][-1]
    assert source.read().levels[0].peak == peak(inner) > held
    reset(inner)
    again = source.read().levels[0].peak
    source.close()
    assert again == peak(inner)
    assert again is not None
    assert (again < held) == (inner.version == 1)


@pytest.mark.memory_v2
def test_high_is_told_and_kills_nobody(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    (memory_group.dir / "memory.high").write_text(str(24 * MIB))
    with running("hog", memory_group, mib=40) as program:
        until(lambda: bool(read(memory_group).events.high))
        quota = read(memory_group)
        assert program.process.poll() is None
    assert quota.high == 24 * MIB
    assert quota.events.oom_kill == 0


@pytest.mark.memory_v2
def test_a_group_that_dies_as_one_is_counted_as_one(memory_group: Group) -> None:
    memory_group.set_limit(48 * MIB)
    (memory_group.dir / "memory.oom.group").write_text("1")
    process = memory_group.start(line("forks", width=2, mib=40))
    assert process.wait(60) == -9
    quota = read(memory_group)
    assert quota.events.oom_group_kill == 1
    assert quota.events.oom_kill is not None
    assert quota.events.oom_kill >= 3


@pytest.mark.memory_v2
def test_the_root_group_has_no_files_and_no_limit(memory_group: Group) -> None:
    top = read(memory_group).levels[-1]
    assert (top.path, top.limit, top.usage, top.limit_known) == ("/", None, None, True)


def test_no_limit_anywhere_is_the_machine_s_memory(memory_group: Group) -> None:
    quota = read(memory_group)
    assert quota.limit is not None
    assert quota.levels[0].limit is None
    assert quota.host.total is not None
    assert quota.limit.bytes <= quota.host.total


def test_without_swap_the_limit_is_hard_and_the_kill_is_counted(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    with running("hog", memory_group, mib=60) as program:
        assert program.ended() == -9
        held = program.said["anon"][-1]
    said = ask("quota", "--cgroup", memory_group.cgroup)
    assert said["swap"] == {"limit": 0, "usage": 0}
    assert said["events"]["oom_kill"] == memory_group.oom_kills() == 1
    assert held < said["peak"] <= 24 * MIB
    assert said["peak"] == peak(memory_group)


@pytest.mark.swap
def test_with_swap_more_fits_and_where_it_went_is_told(memory_group: Group) -> None:
    memory_group.set_limit(12 * MIB, swap=16 * MIB)
    with running("hog", memory_group, mib=18) as program:
        held = program.wait_for("done")
        said = ask("quota", "--cgroup", memory_group.cgroup)
        (row,) = (p for p in ask("ps")["processes"] if p["pid"] == program.pid)
    assert said["limit"]["bytes"] == 12 * MIB
    assert said["swap"]["limit"] == 16 * MIB
    assert said["limit"]["usage"] <= 12 * MIB
    assert held <= said["limit"]["usage"] + said["swap"]["usage"] < held + 16 * MIB
    assert said["events"]["oom_kill"] == 0
    assert held < row["rss"] + row["swap"] < held + 16 * MIB
    assert abs(row["swap"] - said["swap"]["usage"]) < 8 * MIB
    with running("hog", memory_group, mib=40) as program:
        assert program.ended(60) == -9
    assert read(memory_group).events.oom_kill == memory_group.oom_kills() == 1


def cached(quota: dict[str, Any]) -> int:
    """The page cache; the kernel adds up what its processors counted every two seconds only."""
    parts = quota["parts"]
    return int(parts["cache_active"] + parts["cache_inactive"])


def test_what_fills_a_group_is_told_apart(memory_group: Group, tmp_path: Path) -> None:
    memory_group.set_limit(128 * MIB)
    file, mib = disk_file(tmp_path, 8)
    with (
        running("leak", memory_group, mib=6, kib=2048, pause=0.01) as leak,
        running("tmpfs", memory_group, mib=8, directory="/dev/shm") as tmpfs,
        running("cache", memory_group, mib=mib, file=file) as cache,
    ):
        told = {p: p.wait_for("done") for p in (leak, tmpfs, cache)}
        until(lambda: cached(ask("quota", "--cgroup", memory_group.cgroup)) >= told[cache])
        said = ask("quota", "--cgroup", memory_group.cgroup)
        tmpfs.process.terminate()
        assert tmpfs.ended() == 0
    parts, limit = said["parts"], said["limit"]
    assert told[cache] == mib * MIB
    assert told[leak] < parts["anon"] < told[leak] + 32 * MIB
    assert 0 <= parts["shmem"] - told[tmpfs] < SLACK
    assert cached(said) >= told[cache]
    assert limit["usage"] - limit["hard"] >= told[cache]
    assert limit["hard"] >= told[leak] + told[tmpfs], "a tmpfs is not given back"
    assert not list(Path("/dev/shm").glob(f"memtui-test-{tmpfs.pid}"))
