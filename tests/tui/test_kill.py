"""Signals from the screen: to the process that was shown, when Enter says so, or to nobody."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.limited import as_nobody
from tests.support.procs import HANDLING, IGNORING, require, state_of, until
from tests.support.terminal import Terminal
from tests.tui.children import FIRST, KILL, TERM, ended_by, named
from tests.tui.conftest import Shared
from tests.tui.reading import (
    DIALOG,
    amount,
    dialog,
    leave,
    on_main,
    point_at,
    row_wait,
    spot,
    start,
    wait_cursor,
)

Child = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    """memtui sorted by command, and faster than it is by itself."""
    made = Shared("--sort", "command", "--delay", "0.5")
    yield made
    made.close()


@pytest.fixture
def term(shared: Shared) -> Terminal:
    """Nothing tagged, nothing open, the cursor on the first command."""
    return shared.ready("U", "Home")


@pytest.fixture
def child() -> Iterator[Child]:
    with named() as made:
        yield made


def ask(term: Terminal, pid: int, key: str = "k") -> str:
    """Open the dialog on a process; return what it says above the signals."""
    point_at(term, pid)
    term.send(key)
    return dialog(term.wait_for(DIALOG))


def unharmed(child: Child) -> bool:
    return child.poll() is None and state_of(child.pid) == "S"


@pytest.mark.parametrize("key", ["k", "F9"])
def test_dialog_names_its_target(term: Terminal, child: Child, key: str) -> None:
    said = ask(term, child.pid, key)
    leave(term)
    assert re.search(rf"\b{child.pid}\b", said)
    assert FIRST in said
    assert pwd.getpwuid(os.geteuid()).pw_name in said
    shown = re.search(r"RES ([\d.]+[KM])\b", said)
    assert shown is not None
    assert 1 << 20 < amount(shown[1]) < 1 << 26
    assert unharmed(child)


def test_enter_sends_sigterm_and_the_end_is_told(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.send("Enter")
    assert ended_by(child) == TERM
    term.wait_for(re.compile(rf"\b{child.pid}\b.* ended"))


@pytest.mark.parametrize(
    ("typed", "number"),
    [("9", KILL), ("KILL", KILL), ("kill", KILL), ("SIGKILL", KILL), ("10", 10), ("1", 1)],
)
def test_signal_is_chosen_by_number_or_name(
    term: Terminal, child: Child, typed: str, number: int
) -> None:
    ask(term, child.pid)
    term.type(typed)
    term.send("Enter")
    assert ended_by(child) == number


def test_signal_is_chosen_by_arrows(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.send("Down", "Enter")
    assert ended_by(child) == KILL


def test_pid_may_be_typed_over(term: Terminal, child: Child) -> None:
    with named("!memtui-test-other") as other:
        ask(term, child.pid)
        term.send("Tab")
        term.type(str(other.pid))
        term.wait_for(lambda lines: "!memtui-test-other" in dialog(lines))
        term.send("Enter")
        assert ended_by(other) == TERM
    assert unharmed(child)


@pytest.mark.parametrize("pid", ["0", "999999999"])
def test_pid_of_nobody_sends_nothing(term: Terminal, child: Child, pid: str) -> None:
    ask(term, child.pid)
    term.send("Tab")
    term.type(pid)
    term.wait_for(re.compile(r"is already gone|is not a PID"))
    term.send("Enter")
    term.wait_for(on_main)
    assert unharmed(child)


def test_esc_sends_nothing(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.type("9")
    leave(term)
    assert unharmed(child)


def test_no_click_sends_a_signal(term: Terminal, child: Child) -> None:
    row = point_at(term, child.pid)
    for x, button in ((30, 0), (33, 0), (36, 2), (39, 1)):  # not twice: that opens the details
        term.click(x, row.y, button)
    ask(term, child.pid)
    x, y = spot(term, "SIGKILL")
    for _ in range(2):
        term.click(x, y)
        term.click(*spot(term, "SIGTERM"))
    term.click(*spot(term, "Send signal"))
    term.click(*spot(term, "Enter send"))
    leave(term)
    assert unharmed(child)


def test_click_in_the_list_chooses_for_enter(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.click(*spot(term, "SIGKILL"))
    assert unharmed(child)
    term.send("Enter")
    assert ended_by(child) == KILL


def test_all_tagged_processes_get_the_signal(term: Terminal, child: Child) -> None:
    with named(f"{FIRST}-2") as second, named(f"{FIRST}-3") as spared:
        row_wait(term, spared.pid)
        point_at(term, child.pid)
        term.send("Space")
        wait_cursor(term, second.pid)
        term.send("Space")
        wait_cursor(term, spared.pid)
        term.send("k")
        assert f"{FIRST}-3" not in dialog(term.wait_for(DIALOG))
        term.send("Enter")
        assert (ended_by(child), ended_by(second)) == (TERM, TERM)
        assert unharmed(spared)


def test_ancestor_asks_a_second_time(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.send("Tab")
    term.type(str(os.getpid()))  # the test run itself: SIGCONT does it no harm
    term.wait_for(lambda lines: FIRST not in dialog(lines))
    term.send("Tab")
    term.type("CONT")
    term.send("Enter")
    term.wait_for(re.compile(r"memtui runs inside.*\by\b", re.DOTALL))
    term.send("Enter")
    assert DIALOG.search(term.text()), "Enter is no second yes"
    term.send("y")
    term.wait_for(re.compile(rf"\b{os.getpid()} goes on after SIGCONT"))


@pytest.mark.parametrize("way", ["click", "arrow"])
def test_yes_sends_the_signal_that_was_asked_about(way: str) -> None:
    shell = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]  # an ancestor that may be harmed
    with start("--sort", "pid", prefix=shell) as term:
        term.send("k")
        term.wait_for(DIALOG)
        term.send("Tab")
        term.type(str(term.pid))
        term.wait_for(lambda lines: "/bin/sh" in dialog(lines))
        term.send("Tab")
        term.type("CONT")
        term.send("Enter")
        term.wait_for("SIGCONT all the same")
        if way == "click":
            term.click(*spot(term, "SIGHUP"))
        else:
            term.send("Down", "Down")
        term.send("y")
        term.wait_for(re.compile(rf"\b{term.pid} goes on after SIGCONT"))
        assert term.process.poll() is None


def test_second_question_is_left_by_esc(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.send("Tab")
    term.type("1")
    term.wait_for(re.compile(r"PID +1\b"))
    term.send("Tab")
    term.type("CONT")
    term.send("Enter")
    term.wait_for(re.compile(r"\bPress y\b"))
    leave(term)
    assert "SIGCONT" not in term.text()


def test_sigkill_is_offered_when_sigterm_does_nothing(term: Terminal) -> None:
    with named(FIRST, IGNORING) as child:
        ask(term, child.pid)
        term.send("Enter")
        term.wait_for(re.compile(rf"\b{child.pid}\b.*it ignores SIGTERM"))
        term.wait_for(re.compile(r"still there.*SIGKILL", re.DOTALL), 20)
        term.send("Enter")
        assert unharmed(child)
        term.send("y")
        assert ended_by(child) == KILL


def test_declined_sigkill_leaves_the_process_alone(term: Terminal) -> None:
    with named(FIRST, HANDLING) as child:
        ask(term, child.pid)
        term.send("Enter")
        term.wait_for("Still alive", 20)
        term.send("n")
        term.wait_for(on_main)
        assert unharmed(child)


def test_process_that_is_gone_gets_nothing(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    child.kill()
    child.wait()
    term.send("Enter")
    term.wait_for(re.compile(rf"\b{child.pid} is already gone"))


def test_zombie_is_told_to_be_one(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    os.kill(child.pid, KILL)
    until(lambda: state_of(child.pid) == "Z")
    term.send("Enter")
    term.wait_for(re.compile(rf"\b{child.pid} ended, its parent .*{os.getpid()}"))


def test_unprivileged_user_is_told_who_owns_the_process() -> None:
    require(os.geteuid() == 0, "needs root, to make a process that another user may not signal")
    with named() as child, start("--sort", "command", prefix=as_nobody()) as term:
        ask(term, child.pid)
        term.send("Enter")
        term.wait_for(re.compile(rf"\b{child.pid}\b.*not permitted: owned by root"))
        assert unharmed(child)


def test_readonly_sends_nothing() -> None:
    with named() as child, start("--sort", "command", "--readonly") as term:
        ask(term, child.pid)
        term.send("Enter")
        term.wait_for(re.compile(r"read-only.*nothing was sent"))
        assert unharmed(child)
        term.send("r")
        term.wait_for(re.compile(r"read-only.*no command"))


@pytest.mark.parametrize("word", ["99", "xyz"])
def test_what_is_no_signal_is_said_and_not_sent(term: Terminal, child: Child, word: str) -> None:
    ask(term, child.pid)
    term.type(word)
    term.wait_for("is not a signal")
    term.send("Enter")
    leave(term)
    assert unharmed(child)


def test_a_real_time_signal_by_name(term: Terminal, child: Child) -> None:
    ask(term, child.pid)
    term.type("rtmin+3")
    term.send("Enter")
    assert ended_by(child) == signal.SIGRTMIN + 3


def test_what_is_chosen_is_in_sight_on_a_small_screen(child: Child) -> None:
    two = f"pid={child.pid} | pid={os.getpid()}"
    with start("--sort", "command", "--filter", two, cols=40, rows=10) as term:
        term.send("k")
        term.wait_for("15 SIGTERM")
        term.type("18")
        term.wait_for("18 SIGCONT")
        term.send("Esc")
        term.wait_for(lambda lines: not any("SIG" in line for line in lines))
        assert unharmed(child)


def test_an_emptied_pid_means_nobody(term: Terminal, child: Child) -> None:
    said = ask(term, child.pid)
    assert FIRST in said
    term.send("Tab")
    term.send(*["Backspace"] * len(str(child.pid)))
    term.wait_for("type a PID")
    term.send("Enter")
    leave(term)
    assert unharmed(child)


def test_a_question_about_sigkill_goes_when_the_process_does(term: Terminal) -> None:
    slow = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(7), sys.exit(0)))"
    with named(FIRST, slow) as process:
        ask(term, process.pid)
        term.send("Enter")
        term.wait_for("Still alive")
        process.wait(20)
        term.wait_for(on_main)
        term.wait_for(f"{process.pid} ended")


def test_a_click_on_a_message_only_puts_it_away(term: Terminal) -> None:
    x, y = spot(term, "Quit")
    with named() as process:
        ask(term, process.pid)
        term.send("Enter")
        process.wait(20)
        term.wait_for(f"{process.pid} ended")
    term.click(x, y)
    assert spot(term, "Quit") == (x, y)
    assert term.process.poll() is None
