"""`memtui explain`: what it prints, of this machine, of a captured one, and of the last kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from memtui.kernel.cgroup import read_hierarchy
from memtui.model.victims import OomEvent
from memtui.services.store import KillLog
from tests.support.advising import kill
from tests.support.trees import TREES, copy

MEMTUI = [sys.executable, "-m", "memtui", "explain"]


def run(*args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*MEMTUI, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--for", "x"], "--for 'x': give seconds"),
        (["--for", "-1"], "--for '-1': give seconds"),
        (["--for", "nan"], "--for 'nan': give seconds"),
        (["--cgroup", "/no/such/group\x1b[31m"], "no such memory cgroup"),
        (["--root", "/no/such/directory"], "is not a directory"),
        (["--why-killed", "--for", "1"], "it goes with --json alone"),
        (["x"], "unrecognized arguments"),
    ],
)
def test_wrong_use_is_one_sentence(args: list[str], why: str) -> None:
    done = run(*args, status=2)
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert done.stdout == ""


def test_this_machine_in_a_paragraph_and_as_a_document() -> None:
    text = run("--for", "0").stdout
    assert " are in use" in text.splitlines()[0]
    assert max(map(len, text.splitlines())) <= 100
    doc: dict[str, Any] = json.loads(run("--for", "0.5", "--json").stdout)
    assert doc["schema"] == "memtui.explain/1"
    assert 0.5 <= doc["over_s"] < 60
    state = doc["state"]
    assert state["limit"] > 0
    assert state["biggest"][0]["rss"] >= state["biggest"][-1]["rss"] > 0
    assert len(doc["suggestions"]) <= 3


def test_a_captured_tree_is_one_moment() -> None:
    text = " ".join(run("--root", str(TREES / "v2_container")).stdout.split())
    assert text.startswith("200 of 256 MiB are in use.")
    assert "That is the limit of this container." in text
    assert "one moment of another machine" in text


def test_a_recorded_moment_is_advised_on_as_a_live_one(tmp_path: Path) -> None:
    """A limit that is full of cache, and the same limit full of what stays."""
    root = copy("v2_container", tmp_path)
    (root / "sys/fs/cgroup/memory.max").write_text(f"{210 << 20}\n")
    doc = json.loads(run("--root", str(root), "--json").stdout)
    assert [s["id"] for s in doc["suggestions"]] == ["cache-only"]
    assert doc["over_s"] == 0
    stat = root / "sys/fs/cgroup/memory.stat"
    lines = [f"{x.split()[0]} {1 << 20}" if "active_file" in x else x for x in
             stat.read_text().splitlines()]  # fmt: skip
    stat.write_text("\n".join(lines) + "\n")
    text = " ".join(run("--root", str(root)).stdout.split())
    assert "Nothing is wrong" not in text


def test_where_no_limit_is_known_nothing_is_called_well() -> None:
    text = run("--root", str(TREES / "cut_short")).stdout
    assert "nothing can be said" in text
    assert "Nothing is wrong" not in text


def ours(event: OomEvent) -> OomEvent:
    """The same kill, in the group that we are in."""
    path = read_hierarchy().levels[0].path
    now = time.time() + 1e6  # so the last, whatever the kernel log tells
    victims = tuple(v._replace(cgroup=path, restarted=4712) for v in event.victims)
    return event._replace(cgroup=path, limit_cgroup=path, time=now, victims=victims)


@pytest.mark.skipif(not read_hierarchy().levels, reason="needs a memory cgroup")
def test_why_the_last_one_was_killed() -> None:
    file = "/run/kernel-0badcafe-1234-4321-8765-0123456789ab.json"  # the key of CoCalc's kernels
    command = f"python3 -m ipykernel_launcher -f {file}"
    assert KillLog().append(ours(kill("python3", 60, command))._replace(limit_bytes=500 << 20))
    text = " ".join(run("--why-killed").stdout.split())
    assert "python3 7 (root, RES 100 MiB) was killed by the OOM killer" in text or (
        "Probably python3 7 (root, RES 100 MiB) was killed" in text
    )
    assert "was hit: 500 MiB." in text
    assert "It ran: python3 -m ipykernel_launcher -f /run/kernel-0badcafe….json" in text
    assert "a new kernel in its place, PID 4712" in text
    assert "How sure: " in text
    doc = json.loads(run("--why-killed", "--json").stdout)
    assert doc["schema"] == "memtui.explain/1"
    assert doc["why_killed"]["victims"][0]["restarted"] == 4712
    assert "0123456789ab" not in text + json.dumps(doc)


def test_where_no_kill_is_known_other_ends_are_told_apart(tmp_path: Path) -> None:
    code = (
        "import memtui.cli.explain as e, sys; from memtui.cli.oom import Collected\n"
        "e.collect = lambda *_: Collected([], [])\n"
        "from memtui.cli.main import main; sys.exit(main(['explain', '--why-killed']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    text = " ".join(done.stdout.split())
    assert "No OOM kill is known here." in text
    assert "MemoryError" in text
