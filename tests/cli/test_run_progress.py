"""`memtui run --progress`: a live line below the command's own output, in a real terminal."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.limited import MEMTUI, environment
from tests.support.terminal import Terminal

PROGRESS = [*MEMTUI, "run", "-q", "--limit", "64M", "--method", "data", "--progress"]
KEYS = """
import os, sys, termios, time, tty
sys.stdin.readline()
before = termios.tcgetattr(0)
tty.setcbreak(0)
time.sleep(0.5)
print("\\x1b[2J\\x1b[24;1HMINE\\x1b[1;1Hmenu", flush=True)
time.sleep(1.5)
print("drawn", flush=True)
os.read(0, 1)
termios.tcsetattr(0, termios.TCSANOW, before)
sys.stdin.readline()
"""


def told(row: int) -> Callable[[list[str]], bool]:
    """That the live line stands in `row`, and nowhere else."""

    def holds(lines: list[str]) -> bool:
        return [i for i, line in enumerate(lines) if "of 64.0 MiB" in line] == [row]

    return holds


def twice(word: str) -> Callable[[list[str]], bool]:
    return lambda lines: lines.count(word) == 2


def no_line(lines: list[str]) -> bool:
    return not any("of 64.0 MiB" in line for line in lines)


def in_shell(cols: int = 80, rows: int = 24) -> Terminal:
    return Terminal(["bash", "--norc", "-i"], cols, rows, env={"PS1": "$ ", "TERM": "xterm"})


def test_the_line_stays_last_while_output_scrolls_and_goes_with_the_command() -> None:
    with in_shell() as term:
        term.type(" ".join([*PROGRESS, "--", "cat"]) + "\r")
        term.wait_for(told(23))
        for word in (f"word{i}" for i in range(40)):
            term.type(f"{word}\r")
            term.wait_for(twice(word))
        lines = term.wait_for(lambda lines: "word39" in lines[21] and told(23)(lines))
        shown = [line for line in lines if line.startswith("word")]
        assert shown[-6:] == ["word37", "word37", "word38", "word38", "word39", "word39"]
        term.send("Ctrl-Z")
        term.wait_for(lambda lines: any("Stopped" in x for x in lines) and no_line(lines))
        term.type("fg\r")
        term.wait_for(told(23))
        term.resize(100, 30)
        term.wait_for(told(29))
        for word in (f"more{i}" for i in range(10)):
            term.type(f"{word}\r")
            term.wait_for(twice(word))
        term.wait_for(told(29))
        term.send("Ctrl-D")
        term.wait_for(no_line)
        term.type("echo status $?\r")
        term.wait_for(lambda lines: "status 0" in lines)
        for i in range(40):
            term.type(f": line{i}\r")
        term.wait_for(lambda lines: lines[28].endswith("line39") and lines[29].startswith("$"))


def test_a_program_that_reads_keys_has_the_screen_to_itself() -> None:
    with Terminal([*PROGRESS, "--", sys.executable, "-S", "-c", KEYS]) as term:
        term.wait_for(told(23))
        term.type("\r")
        lines = term.wait_for("drawn")
        assert lines[23] == "MINE"
        term.type("x")
        term.wait_for(told(23))
        term.type("\r")
        assert term.exit_status() == 0
        assert no_line(term.lines())


def test_a_terminal_that_is_held_holds_up_no_time_limit(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 120 >/dev/null 2>&1"
    with Terminal([*PROGRESS, "--time", "5s", "--", "sh", "-c", code]) as term:
        term.wait_for(lambda lines: told(23)(lines) and pid.exists())
        term.send("Ctrl-S")
        begun = Path(f"/proc/{pid.read_text().strip()}")
        end = time.monotonic() + 30
        while begun.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        term.send("Ctrl-Q")
        assert term.exit_status() == 143
        assert no_line(term.lines()[-1:])


def test_where_there_is_no_terminal_it_is_asked_for_twice() -> None:
    for times in (1, 2):
        with subprocess.Popen(
            [*PROGRESS, *["--progress"] * (times - 1), "--", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stderr
            assert process.stdin
            if times == 2:
                line = process.stderr.readline().decode()
                assert line.startswith("memtui: 1s: largest process ")
                assert " of 64.0 MiB, peak " in line
            out, err = process.communicate(b"passed on", timeout=30)
        assert (process.returncode, out) == (0, b"passed on")
        assert times == 2 or err == b""
