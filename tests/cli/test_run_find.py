"""`memtui run --find-limit`: the smallest limit, found by running the command again and again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI, environment, run_cli
from tests.support.terminal import Terminal

FIND = ("--find-limit", "--limit", "512M")
DD = ["dd", "if=/dev/zero", "of=/dev/null", "bs=32M", "count=1"]


@pytest.mark.world
def test_the_limit_of_an_allocation_of_known_size_is_found(memory_group: Group) -> None:
    done = run_cli(*FIND, "--method", "cgroup", "--", *DD, base=memory_group)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (0, b"")
    assert "copied" not in done.stderr.decode(), "what dd itself says is hidden"
    assert lines[0].startswith("memtui: run 1, 512 MiB (the most it may have): enough, ")
    found = re.fullmatch(
        r"memtui: smallest limit: ([\d.]+) MiB, ([\d.]+) MiB is too little \((\d+) runs; "
        r"cgroup: all processes together\)",
        lines[-3],
    )
    assert found, lines
    least, too_little = float(found[1]), float(found[2])
    assert 32 <= least <= 36, "a busy machine's pages are counted in larger batches"
    assert too_little < least
    assert int(found[3]) == len(lines) - 3 <= 20
    assert re.search(r"it takes [\d.]+ s there and [\d.]+ s without, ", lines[-2])
    assert re.fullmatch(r"memtui: with a little air: --limit (3[5-9]|40)M", lines[-1])
    assert [p.name for p in memory_group.dir.iterdir() if p.is_dir()] == []


def test_the_search_is_a_document_too_and_takes_no_input() -> None:
    args = ["--find-limit", "--limit", "200M", "--method", "data", "--json", "-q", "--"]
    code = "import sys; sys.stdin.read(); held = b'x' * (24 << 20); print('hidden')"
    done = run_cli(*args, sys.executable, "-S", "-c", code, stdin=b"not for it")
    assert (done.returncode, done.stdout) == (0, b"")
    (line,) = done.stderr.decode().splitlines()
    told = json.loads(line)
    assert told["schema"] == "memtui.findlimit/1"
    assert 24 * MIB < told["limit"] < 40 * MIB
    assert told["too_little"] < told["limit"]
    assert [run["enough"] for run in told["runs"] if run["limit"] == told["limit"]] == [True, True]
    assert not any(run["enough"] for run in told["runs"] if run["limit"] < told["limit"])
    assert told["slowdown"] > 0


def test_it_is_found_where_there_is_no_input_to_take() -> None:
    closed = ("sh", "-c", 'exec "$@" <&-', "sh")
    done = run_cli(
        *FIND, "-q", "--method", "data", "--", "sh", "-c", "read x || true", prefix=closed
    )
    assert (done.returncode, b"smallest limit: " in done.stderr) == (0, True), done.stderr


def test_what_fails_without_a_limit_has_none() -> None:
    done = run_cli(*FIND, "-v", "--method", "data", "--", "sh", "-c", "echo shown; exit 7")
    assert (done.returncode, done.stdout) == (7, b"shown\n")
    assert "no limit was found (1 run): it does not succeed with 512 MiB" in done.stderr.decode()
    done = run_cli(*FIND, "--", "memtui-no-such-command")
    assert (done.returncode, done.stderr.count(b"\n")) == (127, 1)


def test_ctrl_c_ends_the_search_though_the_command_takes_no_notice(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"trap 'exit 0' INT; touch '{ready}'; while :; do sleep 0.05; done"
    with Terminal([*MEMTUI, "run", *FIND, "--method", "data", "--", "sh", "-c", code]) as term:
        end = time.monotonic() + 30
        while not ready.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        term.send("Ctrl-C")
        assert term.exit_status() == 130
        assert "the search was interrupted" in "".join(term.lines())


def test_a_signal_ends_the_search(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    line = [*MEMTUI, "run", *FIND, "--method", "data", "--", "sh", "-c"]
    with subprocess.Popen(
        [*line, f"echo ready >'{ready}'; exec sleep 60"],
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        ready.read_text()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert err.decode().splitlines() == ["memtui: the search was interrupted: no limit was found"]


@pytest.mark.parametrize("option", [["--csv", "x"], ["--progress"], ["--on-limit", "stop"]])
def test_what_is_for_one_run_is_refused(option: list[str]) -> None:
    done = run_cli(*FIND, *option, "--", "true")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"is for one run" in done.stderr
