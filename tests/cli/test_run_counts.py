"""What a limit counts by each method, with programs that say what they took."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cgroups import Group
from tests.support.limited import run_cli
from tests.support.programs import disk_file, line


def run(
    method: str, name: str, base: Group | None = None, limit: str = "32M", **given: object
) -> tuple[int, dict[str, list[int]], str]:
    """Run a test program; return its status, what it said, and what memtui said."""
    argv = ["--limit", limit, "--method", method, "--", *line(name, **given)]
    done = run_cli(*argv, base=base)
    return done.returncode, told(done), done.stderr.decode()


def told(done: subprocess.CompletedProcess[bytes]) -> dict[str, list[int]]:
    said: dict[str, list[int]] = {}
    for word, number in (x.split() for x in done.stdout.decode().splitlines()):
        said.setdefault(word, []).append(int(number))
    return said


@pytest.fixture
def tmpfs() -> Iterator[str]:
    """A directory in memory; what is left in it goes."""
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs a tmpfs at /dev/shm")
    made = tempfile.mkdtemp(prefix="memtui-test-", dir="/dev/shm")
    yield made
    shutil.rmtree(made)


def test_a_cgroup_counts_all_processes_and_files_in_memory_but_gives_cache_back(
    memory_group: Group, tmpfs: str, tmp_path: Path
) -> None:
    status, said, err = run("cgroup", "forks", memory_group, shared=18, mib=16, hold=0)
    assert "at the limit of 32.0 MiB" in err or "reached its limit of 32.0 MiB" in err
    assert status != 0
    assert len(said.get("anon", [])) < 3
    status, said, err = run("cgroup", "tmpfs", memory_group, mib=40, directory=tmpfs)
    assert status == 137
    assert "killed: it reached its limit of 32.0 MiB; peak 32.0 MiB" in err
    assert 16 << 20 < said["shmem"][-1] <= 32 << 20
    file, mib = disk_file(tmp_path, 24)
    status, said, err = run("cgroup", "cache", memory_group, "16M", mib=mib, file=file, hold=0)
    assert (status, said["done"]) == (0, [mib << 20])
    assert "killed" not in err


@pytest.mark.world
def test_an_rlimit_counts_each_process_by_itself_and_only_what_is_its_own(tmpfs: str) -> None:
    status, said, err = run("data", "forks", width=2, mib=12, hold=0)
    assert (status, len(said["anon"]), err.count("\n")) == (0, 3, 1)
    status, said, _ = run("data", "tmpfs", mib=34, directory=tmpfs, hold=0)
    assert said["done"] == [34 << 20], "is no memory of a process"
    assert status == 0
    status, said, err = run("data", "leak", mib=40, kib=2048, pause=0)
    assert status == 1
    assert "done" not in said
    assert 12 << 20 < said["anon"][-1] < 32 << 20
    assert "MemoryError" in err
