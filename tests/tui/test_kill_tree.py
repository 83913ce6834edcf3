"""Trees in the kill dialog: who is listed, what killing frees, and that nobody is left."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtui.kernel import proctree
from tests.support.limited import as_nobody
from tests.support.procs import require, state_of, tree_of, until
from tests.support.programs import Program, line, running
from tests.support.terminal import Terminal
from tests.tui.children import FIRST, KILL, ended_by, named
from tests.tui.conftest import Shared
from tests.tui.reading import DIALOG, amount, dialog, leave, on_main, point_at, row_wait, start

FORKS = re.compile(r"forks\.py")
MIB = 1 << 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    made = Shared("--sort", "command", "--delay", "0.5")
    yield made
    made.close()


@pytest.fixture
def term(shared: Shared) -> Terminal:
    """Nothing tagged, nothing open."""
    return shared.ready("U", "Home")


@pytest.fixture
def forks() -> Iterator[Program]:
    """A parent with 3 children: 40 MiB in common, and 4 MiB of each's own."""
    with running("forks", width=3, depth=1, mib=4, shared=40) as made:
        made.wait_for("process", 4)
        yield made


def tag_tree(term: Terminal, pid: int) -> None:
    point_at(term, pid)
    term.send("c")
    term.wait_for(re.compile(r"tagged with all below it: 4"))


def freed(term: Terminal) -> str:
    """What the dialog says that killing frees, once it is read."""
    said = re.compile(r"killing (?:it|all) frees ([^;…│]*[^;…│ ])")
    found = said.search("\n".join(term.wait_for(said)))
    assert found is not None
    return found[1]


def test_all_of_a_tree_are_listed_with_what_killing_them_frees(
    term: Terminal, forks: Program
) -> None:
    tag_tree(term, forks.pid)
    term.send("k")
    term.wait_for(DIALOG)
    words = freed(term)
    assert 56 * MIB <= amount(words) < 80 * MIB, words  # what they share counts once
    shown = dialog(term.lines())
    assert all(re.search(rf"\b{pid}\b", shown) for pid in tree_of(forks.pid))
    assert "4 processes" in shown
    leave(term)
    assert forks.process.poll() is None


def test_one_of_a_family_frees_at_most_its_share(term: Terminal, forks: Program) -> None:
    point_at(term, forks.pid)
    term.send("k")
    term.wait_for(DIALOG)
    words = freed(term)
    assert words.startswith("at ")
    assert amount(words.rpartition("at most ")[2]) < 30 * MIB
    assert "F5: 3 below too" in dialog(term.lines())
    leave(term)


def test_f5_means_all_below_and_f5_again_does_not(term: Terminal, forks: Program) -> None:
    point_at(term, forks.pid)
    term.send("k")
    term.wait_for(DIALOG)
    term.send("F5")
    term.wait_for("4 processes, RES")
    term.wait_for("born meanwhile")
    term.send("F5")
    term.wait_for(re.compile(rf"PID +{forks.pid}\b"))
    term.send("F5")
    term.wait_for("4 processes, RES")
    kin = tree_of(forks.pid)
    term.send("9", "Enter")
    assert ended_by(forks.process) == KILL
    until(lambda: not any(_lives(pid) for pid in kin))
    term.wait_for(re.compile(r"4 processes \(\S+ \d+ and 3 more\) ended after SIGKILL; .*\d"))


def _lives(pid: int) -> bool:
    return (
        os.path.exists(f"/proc/{pid}")
        and FORKS.search(Path(f"/proc/{pid}/cmdline").read_text()) is not None
    )


def test_nobody_of_a_tree_that_forks_survives(term: Terminal) -> None:
    argv = line("breeds", seconds=40)
    mark = f"MEMTUI_TEST={os.getpid()}-{id(argv)}"
    with running("breeds", prefix=["env", mark], seconds=40) as made:
        until(lambda: len(proctree.read_marked(mark.encode())) > 9)
        row_wait(term, made.pid)
        point_at(term, made.pid)
        term.send("k")
        term.wait_for(DIALOG)
        term.send("F5")
        term.wait_for("born meanwhile")
        term.send("9", "Enter")
        assert ended_by(made.process) == KILL
        until(lambda: not proctree.read_marked(mark.encode()))
        term.wait_for(re.compile(r"processes \(.* more\) ended after SIGKILL"))


