"""What `memtui run` tells at the end: on stderr, into files, as text, JSON and CSV."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.test_report import LABELS, fields
from tests.support import worlds
from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI, hog, run_cli
from tests.support.procs import require

DD = ["dd", "if=/dev/zero", "of=/dev/null", "bs=96M", "count=2", "status=none"]
HOLD = "import time; held = b'x' * (60 << 20); time.sleep(0.5)"


def document(*args: str, base: Group | None = None) -> dict[str, Any]:
    done = run_cli("-q", "--json", *args, base=base)
    (line,) = done.stderr.decode().splitlines()
    told: dict[str, Any] = json.loads(line)
    assert told["exit_status"] == done.returncode
    return told


@pytest.mark.world
def test_the_peak_of_a_cgroup_is_that_of_an_allocation_of_known_size(memory_group: Group) -> None:
    """dd takes one buffer of the block size, and next to nothing else."""
    told = document("--limit", "1G", "--method", "cgroup", "--", *DD, base=memory_group)
    assert 96 * MIB <= told["peak"] <= 96 * MIB * 1.02
    assert told["verdict"] == {"kind": "ok", "text": "ended by itself"}
    assert told["suggestion"] == {"limit": 110 * MIB, "text": "--limit 110M would have done"}
    assert told["limit"]["bytes"] == 1 << 30
    assert (told["oom_kills"], told["killed"]) == (0, [])


@pytest.mark.one_world
def test_the_report_names_the_biggest_processes_and_when_it_was(memory_group: Group) -> None:
    python = f"'{sys.executable}' -S -c \"{HOLD}\""
    args = ("--limit", "1G", "--method", "cgroup", "--", "sh", "-c", f"{python} & {python}; wait")
    told = document(*args, base=memory_group)
    sizes = [(p["name"].startswith("python"), p["peak_rss"]) for p in told["processes"]]
    assert [is_python for is_python, _ in sizes] == [True, True, False]
    assert all(size > 60 * MIB for is_python, size in sizes if is_python)
    assert told["peak"] > 120 * MIB
    assert 120 * MIB < told["peak_without_cache"] <= told["peak"]
    assert 0 < told["peak_at_seconds"] <= told["seconds"]
    assert told["major_faults"] >= 0
    assert told["samples"] > 3


@pytest.mark.world
def test_a_kill_is_told_as_a_document(memory_group: Group) -> None:
    told = document("--limit", "64M", "--method", "cgroup", "--", *hog(), base=memory_group)
    assert (told["status"], told["signal"], told["exit_status"]) == (None, 9, 137)
    assert told["verdict"]["kind"] == "limit"
    assert told["oom_kills"] == 1
    assert told["suggestion"]["limit"] == 130 * MIB
    assert [v["rss"] > 50 * MIB for v in told["killed"]] in ([True], []), "[]: no log for us"
    assert told["peak"] == 64 * MIB
    v2 = memory_group.version == 2
    assert told["throttled"] == (0 if v2 else None), "v1 has no such limit"
    own = v2 and worlds.missing("psi") is None
    assert told["stalled"]["of"] == ("the command" if own else "the whole machine")


def test_a_command_that_is_not_there_is_a_document_too() -> None:
    told = document("--limit", "64M", "--method", "data", "--", "memtui-no-such-command")
    assert told["verdict"]["kind"] == "not-found"
    assert told["exit_status"] == 127


@pytest.mark.one_world
def test_what_is_not_known_is_null(memory_group: Group) -> None:
    told = document("--limit", "64M", "--method", "data", "--", "true")
    assert told["oom_kills"] is None
    assert told["throttled"] is None
    assert told["peak"] is None or told["peak"] > 0


@pytest.mark.one_world
def test_a_file_takes_the_report_and_the_notes_stay_on_stderr(
    memory_group: Group, tmp_path: Path
) -> None:
    file, samples = tmp_path / "report", tmp_path / "samples.csv"
    file.write_text("old\n" * 10_000)
    file.chmod(0o640)
    args = ["-q", "-o", str(file), "--csv", str(samples), "--limit", "100M", "--method", "cgroup"]
    done = run_cli(*args, "--", sys.executable, "-S", "-c", HOLD, base=memory_group)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    lines = file.read_text().splitlines()
    assert list(fields(lines))[: len(LABELS)] == LABELS
    assert "memory in use over time; ╌ the limit of 100 MiB" in lines
    assert "╌" * 60 in file.read_text()
    assert "\x1b" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    rows = list(csv.DictReader(samples.read_text().splitlines()))
    assert max(float(row["memory"]) for row in rows) > 60 * MIB
    assert max(float(row["anon"]) for row in rows) > 60 * MIB
    assert {row["processes"] for row in rows[1:-1]} == {"1"}
    assert {p.name for p in tmp_path.iterdir()} == {"report", "samples.csv"}
    killed = run_cli(*args[:3], "--limit", "64M", "--", *hog(), base=memory_group)
    assert killed.returncode == 137
    assert killed.stderr.startswith(b"memtui: killed: it reached its limit of 64.0 MiB")


def test_a_file_that_cannot_be_written_costs_neither_status_nor_report(tmp_path: Path) -> None:
    for target in (str(tmp_path / "absent" / "report"), "/dev/full", str(tmp_path)):
        args = ["-q", "-o", target, "--limit", "64M", "--method", "data"]
        done = run_cli(*args, "--", "sh", "-c", "echo out; exit 0")
        assert (done.returncode, done.stdout) == (0, b"out\n")
        assert done.stderr.decode().startswith(f"memtui: {target} was not written: ")
        assert b"\tVerdict: ended by itself\n" in done.stderr


def test_a_report_can_go_to_a_descriptor() -> None:
    done = run_cli("-q", "--json", "-o", "/dev/stdout", "--limit", "64M", "--", "true")
    assert json.loads(done.stdout)["schema"] == "memtui.run/1"


def test_a_report_among_a_scripts_output_stays_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = '"$@"; echo after'
    line = ["sh", "-c", script, "sh", *MEMTUI, "run", "-q", "--json", "-o", "/dev/stdout"]
    with open(log, "wb") as file:
        subprocess.run([*line, "--limit", "64M", "echo", "out"], stdout=file, timeout=60)
    first, report, last = log.read_text().splitlines()
    assert (first, json.loads(report)["status"], last) == ("out", 0, "after")


@pytest.mark.world
def test_the_blogs_limit_of_five_megabytes_is_explained() -> None:
    """It seems to show that ten thousand numbers need 5 MB; the interpreter alone needs more."""
    code = "print(len(list(range(10000))))"
    interpreter = os.path.realpath(sys.executable)
    done = run_cli("-q", "--method", "as", "--limit", "5M", "--", interpreter, "-c", code)
    assert done.returncode != 0
    assert done.stdout == b""
    told = done.stderr.decode().splitlines()[-2:]
    assert told[0].startswith("memtui: could not start: the program and its libraries map ")
    assert "before its first line runs, more than the limit of 5.00 MiB" in told[0]
    assert told[1].startswith("memtui: --limit ")
    enough = told[1].split()[2].rstrip(",")
    done = run_cli("-q", "--method", "as", "--limit", enough, "--", interpreter, "-S", "-c", code)
    assert (done.returncode, done.stdout) == (0, b"10000\n")


@pytest.mark.one_world
def test_gnu_time_says_the_same_of_the_same_command(memory_group: Group) -> None:
    time = shutil.which("time")
    require(time is not None, "needs GNU time: Debian's package `time`")
    assert time
    code = "import time; held = b'x' * (100 << 20); end = time.process_time() + 0.3; "
    code += "any(iter(lambda: time.process_time() > end, True)); raise SystemExit(3)"
    command = [sys.executable, "-S", "-c", code]
    theirs = subprocess.run([time, "-v", *command], capture_output=True, text=True, timeout=60)
    args = ["-q", "-v", "--limit", "1G", "--method", "cgroup", "--"]
    ours = run_cli(*args, *command, base=memory_group)
    assert ours.returncode == theirs.returncode == 3
    one, other = (done.splitlines() for done in (theirs.stderr, ours.stderr.decode()))
    assert one[0] == other[0] == "Command exited with non-zero status 3"
    a, b = fields(one), fields(other)
    assert list(a) == list(b)[: len(a)] == LABELS
    for label in ("Exit status", "Page size (bytes)", "Command being timed", "Swaps"):
        assert a[label] == b[label]
    near = {
        "Maximum resident set size (kbytes)": 0.03,
        "Minor (reclaiming a frame) page faults": 0.1,
    }
    for label, share in near.items():
        assert float(b[label]) == pytest.approx(float(a[label]), rel=share), label
    busy = [sum(float(d[f"{w} time (seconds)"]) for w in ("User", "System")) for d in (a, b)]
    assert busy[1] == pytest.approx(busy[0], rel=0.5)
