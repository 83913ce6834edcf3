"""`memtui oom` with what memtui saw itself in earlier runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memtui.render.postmortem import as_text
from memtui.services.store import KillLog, StateDir
from tests.support.kills import AT, event, victim

NEWEST = time.time() + 86_400
"""After whatever the kernel log may hold."""
HOSTILE = "x\x1b]52;c;b3du\x07[/b]"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state directory with two kills: one long ago, one after all others."""
    log = KillLog(StateDir(str(tmp_path / "memtui")))
    assert log.append(event(id=1))
    worst = victim(pid=777, name=HOSTILE, command=HOSTILE)
    assert log.append(event(id=2, time=NEWEST, victims=(worst,), scene=None))
    return tmp_path


def oom(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_STATE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "memtui", "oom", *args],
        capture_output=True, text=True, timeout=60, env=env,
    )  # fmt: skip


def test_own_kills_stand_beside_the_log_s_with_their_evidence(home: Path) -> None:
    done = oom(home)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert any("4821" in row and "58.0M" in row and "vanished" in row for row in rows)
    assert any("777" in row and "x␛]52" in row for row in rows)
    assert "\x1b" not in done.stdout


def test_json_tells_them_too(home: Path) -> None:
    told = json.loads(oom(home, "--json").stdout)
    kill = next(k for k in told["kills"] if k["pid"] == 777)
    assert (kill["evidence"], kill["oom_memcg"], kill["anon_rss"]) == ("vanished", "/jobs/j1", None)
    assert told["schema"] == "memtui.oom/1"


def test_since_holds_for_them_too(home: Path) -> None:
    told = json.loads(oom(home, "--since", "1h", "--json").stdout)
    pids = [k["pid"] for k in told["kills"]]
    assert 777 in pids
    assert 4821 not in pids or any(k["time"] != AT for k in told["kills"] if k["pid"] == 4821)


def test_show_prints_the_post_mortem(home: Path) -> None:
    done = oom(home, "--show", "1")
    assert done.returncode == 0, done.stderr
    (newest, *_) = KillLog(StateDir(str(home / "memtui"))).read()
    assert done.stdout == as_text(newest)
    assert "what to do next" in done.stdout


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_show_wants_a_number_from_1_on(home: Path, number: str) -> None:
    done = oom(home, "--show", number)
    assert done.returncode == 2
    assert "--show" in done.stderr


def test_show_says_where_there_are_not_so_many(home: Path) -> None:
    done = oom(home, "--show", "999999")
    assert done.returncode == 1
    assert "--show 999999: only" in done.stderr


def test_lines_that_make_no_sense_are_said_and_skipped(home: Path) -> None:
    with (home / "memtui/kills.jsonl").open("ab") as file:
        file.write(b"\xff\n{}\n")
    done = oom(home)
    assert "777" in done.stdout
    assert "2 lines of memtui's own record make no sense" in done.stderr


def test_counts_without_names_are_said(home: Path) -> None:
    KillLog(StateDir(str(home / "memtui"))).append(
        event(victims=(), others=(), evidence="none", count=3)
    )
    assert "3 more were counted by memtui" in oom(home).stderr


def test_show_of_a_saved_log(home: Path, tmp_path: Path) -> None:
    saved = tmp_path / "log"
    saved.write_text(
        "[ 12.5] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        "oom_memcg=/box,task_memcg=/box,task=eater,pid=31,uid=0\n"
        "[ 12.6] Memory cgroup out of memory: Killed process 31 (eater) total-vm:9kB, "
        "anon-rss:8kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n"
    )
    done = oom(home, "--log", str(saved), "--show", "1")
    assert done.returncode == 0, done.stderr
    assert "eater 31 (0, RES 12.0 KiB) was killed" in done.stdout
    assert "time not known" in done.stdout
    assert "Killed process 31 (eater)" in done.stdout
    assert "777" not in done.stdout