def test_a_tree_is_paused_and_resumed_by_name(term: Terminal, forks: Program) -> None:
    kin = tree_of(forks.pid)
    paused, resumed = "4 processes are paused; they keep ", "4 processes go on"
    for word, state, said in (("pause", "T", paused), ("resume", "S", resumed)):
        tag_tree(term, forks.pid)
        term.send("k")
        term.wait_for(DIALOG)
        term.type(word)
        term.wait_for(re.compile(f"Send signal {word.upper()}"))
        term.send("Enter")
        term.wait_for(said)
        until(lambda want=state: {state_of(p) for p in kin} == {want})  # type: ignore[misc]


def test_tagged_one_by_one_get_it_and_no_child_does(term: Terminal, forks: Program) -> None:
    with named(f"{FIRST}-1") as lone:
        row_wait(term, lone.pid)
        for number, pid in enumerate((lone.pid, forks.pid), 1):
            point_at(term, pid)
            term.send("Space")
            term.wait_for(f"{number} tagged")  # a click may overtake a key
        term.send("k")
        term.wait_for("2 processes, RES")
        assert "born meanwhile" not in dialog(term.lines())
        children = tree_of(forks.pid)[1:]
        term.send("9", "Enter")
        assert (ended_by(lone), ended_by(forks.process)) == (KILL, KILL)
        assert all(_lives(pid) for pid in children)


# -- F7 and F8


def adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def doomed(lines: list[str]) -> str:
    return next((x for x in lines if "†" in x), "")


@pytest.mark.parametrize(("up", "down"), [("F8", "F7"), ("[", "]")])
def test_oom_score_adj_is_raised_and_lowered_back(term: Terminal, up: str, down: str) -> None:
    with named() as child:
        before = adj(child.pid)
        point_at(term, child.pid)
        term.send(up)
        term.wait_for(re.compile(rf"{child.pid}: oom_score_adj {before} -> {before + 100}: killed"))
        assert adj(child.pid) == before + 100
        term.send(down)
        term.wait_for(re.compile(rf"oom_score_adj {before + 100} -> {before}: .*as it was"))
        assert adj(child.pid) == before


def test_the_mark_of_who_dies_next_moves_at_once() -> None:
    with named() as child, start("--sort", "command", "--delay", "30") as term:
        row = point_at(term, child.pid)
        for _ in range(10):
            term.send("F8")
        term.wait_for("killed first")
        term.wait_for(lambda lines: str(child.pid) in doomed(lines))
        assert row.y == next(i for i, x in enumerate(term.lines()) if "†" in x)
        for _ in range(10):
            term.send("F7")
        term.wait_for(lambda lines: str(child.pid) not in doomed(lines))


def test_an_ordinary_user_may_not_move_anothers() -> None:
    require(os.geteuid() == 0, "needs root, to make a process of another user's")
    with named() as child, start("--sort", "command", prefix=as_nobody()) as term:
        before = adj(child.pid)
        point_at(term, child.pid)
        term.send("F8")
        term.wait_for(re.compile(rf"\b{child.pid}: not permitted: owned by root"))
        assert adj(child.pid) == before


def test_readonly_changes_and_halts_nothing(forks: Program) -> None:
    with start("--sort", "command", "--readonly") as term:
        kin = tree_of(forks.pid)
        tag_tree(term, forks.pid)
        term.send("F8")
        term.wait_for("read-only: nothing was changed")
        term.send("k")
        term.wait_for(DIALOG)
        term.send("9", "Enter")
        term.wait_for("read-only: nothing was sent")
        assert {state_of(p) for p in kin} == {"S"}
        assert on_main(term.lines())


def test_every_row_of_the_dialog_fits_a_small_screen(forks: Program) -> None:
    with start("--sort", "command", cols=40, rows=14) as term:
        tag_tree(term, forks.pid)
        term.send("k")
        term.wait_for(re.compile("4 processes"))
        freed(term)
        lines = term.lines()
        pids = tree_of(forks.pid)
        assert any(re.search(rf"\b{pids[0]} .*[/\w]", x) for x in lines)
        assert any("SIGTERM" in x for x in lines)
        term.send("Esc")
