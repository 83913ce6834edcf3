"""The command for alarms: a real one is run, and what it can do wrong."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memtui.model.alerts import Alert
from memtui.services.alerting import AlertCommand, parse_command


def alert(**facts: str) -> Alert:
    return Alert("hard", "warn", "x", facts)


def python(code: str, *words: object) -> list[str]:
    return [sys.executable, "-S", "-c", code, *map(str, words)]


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@contextmanager
def command(argv: list[str], longest_s: float = 30.0) -> Iterator[AlertCommand]:
    made = AlertCommand(argv, longest_s)
    try:
        yield made
    finally:
        made.close()
        until(lambda: not made._busy, "the thread ends")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", "rb") as f:
        return f.read().rpartition(b")")[2].split()[0] != b"Z"


FACTS = """
import os, sys
print("noise"); print("noise", file=sys.stderr)
with open(sys.argv[1] + ".part", "w") as f:
    f.write(repr([os.environ["MEMTUI_HARD"], sys.stdin.read(), os.getsid(0) == os.getpid(),
                  sys.argv[2], os.environ.get("HOME") is not None]))
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


def test_it_has_the_facts_no_input_and_no_shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with command(python(FACTS, out, "$HOME; echo")) as told:
        told.tell(alert(MEMTUI_HARD="7;8 $(x)"))
        until(out.exists, "it ran")
        until(lambda: not told._busy, "it is over")
        assert told.problem is None
    assert out.read_text() == "['7;8 $(x)', '', True, '$HOME; echo', True]"
    assert capfd.readouterr() == ("", "")


ONE = """
import os, sys, time
lock = os.open(sys.argv[1] + "/lock", os.O_CREAT | os.O_EXCL)
time.sleep(0.05)
os.unlink(sys.argv[1] + "/lock")
open(sys.argv[1] + "/" + os.environ["MEMTUI_N"], "w").close()
"""


def test_one_at_a_time_and_all_in_turn(tmp_path: Path) -> None:
    with command(python(ONE, tmp_path)) as told:
        for i in range(4):
            told.tell(alert(MEMTUI_N=str(i)))
        until(lambda: not told._busy, "all ran")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3"]
        assert told.problem is None


STAYS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
with open(sys.argv[1] + ".part", "w") as f:
    f.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


def test_what_runs_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    out = tmp_path / "pids"
    with command(python(STAYS, out), longest_s=3.0) as told:
        told.tell(alert())
        until(lambda: told.problem is not None, "it was killed")
        assert "was killed, after 3 s" in (told.problem or "")
    pids = [int(word) for word in out.read_text().split()]
    until(lambda: not any(map(alive, pids)), "both are gone")


def test_closing_ends_it_and_forgets_what_waits(tmp_path: Path) -> None:
    out = tmp_path / "pids"
    with command(python(STAYS, out)) as told:
        for _ in range(3):
            told.tell(alert())
        until(out.exists, "it runs")
        told.close()
        until(lambda: not told._busy, "the thread ends")
    pids = [int(word) for word in out.read_text().split()]
    until(lambda: not any(map(alive, pids)), "both are gone")


def test_telling_does_not_wait(tmp_path: Path) -> None:
    out = tmp_path / "pids"
    with command(python(STAYS, out)) as told:
        for _ in range(1000):
            told.tell(alert())
        assert len(told._waiting) <= 8
        assert told._busy


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["/nonexistent/x\x1b"], "/nonexistent/x␛ could not be started: "),
        (["false"], "false ended with status 1"),
    ],
)
def test_what_went_wrong_is_said(argv: list[str], problem: str) -> None:
    with command(argv) as told:
        told.tell(alert())
        until(lambda: told.problem is not None, "it ran")
        assert (told.problem or "").startswith(problem)
        assert (told.problem or "").isprintable()


def test_no_command_is_no_command() -> None:
    with command([]) as told:
        told.tell(alert())
        assert not told._busy


def test_words_are_split_as_a_shell_does() -> None:
    assert parse_command("notify-send -u critical 'low memory'")[3] == "low memory"
    assert parse_command("  ") == []
    with pytest.raises(ValueError, match="is not quoted right"):
        parse_command("echo 'x")
    with pytest.raises(ValueError, match="NUL"):
        parse_command("echo x\0y")
