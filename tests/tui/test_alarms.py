"""What whoever does not look at the screen gets to know: title, bell, notification, command."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.procs import until
from tests.support.programs import line
from tests.support.terminal import Terminal
from tests.tui.reading import on_main, start

ENV = {"TMUX": ""}
WRITE = "import json, os, sys; print(json.dumps(dict(os.environ)), file=open(sys.argv[1], 'a'))"


def settings(text: str) -> None:
    folder = Path(os.environ["XDG_CONFIG_HOME"], "memtui")
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)


def watch(group: Group) -> Terminal:
    return start("--cgroup", group.cgroup)


def kill_one(group: Group) -> int:
    process = group.start(line("hog", mib=60, tell=0))
    process.wait(30)
    assert group.oom_kills() >= 1
    return process.pid


def rang(term: Terminal) -> bool:
    """Whether the bell rang; a BEL also ends Textual's own title."""
    return b"\a" in re.sub(rb"\x1b\][^\a\x1b]*\a", b"", bytes(term.raw))


def kills(facts: Path) -> list[dict[str, str]]:
    """The environment of each run of the command for a kill, so far."""
    rows = facts.read_text().splitlines(keepends=True) if facts.exists() else []
    told = [json.loads(row) for row in rows if row.endswith("\n")]
    return [t for t in told if t["MEMTUI_ALERT"] == "kill"]


@pytest.mark.one_world
def test_a_kill_rings_as_it_was_asked_to(
    memory_group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    memory_group.set_limit(24 * MIB)
    facts = tmp_path / "facts"
    command = json.dumps(f'{sys.executable} -S -c "{WRITE}" {facts}')
    settings(f"[alerts]\nbell = true\nnotify = true\ncommand = {command}\n")
    with watch(memory_group) as term:
        term.wait_for(on_main)
        pid = kill_one(memory_group)
        term.wait_for(re.compile(r"the kernel killed .*for lack of memory"))
        until(lambda: b"\x1b]777;notify;memtui;the kernel killed" in term.raw)
        assert b"\x1b]9;memtui: the kernel killed" in term.raw
        assert rang(term)
        assert "memtui: the kernel killed" in term.title
        until(lambda: bool(kills(facts)))
        (kill,) = kills(facts)
        assert (kill["MEMTUI_VICTIM_PID"], kill["MEMTUI_KILLS"]) == (str(pid), "1")
        assert kill["MEMTUI_LIMIT"] == str(24 * MIB)
        term.send("q")
        assert term.exit_status() == 0
    assert b"\x1b[23;2t" in term.raw  # the title of before


@pytest.mark.one_world
def test_nothing_rings_that_was_not_asked_for(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    settings("[alerts]\ntitle = false\n")
    with watch(memory_group) as term:
        term.wait_for(on_main)
        kill_one(memory_group)
        term.wait_for(re.compile(r"the kernel killed .*for lack of memory"))
        term.send("q")
        assert term.exit_status() == 0
    assert not rang(term)
    for sequence in (b"\x1b]9;", b"\x1b]777;", b"\x1b]2;memtui:", b"\x1b[22;2t"):
        assert sequence not in term.raw


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("'it is not quoted", "not quoted right"),
        ("/nowhere/at-all", "could not be started"),
    ],
)
@pytest.mark.one_world
def test_a_command_that_cannot_run_is_told(memory_group: Group, command: str, words: str) -> None:
    memory_group.set_limit(24 * MIB)
    settings(f"[alerts]\ncommand = {json.dumps(command)}\n")
    with watch(memory_group) as term:
        if "quoted" not in words:
            term.wait_for(on_main)
            kill_one(memory_group)
        term.wait_for(words)
