"""How memtui ends: the status, and a terminal that is as it was."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.limited import MEMTUI
from tests.support.terminal import Terminal
from tests.tui.reading import ALTERNATE, CURSOR, MOUSE, on_main, start, table

OURS = {ALTERNATE, MOUSE, 1002, 1003, 1004, 1006, 1015, 2004, 2026, 2048}
SHELL = """echo before; "$0" -m memtui; echo status=$?; stty -a; echo after; read -r line"""


def restored(term: Terminal) -> bool:
    return not term.modes & OURS and CURSOR in term.modes


@pytest.mark.parametrize("key", ["q", "F10", "Ctrl-C"])
def test_quit_gives_the_terminal_back(key: str) -> None:
    with Terminal(["/bin/sh", "-c", SHELL, sys.executable], 100, 30) as term:
        term.wait_for(lambda lines: MOUSE in term.modes and table(lines))
        term.send(key)
        lines = term.wait_for("after")
        assert lines[0] == "before"
        assert lines[1] == "status=0"
        modes = set("\n".join(lines).replace(";", " ").split())
        assert {"echo", "icanon", "isig", "icrnl", "opost"} <= modes
        assert restored(term)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_as_the_shell_expects(number: signal.Signals) -> None:
    with start() as term:
        term.process.send_signal(number)
        assert term.exit_status() == 128 + number
        assert restored(term)


@pytest.mark.parametrize("keys", [("q",), ("F6", "Esc", "q")])
def test_keys_typed_before_the_screen_stands_are_obeyed(keys: tuple[str, ...]) -> None:
    with Terminal([*MEMTUI], 100, 30) as term:
        term.wait_for(table)
        for key in keys:
            if key != keys[0]:
                term.wait_for("Sort by" if key == "Esc" else on_main)
            term.send(key)
        assert term.exit_status() == 0
        assert restored(term)


def test_ctrl_c_before_the_screen_stands_is_no_traceback() -> None:
    with Terminal([*MEMTUI], 100, 30) as term:
        term.wait_for(table)
        term.send("Ctrl-C")
        assert term.exit_status() in (0, 128 + signal.SIGINT)
        assert restored(term)
        assert "Traceback" not in term.text()


def test_sigterm_before_the_screen_stands_restores_it_too() -> None:
    with Terminal([*MEMTUI], 100, 30) as term:
        term.wait_for(table)
        term.process.terminate()
        assert term.exit_status() == 128 + signal.SIGTERM
        assert restored(term)


def test_quit_from_an_open_dialog_by_ctrl_c() -> None:
    with start() as term:
        term.send("k")
        term.wait_for("Send signal")
        term.send("Ctrl-C")
        assert term.exit_status() == 0
        assert restored(term)


def one_sentence(*args: str) -> str:
    """Run memtui without a terminal; check that it refuses in one line, and return that."""
    done = subprocess.run(
        [*MEMTUI, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("memtui: ")
    return done.stderr


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ((), "terminal"),
        (("--sort", "pid"), "terminal"),
        (("--delay", "0"), "--delay 0"),
        (("--delay", "-1"), "--delay -1"),
        (("--delay", "nan"), "--delay nan"),
        (("--delay", "1e9"), "--delay 1e"),
        (("--sort", "colour"), "'colour'"),
        (("--sort", ""), "--sort"),
        (("frobnicate",), "'frobnicate'"),
        (("--root", "/nowhere"), "/nowhere"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(args: tuple[str, ...], part: str) -> None:
    assert part in one_sentence(*args)


def test_terminal_on_stdin_alone_is_not_enough() -> None:
    code = '"$0" -m memtui 2>/dev/null; echo status=$?'
    with Terminal(["/bin/sh", "-c", code, sys.executable], 80, 24) as term:
        term.wait_for("status=2")
        assert term.exit_status() == 0


@pytest.mark.parametrize("args", [("--delay", "soon"), ("--no-such-option",)])
def test_what_argparse_refuses_is_2_as_well(args: tuple[str, ...]) -> None:
    done = subprocess.run([*MEMTUI, *args], stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert args[0].encode() in done.stderr


def test_unknown_theme_is_wrong_use() -> None:
    with Terminal([*MEMTUI, "--theme", "purple-haze"], 100, 30) as term:
        term.wait_for("purple-haze")
        assert term.exit_status() == 2
        assert not term.modes & OURS  # the screen was never taken


def test_a_terminal_that_vanishes_ends_it() -> None:
    with start() as term:
        term.hang_up()
        assert term.process.wait(20) in (1, 128 + signal.SIGHUP)
