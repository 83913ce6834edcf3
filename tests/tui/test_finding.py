"""Search, filter, tree, users, threads, scopes: on real processes in a real terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.terminal import Terminal
from tests.tui.conftest import Shared
from tests.tui.reading import (
    as_at_first,
    column,
    cursor,
    header,
    leave,
    on_main,
    row_of,
    spot,
    start,
    table,
    wait_cursor,
)

NAME = f"memtui-test-kin-{os.getpid()}"
FORKS = """
import os, sys, threading
for _ in range(2):
    if not os.fork():
        sys.stdin.read()
        os._exit(0)
threading.Thread(target=threading.Event().wait, daemon=True, name="worker").start()
print(*[c for c in open(f"/proc/self/task/{os.getpid()}/children").read().split()], flush=True)
sys.stdin.read()
"""


class Kin:
    """A parent of two threads with two children."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-S", "-c", FORKS, NAME],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.child.stdout is not None
        self.children = [int(word) for word in self.child.stdout.readline().split()]

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def pids(self) -> set[str]:
        return {str(n) for n in (self.pid, *self.children)}

    def close(self) -> None:
        self.child.communicate()  # the end of their input ends them all


@pytest.fixture
def plain(shared: Shared) -> Terminal:
    """memtui without filter, tree or scope, as `Shared` sees to."""
    return shared.ready("N", "Home")


@pytest.fixture
def kin(plain: Terminal) -> Iterator[Kin]:
    """A family that the screen knows of already."""
    made = Kin()
    try:
        type_filter(plain, NAME)
        only(plain, made)
        plain.send("Esc")
        plain.wait_for(lambda lines: len(table(lines)) > 3 and "F10 Quit" in lines[-1])
        plain.send("Home")  # digits on its heels would overtake it
        plain.wait_for(lambda lines: (rows := table(lines)) and cursor(plain) == rows[0])
        yield made
    finally:
        made.close()


def only(term: Terminal, kin: Kin) -> None:
    """Wait until just these three are in the table."""
    term.wait_for(lambda lines: set(column(lines, "PID")) == kin.pids)


