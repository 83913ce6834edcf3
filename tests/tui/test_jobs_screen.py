"""All commands under a limit on their screen: stopped, limited anew, run again, kept."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.procs import until
from tests.support.terminal import Terminal
from tests.tui.reading import on_main, spot, start

HOLDING = """
import time
held = bytearray(b"x") * (48 << 20)
print("holding 48 MiB", flush=True)
time.sleep(60)
"""


@pytest.fixture
def term(memory_group: Group) -> Iterator[Terminal]:
    """memtui that makes its groups in a group of ours."""
    with start("--delay", "0.3", env={"MEMTUI_CGROUP_BASE": str(memory_group.dir)}) as made:
        yield made


def group_of(memory_group: Group, text: str) -> Group:
    """The group of the command that has a text in its command line."""

    def found() -> list[Path]:
        return [p for p in memory_group.dir.iterdir() if p.is_dir() and text in lines_of(p)]

    until(lambda: bool(found()))
    return Group(found()[0])


def pids(path: Path) -> list[int]:
    return [int(p) for p in (path / "cgroup.procs").read_text().split()]


def lines_of(path: Path) -> str:
    text = ""
    for pid in pids(path):
        with contextlib.suppress(OSError):
            text += Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return text


def states(group: Group) -> set[str]:
    return {
        Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[0] for p in pids(group.dir)
    }


def run(term: Terminal, command: str, limit: str) -> None:
    """Start a command, and wait until the dialog is gone."""
    term.send("r")
    term.wait_for("Run under")
    term.type(command)
    term.wait_for(command[-12:])
    _, y = spot(term, "Limit    ")
    blurred = term.cells()[y]
    term.send("Tab")
    term.wait_for(lambda _: term.cells()[y] != blurred)
    term.type(limit)
    term.send("Enter")
    term.wait_for(lambda lines: "Run under" not in "\n".join(lines))


def chosen(term: Terminal, number: int) -> re.Pattern[str]:
    return re.compile(rf"^─ {number} ", re.MULTILINE)


def confirm(term: Terminal, key: str, question: str, answer: str = "y") -> None:
    """Press a key, or click what is named so, and answer the question that comes."""
    if len(key) > 1:
        term.click(*spot(term, key))
    else:
        term.send(key)
    term.wait_for(question)
    term.send(answer)
    term.wait_for(lambda lines: question not in "\n".join(lines))


def pause_and_go_on(term: Terminal, group: Group) -> None:
    term.send("z")
    until(lambda: states(group) == {"T"})
    term.wait_for("‖ paused")
    term.send("z")
    until(lambda: "T" not in states(group))


def limit_anew(term: Terminal, group: Group) -> None:
    term.send("l")
    term.wait_for("Another limit")
    term.type("128M")
    term.wait_for("128 MiB, of which")
    term.send("Enter")
    until(lambda: group.limit_file.read_text().strip() == str(128 * MIB))
    term.wait_for(re.compile(r"[45]\d\.\dM / +128M"))
    term.send("l")
    term.wait_for("Another limit")
    term.type("8M")
    term.wait_for("asked again")
    confirm(term, "\r", "Less than it uses", "n")
    assert group.limit_file.read_text().strip() == str(128 * MIB)


def run_again(term: Terminal, memory_group: Group, text: str, limit: str) -> Group:
    term.send("R")
    term.wait_for("Run again")
    term.type(limit)
    term.wait_for(re.compile(rf"Limit +{limit}"))
    term.send("Enter")
    return group_of(memory_group, text)


def test_a_command_is_paused_limited_anew_stopped_and_run_again(
    term: Terminal, memory_group: Group, tmp_path: Path
) -> None:
    (tmp_path / "hold.py").write_text(HOLDING)
    run(term, f"exec {sys.executable} -S {tmp_path}/hold.py", "96M")
    group = group_of(memory_group, "hold.py")
    run(term, "trap '' TERM; echo stubborn; while :; do sleep 0.2; done", "64M")
    stubborn = group_of(memory_group, "stubborn")
    term.send("J")
    term.wait_for("2 running, 0 ended")
    term.wait_for(chosen(term, 2))
    term.send("Down")
    term.wait_for(chosen(term, 1))
    term.wait_for(re.compile(r"[45]\d\.\dM / +96\.0M +5\d%"))  # its bar, and below it its output
    term.wait_for("holding 48 MiB")
    pause_and_go_on(term, group)
    limit_anew(term, group)
    confirm(term, "k", "SIGTERM to its")
    term.wait_for("1 running, 1 ended")
    until(lambda: not group.dir.exists())
    term.wait_for("exit 143")

    term.click(*spot(term, "trap '' TERM; echo"))
    term.wait_for(chosen(term, 2))
    confirm(term, "k stop", "SIGTERM to its")
    term.wait_for("stopping")
    assert stubborn.dir.exists()
    confirm(term, "k", "SIGKILL to its")
    term.wait_for("2 ended")
    until(lambda: not stubborn.dir.exists())

    again = run_again(term, memory_group, "stubborn", "72M")
    assert again.limit_file.read_text().strip() == str(72 * MIB)
    term.wait_for(chosen(term, 3))
    term.wait_for(re.compile("^ stubborn", re.MULTILINE))
    term.send("s")
    term.wait_for("output kept in")
    (kept,) = Path(os.environ["XDG_STATE_HOME"]).rglob("output-*.txt")
    assert kept.read_text() == "stubborn\n"
    for pid in pids(again.dir):
        os.kill(pid, signal.SIGKILL)
    term.wait_for("3 ended")
    term.send("x")
    term.wait_for("0 running, 2 ended")
    term.send("Esc")
    term.wait_for(on_main)


def test_what_ended_at_its_limit_is_run_again_with_the_limit_that_is_suggested(
    term: Terminal, memory_group: Group, tmp_path: Path
) -> None:
    (tmp_path / "hold.py").write_text(HOLDING)
    run(term, f"exec {sys.executable} -S {tmp_path}/hold.py", "40M")
    term.wait_for(re.compile(r"killed: it reached its limit of 40\.0 MiB.*; J, R runs it with 80M"))
    until(lambda: not [p for p in memory_group.dir.iterdir() if p.is_dir()])
    term.send("J")
    term.wait_for("exit 137")
    term.send("R")
    term.wait_for("Run again")
    term.wait_for(re.compile(r"Limit +80M"))
    term.send("Enter")
    term.wait_for("holding 48 MiB")
    assert group_of(memory_group, "hold.py").limit_file.read_text().strip() == str(80 * MIB)


@pytest.mark.one_world
def test_commands_of_before_are_offered_completed_and_kept_privately(memory_group: Group) -> None:
    state = Path(os.environ["XDG_STATE_HOME"]) / "memtui"
    state.mkdir(parents=True, mode=0o700)
    (state / "runs.json").write_text("no JSON at all")
    env = {"MEMTUI_CGROUP_BASE": str(memory_group.dir)}
    with start("--delay", "0.3", env=env) as term:
        run(term, "echo first of all", "64M")
        term.wait_for(re.compile("│ first of all"))
        run(term, "echo second; sleep 0", "25%")
        term.wait_for(re.compile("│ second"))
        run(term, " echo secret", "64M")
        term.wait_for(re.compile("│ secret"))
    with start("--delay", "0.3", env=env) as term:
        term.send("r")
        term.wait_for("Recent")
        term.wait_for(re.compile(r"Limit +25%"))  # the last one is proposed
        term.send("Up")
        term.wait_for(re.compile(r"▸ echo second; sleep 0"))
        term.send("Up")
        term.wait_for(re.compile(r"Command +echo first of all"))
        term.wait_for(re.compile(r"Limit +64M"))
        term.send("Down", "Down")
        term.wait_for(lambda lines: "▸" not in "".join(lines[:99]).replace("◂ auto ▸", ""))
        term.type("echo f")
        term.wait_for(re.compile(r"Command +echo first of all"))  # the rest in grey
        term.send("Right")
        term.wait_for(re.compile(r"Limit +64M"))
        term.send("Enter")
        term.wait_for(re.compile("│ first of all"))
    until(lambda: "first" in json.loads((state / "runs.json").read_text())["runs"][0]["command"])
    runs = json.loads((state / "runs.json").read_text())["runs"]
    assert [r["command"] for r in runs] == ["echo first of all", "echo second; sleep 0"]
    assert (state / "runs.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.one_world
def test_without_a_command_the_screen_says_how_to_begin_and_read_only_starts_none() -> None:
    with start("--readonly") as term:
        term.send("J")
        term.wait_for("No command was started here")
        term.send("r")
        term.wait_for(re.compile("read-only: no command is started"))
        term.send("F1")
        term.wait_for("another limit while it runs")
        term.send("Esc")
        term.wait_for("No command was started here")
        term.send("Esc")
        term.wait_for(on_main)
