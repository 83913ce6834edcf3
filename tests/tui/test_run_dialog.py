"""A command under a limit, started from the screen."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cgroups import Group
from tests.support.limited import hog
from tests.support.procs import until
from tests.support.terminal import Terminal
from tests.tui.reading import on_main, spot, start


@pytest.fixture
def term(memory_group: Group) -> Iterator[Terminal]:
    """memtui that makes its groups in a group of ours."""
    with start("--delay", "0.3", env={"MEMTUI_CGROUP_BASE": str(memory_group.dir)}) as made:
        yield made


def fill(term: Terminal, command: str, limit: str) -> None:
    """Open the dialog and type both fields as a patient person does, without Enter."""
    term.send("r")
    term.wait_for("Run under")
    _, y = spot(term, "Limit")
    blurred = term.cells()[y]
    term.type(command)
    term.send("Tab")
    term.wait_for(lambda _: term.cells()[y] != blurred)
    term.type(limit)


def script(where: Path) -> str:
    """The hog under a name so short that a sentence has room beside it."""
    path = where / "hog"
    path.write_text(f"#!/bin/sh\nexec {shlex.join(hog())}\n")
    path.chmod(0o755)
    return str(path)


def groups(memory_group: Group) -> list[str]:
    return [p.name for p in memory_group.dir.iterdir() if p.is_dir()]


def pids(memory_group: Group) -> list[int]:
    files = memory_group.dir.glob("*/cgroup.procs")
    return [int(pid) for f in files for pid in f.read_text().split()]


def test_hog_is_killed_at_its_limit_and_told(
    term: Terminal, memory_group: Group, tmp_path: Path
) -> None:
    fill(term, f"exec {script(tmp_path)}", "64M")
    term.wait_for("64.0 MiB")
    term.send("Enter")
    term.wait_for(re.compile(r"killed( at the|: it reached its) limit of 64\.0 ?M"))
    term.wait_for(on_main)
    until(lambda: groups(memory_group) == [])
    assert "done" not in term.text()


@pytest.mark.one_world
@pytest.mark.parametrize(
    ("typed", "part"),
    [("abc", "not a size"), ("0", "leaves nothing"), ("1K", "too small"), ("101%", "%")],
)
def test_limit_is_checked_as_it_is_typed(
    term: Terminal, memory_group: Group, typed: str, part: str
) -> None:
    fill(term, "true", typed)
    term.wait_for(part)
    term.send("Enter")
    term.wait_for("Run under")
    term.send("Esc")
    term.wait_for(on_main)
    assert groups(memory_group) == []


@pytest.mark.one_world
def test_percentage_is_of_the_limit_that_binds(term: Terminal) -> None:
    fill(term, "true", "50%")
    term.wait_for(re.compile(r"\d iB|[\d.]+ [KMG]iB"))


@pytest.mark.one_world
def test_output_and_graph_change_places(term: Terminal, memory_group: Group) -> None:
    fill(term, "echo out-of-the-job; echo '[/b]' >&2; sleep 60", "64M")
    term.send("Enter")
    term.wait_for("out-of-the-job")
    term.wait_for("[/b]")
    panel = re.compile(r"│ out-of-the-job|^.{60,}out-of-the-job", re.MULTILINE)
    term.wait_for(panel)
    term.send("j")
    term.wait_for(lambda lines: not panel.search(re.sub(r"sh -c .*", "", "\n".join(lines))))
    term.send("j")
    term.wait_for(panel)


def test_end_of_a_command_is_told(term: Terminal, memory_group: Group, tmp_path: Path) -> None:
    fill(term, "exit 3", "64M")
    term.send("Enter")
    term.wait_for(re.compile(r"exited with status 3"))
    until(lambda: groups(memory_group) == [])


def test_quitting_asks_then_ends_the_command_and_leaves_no_group(
    term: Terminal, memory_group: Group
) -> None:
    fill(term, "sleep 50 & sleep 60", "64M")
    term.send("Enter")
    until(lambda: len(pids(memory_group)) >= 2)
    term.send("q")
    term.wait_for("still runs")
    term.send("n")
    term.wait_for(lambda lines: "still runs" not in str(lines))
    assert len(pids(memory_group)) >= 2
    term.send("q")
    term.wait_for("still runs")
    term.send("e")
    assert term.exit_status() == 0
    assert groups(memory_group) == []


def test_a_command_that_is_left_runs_on_under_its_limit_and_can_still_write(
    term: Terminal, memory_group: Group, tmp_path: Path
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    wait = f"while ! [ -e {go} ]; do sleep 0.05; done"
    fill(term, f"echo before; {wait}; seq 200000; echo after; touch {done}; sleep 60", "64M")
    term.send("Enter")
    until(lambda: len(pids(memory_group)) >= 1)
    term.wait_for(re.compile("│ before"))
    term.send("q")
    term.wait_for("still runs")
    term.send("l")
    assert term.exit_status() == 0
    assert len(pids(memory_group)) >= 1
    (name,) = groups(memory_group)
    assert str(64 << 20) == Group(memory_group.dir / name).limit_file.read_text().strip()
    said = "".join(term.lines()).replace(" ", "")
    (log,) = Path(os.environ["XDG_STATE_HOME"]).rglob("left-*.log")
    assert log.name in said
    assert log.stat().st_mode & 0o777 == 0o600
    go.touch()
    until(done.exists)  # more than a pipe holds was written, and nobody was killed for it
    until(lambda: log.read_text().endswith("200000\nafter\n"))
    assert log.read_text().startswith("before\n1\n2\n")
    with start(env={"MEMTUI_CGROUP_BASE": str(memory_group.dir)}) as later:
        later.wait_for("left earlier, still runs as PID")
        later.send("J")
        later.wait_for(log.name[:8])
    for pid in pids(memory_group):
        os.kill(pid, signal.SIGKILL)
    until(lambda: pids(memory_group) == [])
    with start() as later:
        later.wait_for("left earlier, has ended")
    left = json.loads(next(log.parent.glob("left.json")).read_text())
    assert left["left"] == []


@pytest.mark.parametrize("twice", [False, True], ids=["SIGTERM", "Ctrl-C twice"])
def test_sigterm_and_ctrl_c_twice_end_the_command_too(
    term: Terminal, memory_group: Group, twice: bool
) -> None:
    fill(term, "sleep 60", "64M")
    term.send("Enter")
    until(lambda: len(pids(memory_group)) >= 1)
    if twice:
        term.wait_for("run sleep 60")
        term.send("Ctrl-C")
        term.wait_for("still runs")
        term.send("Ctrl-C")
    else:
        term.process.terminate()
    assert term.exit_status() == (0 if twice else 143)
    assert groups(memory_group) == []


@pytest.mark.one_world
def test_enter_without_a_command_starts_nothing(term: Terminal, memory_group: Group) -> None:
    fill(term, "", "64M")
    _, y = spot(term, "Command")
    blurred = term.cells()[y]
    term.send("Enter")
    term.wait_for(lambda _: term.cells()[y] != blurred)
    term.type("sleep 60")
    term.wait_for("sleep 60")
    assert groups(memory_group) == []
    term.send("Enter")
    until(lambda: len(groups(memory_group)) == 1)


@pytest.mark.one_world
def test_j_without_a_command_says_how_to_start_one(term: Terminal) -> None:
    term.send("j")
    term.wait_for(re.compile(r"no command.*\br\b"))


@pytest.mark.one_world
def test_keys_typed_ahead_reach_the_next_field(term: Terminal, memory_group: Group) -> None:
    term.send("r")
    term.wait_for("Run under")
    term.type("exit 3\t64M\r")
    term.wait_for("exited with status 3")


def test_what_cannot_be_started_is_said_and_the_screen_goes_on() -> None:
    taken = " ".join(f"{fd}<&0" for fd in range(3, 10))
    shell = f'exec {taken}; exec "$@"'
    with start(prefix=["/bin/sh", "-c", shell, "sh"]) as term:
        fill(term, "sleep 9", "8G")
        term.send("Enter")
        term.wait_for("not started")
        term.wait_for(on_main)
        assert term.process.poll() is None
