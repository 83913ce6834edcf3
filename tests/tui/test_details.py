"""The details of a process: opened by key and mouse, kept when it ends, beside a wide table."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.procs import sleeper
from tests.support.programs import Program, running
from tests.support.terminal import Terminal
from tests.tui.reading import (
    leave,
    on_main,
    point_at_pool,
    row_wait,
    start,
    title_x,
    wait_cursor,
)

WIDE = 160


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """A process that holds 24 MiB and has hostile text in its environment."""
    monkeypatch.setenv("MEMTUI_TEST", "[b]\x1b[31mred\x1b]0;title\x07")
    with running("forks", width=1, depth=0, mib=24) as made:
        made.wait_for("anon")
        yield made


def watch(program: Program, cols: int = 120, rows: int = 36) -> Terminal:
    """memtui with the cursor on the program."""
    term = start("--delay", "0.2", "--sort", "pid", cols=cols, rows=rows)
    go(term, program.pid)
    return term


def go(term: Terminal, pid: int) -> None:
    """Put the cursor on a process by its PID."""

    term.send("Home")
    term.wait_for(lambda lines: "PID" not in lines[-1])
    digits = str(pid)
    for end in range(1, len(digits) + 1):
        term.send(digits[end - 1])
        term.wait_for(lambda lines, typed=digits[:end]: f"PID {typed}" in lines[-1])  # type: ignore[misc]
    wait_cursor(term, pid)


def page_of(term: Terminal, view: str) -> list[str]:
    """Wait for a view of a page, and return the lines."""
    return term.wait_for(lambda lines: lines[0].endswith(f": {view}"))


def test_enter_shows_everything_and_esc_returns(program: Program) -> None:
    with watch(program) as term:
        term.send("Enter")
        page_of(term, "details")
        for words in (
            "RES, last 5 min",
            "cgroup, its own first",
            "rlimits",
            "OOM killer",
            "family",
        ):
            term.wait_for(words)
        term.wait_for(re.compile(rf"PID {program.pid} · .*since \d{{4}}-"))
        term.wait_for(re.compile(r"anon +2\d\.\dM"))
        term.wait_for(re.compile(r"PSS \d"))
        term.wait_for(re.compile(r"USS 2\d"))
        term.wait_for(re.compile(r"[⣀-⣿]{1}"))
        leave(term)
        wait_cursor(term, program.pid)
        term.send("q")
        assert term.exit_status() == 0


def test_a_double_click_opens_and_a_single_one_does_not(program: Program) -> None:
    with watch(program) as term:
        y = row_wait(term, program.pid).y
        term.click(20, y)
        wait_cursor(term, program.pid)
        assert on_main(term.lines())
        term.click(20, y)
        term.click(20, y)
        page_of(term, "details")
        leave(term)


def test_the_keys_of_htop_lead_to_its_views(program: Program) -> None:
    with watch(program) as term:
        term.send("l")
        page_of(term, "open files")
        term.wait_for(re.compile(r"1 +· +· +.*pipe:\["))
        term.send("m")
        page_of(term, "mappings")
        term.wait_for(re.compile(r"reading took \d+ ms"))
        term.wait_for("<anonymous>")
        term.send("s")
        page_of(term, "details")
        for view in ("environment", "open files", "mappings", "details"):
            term.send("Tab")
            page_of(term, view)
        term.send("Shift-Tab")
        page_of(term, "mappings")
        leave(term)
        term.send("e")
        page_of(term, "environment")
        term.wait_for("MEMTUI_TEST=[b]␛[31mred␛]0;title␇")
        assert "title" not in term.title
        term.send("y")
        term.wait_for("not copied")
        term.send("s", "y")
        term.wait_for(re.compile(r"\d+ lines sent to the terminal's clipboard"))
        leave(term)


def test_who_ends_while_shown_is_said_to_have_and_its_numbers_stay(program: Program) -> None:
    with watch(program) as term:
        term.send("Enter")
        term.wait_for(re.compile(r"USS 2\d"))
        program.process.kill()
        term.wait_for("it has ended")
        program.process.wait()
        term.wait_for("what follows is its last state")
        term.wait_for(re.compile(r"USS 2\d"))
        term.wait_for(re.compile(r"anon +2\d"))
        leave(term)


def test_k_sends_a_signal_to_the_process_shown_and_tells_the_end(program: Program) -> None:
    with watch(program) as term:
        term.send("Enter")
        page_of(term, "details")
        term.send("k")
        term.wait_for("15 SIGTERM")
        term.wait_for(str(program.pid))
        term.send("Enter")
        assert program.process.wait(30) == -15
        term.wait_for("it has ended")
        leave(term)


def test_a_wide_screen_has_a_column_that_follows_the_cursor(program: Program) -> None:
    with sleeper() as other, start("--sort", "pid", cols=WIDE, rows=50) as term:
        for pid in (program.pid, other.pid):
            go(term, pid)
            term.wait_for(re.compile(rf"│.* {pid} .*Enter: all of it"))
            term.wait_for(re.compile(r"│.*PSS \d"))
        term.send("D")
        term.wait_for(lambda lines: not any("Enter: all of it" in line for line in lines))
        term.send("D")
        term.wait_for("Enter: all of it")
        x, y = term.find("Enter: all of it")
        term.click(x, y + 4)
        page_of(term, "details")
        leave(term)


def test_the_column_is_only_there_where_there_is_room(program: Program) -> None:
    with watch(program, cols=WIDE - 1) as term:
        assert not any("Enter: all of it" in line for line in term.lines())
        term.send("D")
        term.wait_for("from 160 columns on")
        term.resize(WIDE, 36)
        term.wait_for("Enter: all of it")
        assert title_x(term.lines(), "COMMAND")[0] < WIDE - 60
        term.resize(100, 30)
        term.wait_for(lambda lines: not any("Enter: all of it" in line for line in lines))


@pytest.mark.parametrize(("cols", "rows"), [(40, 10), (80, 24), (200, 60)])
def test_every_size_can_show_it(program: Program, cols: int, rows: int) -> None:
    with watch(program, cols=cols, rows=rows) as term:
        for key, view in (("Enter", "details"), ("l", "open files"), ("m", "mappings")):
            term.send(key)
            page_of(term, view)
        term.send("End", "Home")
        leave(term)
        term.send("q")
        assert term.exit_status() == 0


def test_memory_of_no_process_opens_its_files_or_says_what_it_is() -> None:
    with running("tmpfs", directory="/dev/shm", mib=8) as made, start("--delay", "0.2") as term:
        made.wait_for("done")
        point_at_pool(term, "[tmpfs] /dev/shm")
        term.send("Enter")
        term.wait_for(f"memtui-test-{made.pid}")
        leave(term)
