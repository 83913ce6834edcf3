"""A full-screen program under a limit, started from a shell: it has the terminal to itself."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.cgroups import Group
from tests.support.limited import MEMTUI, environment
from tests.support.procs import require
from tests.support.terminal import Terminal

PROGRAM = """
import curses

def main(screen):
    key = "-"
    while key != "q":
        rows, columns = screen.getmaxyx()
        screen.erase()
        screen.addstr(0, 0, f"full screen {columns}x{rows} key {key}")
        screen.refresh()
        got = screen.getkey()
        key = got if len(got) == 1 else key

curses.wrapper(main)
"""


def full_screen(folder: Path, method: str, base: Group | None = None) -> None:
    """Type, change the size, stop it, go on, and leave, as at a desk."""
    require(shutil.which("bash") is not None, "needs bash, for job control")
    program = folder / "screen.py"
    program.write_text(PROGRAM)
    line = [*MEMTUI, "run", "-q", "--limit", "256M", "--method", method, "--"]
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with Terminal(shell, 80, 24, env={**environment(base), "PS1": "$ "}) as term:
        term.wait_for("$")
        term.type(f"{shlex.join([*line, sys.executable, str(program)])}\n")
        term.wait_for("full screen 80x24 key -")
        term.type("a")
        term.wait_for("full screen 80x24 key a")
        term.resize(100, 30)
        term.type("c")  # a curses that was not waiting for a key sees the size with the next one
        term.wait_for("full screen 100x30 key c")
        term.type("\x1a")
        term.wait_for("Stopped")
        term.type("fg\n")
        term.wait_for("full screen 100x30 key c")
        term.type("b")
        term.wait_for("full screen 100x30 key b")
        term.type("q")
        term.wait_for(lambda lines: "full screen" not in "\n".join(lines))
        term.type("echo status=$?\n")
        term.wait_for("status=0")


@pytest.mark.parametrize("method", ["data", "watch"])
def test_a_full_screen_program_has_the_terminal(method: str, tmp_path: Path) -> None:
    full_screen(tmp_path, method)


def test_a_full_screen_program_in_a_group(memory_group: Group, tmp_path: Path) -> None:
    full_screen(tmp_path, "cgroup", memory_group)
