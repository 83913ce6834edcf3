"""How `memtui run` judges ends that look alike, by what really happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI, environment, hog, run_cli, start_cli, unshared
from tests.support.terminal import Terminal

RUN = ("-q", "--json", "--limit", "512M")
BUS = """
import mmap, sys
file = open(sys.argv[1] + "/mapped", "wb+")
file.truncate(4 << 20)
mmap.mmap(file.fileno(), 4 << 20)[:] = bytes(4 << 20)
"""


def told(err: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(err.splitlines()[-1])
    return found


def test_a_limit_around_the_run_is_named_as_the_one_that_killed(memory_group: Group) -> None:
    outer = memory_group.child("outer", 80 * MIB)
    done = run_cli(*RUN, "--method", "cgroup", "--", *hog(), base=outer)
    assert done.returncode == 137
    end = told(done.stderr)
    assert end["verdict"]["kind"] == "above"
    words = end["verdict"]["text"]
    assert "not by this limit: " in words
    assert words.endswith("outer reached its limit of 80.0 MiB")
    assert end["oom_kills"] == 1
    assert end["suggestion"]["limit"] is None


def test_an_rlimits_run_is_not_blamed_for_a_kill_around_it(memory_group: Group) -> None:
    outer = memory_group.child("outer", 80 * MIB)
    line = [*MEMTUI, "run", *RUN, "--method", "data", "--", *hog()]
    with outer.start(line, stderr=subprocess.PIPE, env=environment()) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 137
    end = told(err)
    by_the_log = end["verdict"]["kind"] == "above"
    assert by_the_log or end["verdict"]["kind"] == "sigkill"
    words = "reached its limit of 80.0 MiB" if by_the_log else "the OOM killer took "
    assert words in end["verdict"]["text"]
    assert len(end["killed"]) == by_the_log


@pytest.mark.namespaces
def test_a_full_tmpfs_is_found_behind_a_bus_error(tmp_path: Path) -> None:
    for size, kind in (("1M", "tmpfs-full"), ("16M", "ok")):
        prefix = unshared("--mount", first=f"mount -t tmpfs -o size={size} none '{tmp_path}'")
        args = [*RUN, "--method", "data", "--", sys.executable, "-S", "-c", BUS, str(tmp_path)]
        done = run_cli(*args, prefix=prefix)
        end = told(done.stderr)
        assert end["verdict"]["kind"] == kind
        if kind == "tmpfs-full":
            assert done.returncode == 135
            assert f"{tmp_path} is full (1.00 MiB)" in end["verdict"]["text"]


def test_a_signal_that_was_handed_on_has_a_sender() -> None:
    args = [*RUN, "--method", "data", "sh", "-c", "echo ready; exec sleep 60"]
    process = start_cli(*args)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    end = told(err)
    assert end["verdict"]["kind"] == "signal"
    assert end["verdict"]["text"].startswith("was killed by signal 15 (SIGTERM), sent by ")
    assert end["verdict"]["text"].endswith(f" ({os.getpid()})")


def test_ctrl_c_is_an_interruption_and_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "end"
    args = ["-o", str(file), *RUN, "--method", "data", "--"]
    with Terminal([*MEMTUI, "run", *args, "sh", "-c", "echo ready; exec sleep 60"]) as term:
        term.wait_for("ready")
        term.send("Ctrl-C")
        assert term.exit_status() == 130
    end = json.loads(file.read_text())
    assert end["verdict"] == {"kind": "interrupted", "text": "interrupted from the terminal"}
    assert end["suggestion"] is None
