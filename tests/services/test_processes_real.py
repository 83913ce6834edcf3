"""The table's numbers of real processes: what they took, and what the kernel's files say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.doctor import ask
from tests.support.limited import as_nobody
from tests.support.programs import running

SLACK = 2 * MIB
INTERPRETER = 24 * MIB  # the most that Python itself takes


def rows(prefix: list[str] | None = None) -> dict[int, dict[str, Any]]:
    return {p["pid"]: p for p in ask("ps", prefix=prefix or [])["processes"]}


def in_kernel(pid: int) -> dict[str, int]:
    """smaps_rollup, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {key: int(rest.split()[0]) << 10 for key, _, rest in (x.partition(":") for x in lines)}


@pytest.mark.world
def test_what_a_fork_tree_shares_is_counted_once_in_pss() -> None:
    with running("forks", width=3, mib=4, shared=16) as tree:
        tree.wait_for("anon", times=4)
        pids = tree.said["process"]
        told, kernel = rows(), {pid: in_kernel(pid) for pid in pids}
    assert len(pids) == 4
    for pid in pids:
        row, real = told[pid], kernel[pid]
        assert 20 * MIB < row["rss"] < 20 * MIB + INTERPRETER
        assert abs(row["rss"] - real["Rss"]) < SLACK
        assert abs(row["pss"] - real["Pss"]) < SLACK
        assert abs(row["uss"] - real["Private_Clean"] - real["Private_Dirty"]) < SLACK
        assert 4 * MIB < row["uss"] <= row["pss"] < row["rss"] - 11 * MIB
        assert row["ppid"] == (os.getpid() if pid == tree.pid else tree.pid)
        assert row["state"] == "S"
    shared = sum(told[pid]["pss"] for pid in pids)
    assert 16 * MIB + 4 * 4 * MIB < shared < 2 * 16 * MIB + 4 * 4 * MIB + INTERPRETER


@pytest.mark.world
def test_what_may_not_be_looked_at_is_unknown_and_the_rest_is_not() -> None:
    prefix = as_nobody()
    with running("hidden", prefix=prefix, mib=6) as hidden:
        held = hidden.wait_for("done")
        row = rows(prefix)[hidden.pid]
        seen_by_root = rows() if prefix else {}
    assert (row["pss"], row["uss"]) == (None, None)
    assert held < row["rss"] < held + INTERPRETER
    assert held < row["peak_rss"]
    assert row["uid"] == (65534 if prefix else os.getuid())
    assert row["swap"] is not None, "status tells it to everybody"
    for other in seen_by_root.values():
        if other["pid"] == hidden.pid:
            assert held < other["uss"] <= other["pss"] <= other["rss"]


def test_a_daemon_is_found_in_its_group_when_its_starter_is_gone(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    with running("daemon", memory_group, mib=3, status=7) as starter:
        pid = starter.wait_for("process")
        assert starter.ended() == 7
        row = rows()[pid]
        assert row["cgroup"] == memory_group.cgroup
        assert row["ppid"] not in (starter.pid, os.getpid())
        assert starter.said["anon"][-1] < row["rss"]
        assert memory_group.read("cgroup.procs").split() == [str(pid)]