def name_of(pid: int) -> str:
    """The name of a process; "" of one that has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def type_filter(term: Terminal, text: str) -> None:
    term.send("F4")
    term.wait_for("Filter:")
    term.send(*text)


def status(lines: list[str]) -> str:
    return next((line for line in lines if "by user" in line or "users" in line), "")


@pytest.mark.parametrize("key", ["F4", "\\"])
def test_filter_follows_the_text_and_enter_keeps_it(plain: Terminal, kin: Kin, key: str) -> None:
    plain.send(key)
    plain.wait_for("Filter:")
    plain.send(*NAME)
    only(plain, kin)
    assert re.search(r"3 of \d+", plain.lines()[-1]), "the count is live"
    plain.send("Enter")
    lines = plain.wait_for("F10 Quit")
    assert f"filter {NAME}" in status(lines)
    assert re.search(r"3 of \d+", status(lines))
    plain.send("Esc")
    plain.wait_for(lambda lines: len(table(lines)) > 3)


def test_esc_in_the_filter_clears_it(plain: Terminal, kin: Kin) -> None:
    type_filter(plain, NAME)
    only(plain, kin)
    plain.send("Esc")
    plain.wait_for(lambda lines: len(table(lines)) > 3 and "Filter:" not in lines[-1])


def test_a_filter_that_is_wrong_says_where_and_enter_leaves_it_open(
    plain: Terminal, kin: Kin
) -> None:
    type_filter(plain, f"{NAME} mem>5x")
    plain.wait_for(lambda lines: "'5x' is not a size" in lines[-1])
    plain.send("Enter")
    plain.wait_for(lambda lines: "'5x' is not a size" in lines[-1])
    drawn = plain.cells()[-1]
    text = "".join(c.data for c in drawn)
    at, before = text.index("5x"), text.index("mem>")
    assert drawn[at].fg != drawn[before].fg, "what is wrong stands out"
    plain.send("Backspace", "b")
    only(plain, kin)
    plain.send("Esc")
    plain.wait_for("F10 Quit")


def test_field_terms_and_alternatives(plain: Terminal, kin: Kin) -> None:
    one, two = kin.children
    type_filter(plain, f"pid={one}|{two} cmd~{NAME}")
    plain.wait_for(lambda lines: set(column(lines, "PID")) == {str(one), str(two)})
    plain.send("Esc")


@pytest.mark.parametrize("key", ["F3", "/"])
def test_search_moves_the_cursor_on_and_back(plain: Terminal, kin: Kin, key: str) -> None:
    ordered = sorted(int(p) for p in kin.pids)
    plain.send(key)
    plain.wait_for("Search:")
    plain.send(*NAME)
    wait_cursor(plain, ordered[0])
    for pid in (ordered[1], ordered[2], ordered[0]):
        plain.send("F3")
        wait_cursor(plain, pid)
    plain.type("\x1b[13;2~")  # Shift-F3
    wait_cursor(plain, ordered[2])
    plain.send("Enter")
    plain.wait_for("F10 Quit")
    wait_cursor(plain, ordered[2])
    plain.send("&")
    wait_cursor(plain, ordered[0])


def test_search_left_by_esc_goes_back(plain: Terminal, kin: Kin) -> None:
    plain.send("Home")
    first = table(plain.wait_for(lambda lines: cursor(plain) == table(lines)[0]))[0].pid
    plain.send("F3", *NAME)
    wait_cursor(plain, min(int(p) for p in kin.pids))
    plain.send("Esc")
    wait_cursor(plain, first)


def test_what_is_not_there_is_not_found(plain: Terminal) -> None:
    plain.send("F3", *"no-such-process-anywhere")
    plain.wait_for("not found")
    plain.send("Esc")
    plain.wait_for("F10 Quit")


def test_digits_go_to_a_pid(plain: Terminal, kin: Kin) -> None:
    plain.send(*str(kin.children[1]))
    wait_cursor(plain, kin.children[1])


def test_the_tree_shows_children_below_and_folds(plain: Terminal, kin: Kin) -> None:
    type_filter(plain, NAME)
    plain.send("Enter")
    only(plain, kin)
    plain.send("F5")
    lines = plain.wait_for(lambda lines: "├─" in "\n".join(column(lines, "COMMAND")))
    assert column(lines, "PID")[0] == str(kin.pid)
    assert [c[:2] for c in column(lines, "COMMAND")[1:]] == ["├─", "└─"]
    plain.send("Home", "-")
    lines = plain.wait_for(lambda lines: column(lines, "PID") == [str(kin.pid)])
    assert column(lines, "COMMAND")[0].startswith("[+2]")
    plain.send("+")
    only(plain, kin)
    plain.send("End", "Backspace")
    plain.wait_for(lambda lines: column(lines, "PID") == [str(kin.pid)])
    plain.send("*")
    only(plain, kin)
    plain.send("F5")
    plain.wait_for(lambda lines: "├─" not in "\n".join(column(lines, "COMMAND")))


def test_a_click_on_what_is_folded_unfolds_it(plain: Terminal, kin: Kin) -> None:
    type_filter(plain, NAME)
    plain.send("Enter", "F5", "Home", "-")
    lines = plain.wait_for(lambda lines: column(lines, "PID") == [str(kin.pid)])
    row = table(lines)[0]
    plain.click(lines[row.y].index("[+2]") + 1, row.y)
    only(plain, kin)
    plain.send("F5")


def test_threads_are_shown_apart_and_get_no_signal(plain: Terminal, kin: Kin) -> None:
    type_filter(plain, NAME)
    plain.send("Enter", "H")
    lines = plain.wait_for(lambda lines: any("{" in c for c in column(lines, "COMMAND")))
    row = next(r for r in table(lines) if r.cells["COMMAND"].startswith("{"))
    assert row.pid not in (kin.pid, *kin.children)
    assert row.cells["RES"].rstrip("▼") == "·", "its memory is its process's"
    plain.send(*str(row.pid))
    wait_cursor(plain, row.pid)
    plain.send("k")
    plain.wait_for(f"{row.pid} is a thread of {kin.pid}: signals go to processes")
    plain.send("H")
    only(plain, kin)


def test_users_are_listed_and_one_is_shown(plain: Terminal) -> None:
    plain.send("u")
    lines = plain.wait_for("Show processes of")
    assert any("all users" in line for line in lines)
    plain.send("Down", "Enter")
    lines = plain.wait_for(lambda lines: on_main(lines) and "user " in status(lines))
    user = re.search(r"user (\S+)", status(lines).split("by program")[-1])
    assert user is not None
    assert {u.rstrip("…") for u in column(lines, "USER")} <= {user[1], user[1][:7]}
    plain.send("Esc")
    plain.wait_for(lambda lines: f"user {user[1]}" not in status(lines))


def test_pause_stands_still_and_goes_on(plain: Terminal) -> None:
    plain.send("Z")
    plain.wait_for("PAUSED")
    born = Kin()
    try:
        plain.send("Space")  # samples at once
        assert row_of(plain.wait_for("PAUSED"), born.pid) is None
        plain.send("Z", "F4", *NAME)
        only(plain, born)
    finally:
        plain.send("Esc")
        plain.wait_for("F10 Quit")
        born.close()
    plain.send("U")
    assert "PAUSED" not in "\n".join(plain.wait_for(lambda lines: "tagged" not in status(lines)))


def test_units_and_paths(plain: Terminal, kin: Kin) -> None:
    type_filter(plain, NAME)
    plain.send("Enter", "E")
    lines = plain.wait_for(lambda lines: "sizes in KiB" in status(lines))
    assert all(text.isdecimal() for text in column(lines, "RES"))
    plain.send("E", "E", "E")
    plain.wait_for(lambda lines: "sizes in" not in status(lines))
    with_path = column(plain.lines(), "COMMAND")[0]
    assert with_path.startswith("/")
    plain.send("p")
    name = with_path.split()[0].rpartition("/")[2]
    plain.wait_for(lambda lines: column(lines, "COMMAND")[0].startswith(name))
    plain.send("p")


def test_the_whole_command_line_is_shown(plain: Terminal, kin: Kin) -> None:
    plain.send(*str(kin.pid))
    wait_cursor(plain, kin.pid)
    plain.send("w")
    lines = plain.wait_for(f"Command line of {kin.pid}")
    assert NAME in re.sub(r"[\s│]", "", "".join(lines)), "wherever it is broken"
    leave(plain)


def test_sums_by_program_lead_to_processes_and_back(plain: Terminal, kin: Kin) -> None:
    plain.send("Tab")
    plain.wait_for(lambda lines: header(lines) is None)  # sums have no PID
    plain.click(*spot(plain, "by program"))
    plain.wait_for("PROGRAM")
    comm = name_of(kin.pid)
    plain.send("F3")
    plain.wait_for("Search:")
    plain.send(*comm, "Enter")
    plain.wait_for(lambda lines: "Search:" not in lines[-1])
    plain.send("Enter")
    plain.wait_for(
        lambda lines: (
            f"filter name={comm}" in status(lines)
            and table(lines)
            and {name_of(row.pid) for row in table(lines)} <= {comm, ""}
        )
    )
    plain.send("Esc")
    plain.wait_for("PROGRAM")
    plain.send("Esc")
    plain.wait_for(as_at_first)


def test_sums_get_no_signal(plain: Terminal) -> None:
    plain.send("U", "Tab", "Tab")
    plain.wait_for(lambda lines: header(lines) is None)
    plain.send("k")
    plain.wait_for("choose a process first")
    plain.send("Esc")
    plain.wait_for(as_at_first)


def test_a_group_stands_in_the_tree_of_cgroups_with_its_limit(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    child = memory_group.python("import sys; print(flush=True); sys.stdin.read()",
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    name = memory_group.dir.name
    with start(rows=50) as term:
        term.click(*spot(term, "by cgroup"))
        term.wait_for(re.compile(rf"^ +1 .*\b64\.0M .*{re.escape(name)}", re.MULTILINE))
        assert "%LIMIT" in term.text()
        term.send("F3", *name, "Enter", "Enter")
        term.wait_for(lambda lines: column(lines, "PID") == [str(child.pid)])
        term.send("Esc")
        term.wait_for("%LIMIT")
    child.communicate()
