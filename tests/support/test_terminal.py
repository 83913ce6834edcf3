"""The harness itself, with real programs in it."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.support.terminal import Terminal, python


def test_a_shell_answers_what_is_typed() -> None:
    with Terminal(["/bin/sh"], env={"PS1": "prompt> "}) as term:
        term.wait_for("prompt> ".rstrip())
        term.send("echo $((6 * 7)) ready", "Enter")
        assert any(line == "42 ready" for line in term.wait_for(re.compile("^42", re.MULTILINE)))
        term.send("exit 3", "Enter")
        assert term.exit_status() == 3


def test_the_program_owns_its_terminal_and_session() -> None:
    code = (
        "import os; print(os.getpid() == os.getsid(0) == os.tcgetpgrp(0), os.ttyname(2)); input()"
    )
    with python(code) as term:
        term.wait_for("True /dev/")
        term.send("Ctrl-C")
        assert term.exit_status() in (1, -signal.SIGINT, 130)


def test_a_resize_reaches_the_program() -> None:
    code = """
import os, signal
signal.signal(signal.SIGWINCH, lambda *_: print(*os.get_terminal_size(), "now", flush=True))
print(*os.get_terminal_size(), "at first", flush=True)
while True: signal.pause()
"""
    with python(code, 90, 30) as term:
        term.wait_for("90 30 at first")
        term.resize(120, 40)
        term.wait_for("120 40 now")
        assert len(term.lines()) == 40


ECHO = """
import sys, termios, tty
old = termios.tcgetattr(0)
tty.setraw(0)
sys.stdout.write({start!r}); sys.stdout.flush()
while (c := sys.stdin.read(1)) != "q":
    sys.stdout.write(repr(c)[1:-1]); sys.stdout.flush()
termios.tcsetattr(0, termios.TCSADRAIN, old)
"""


@pytest.mark.parametrize(
    ("keys", "seen"),
    [
        (["Up", "F9"], r"\x1b[A\x1b[20~"),
        (["F1", "Shift-Up", "Ctrl-C"], r"\x1bOP\x1b[1;2A\x03"),
        (["Esc", "é"], r"\x1bé"),
    ],
)
def test_keys_arrive_as_xterm_sends_them(keys: list[str], seen: str) -> None:
    with python(ECHO.format(start="ready\r\n")) as term:
        term.wait_for("ready")
        term.send(*keys)
        term.wait_for(seen)
        term.send("q")
        assert term.exit_status() == 0


def test_arrows_follow_the_application_mode() -> None:
    with python(ECHO.format(start="\x1b[?1hready\r\n")) as term:
        term.wait_for("ready")
        term.send("Down")
        term.wait_for(r"\x1bOB")


def test_the_mouse_speaks_sgr() -> None:
    with python(ECHO.format(start="\x1b[?1006hready\r\n")) as term:
        term.wait_for("ready")
        term.click(4, 2)
        term.wait_for(r"\x1b[<0;5;3M\x1b[<0;5;3m")
        term.wheel(0, 0)
        term.wait_for(r"\x1b[<65;1;1M")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("\x1b[c", r"\x1b[?62;22c"),
        ("\x1b[?2026$p", r"\x1b[?2026;2$y"),
        ("\x1b[6n", r"\x1b[2;1R"),
        ("\x1b[18t", r"\x1b[8;24;80t"),
        ("\x1b]11;?\x07", r"\x1b]11;rgb:1616/1818/1d1d\x1b\\"),
    ],
)
def test_questions_are_answered(question: str, answer: str) -> None:
    with python(ECHO.format(start="ready\r\n" + question)) as term:
        term.wait_for(answer)


def test_what_the_emulator_would_misread_is_left_out() -> None:
    said = "a\x1b[>1ub\x1b[4:3mc\x1b[?2026hd\x1b[?2026le\x1b]0;ti\u00e9\x07f\x1b[1 qg"
    with python(f"print({said!r}); input()") as term:
        assert term.wait_for("g")[0] == "abcdefg"
        assert term.title == "tié"


def test_the_main_screen_comes_back() -> None:
    code = """
print("before\\x1b[?1049h\\x1b[Hinside", flush=True)
input()
print("\\x1b[?1049l", end="", flush=True)
input()
"""
    with python(code) as term:
        term.wait_for("inside")
        assert 1049 in term.modes
        assert "before" not in term.text()
        term.send("Enter")
        term.wait_for("before")
        assert 1049 not in term.modes
        assert "inside" not in term.text()


def test_a_text_is_found_by_cell() -> None:
    with python("print('中中 here'); input()") as term:
        term.wait_for("here")
        assert term.find("here") == (5, 0)


def test_colours_reach_the_cells() -> None:
    with python("print('\\x1b[1;38;2;240;86;106;44mX\\x1b[m中y'); input()") as term:
        term.wait_for("y")
        first, wide, rest, after = term.cells()[0][:4]
        assert (first.data, first.fg, first.bg, first.bold) == ("X", "f0566a", "blue", True)
        assert (wide.data, rest.data, after.data) == ("中", "", "y")


def test_a_failure_draws_the_screen() -> None:
    with python("print('what is there'); input()", 30, 4) as term:
        term.wait_for("there")
        with pytest.raises(AssertionError, match=r"(?s)still runs.*\|what is there {17}\|"):
            term.wait_for("what is not", timeout=0.2)


def test_an_ended_program_is_not_waited_for() -> None:
    with (
        python("print('bye')") as term,
        pytest.raises(AssertionError, match=r"(?s)ended with 0.*bye"),
    ):
        term.wait_for("never", timeout=60)


def test_what_does_not_listen_is_ended_and_reaped() -> None:
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf")
input()
"""
    with python(code) as term:
        term.wait_for("deaf")
        pid = term.pid
    assert term.process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    term.close()
