"""Colours are what the terminal has, on every screen and in the first frame; never more."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from memtui.text import cells
from tests.support.terminal import Terminal
from tests.tui.reading import DIALOG, MOUSE, Framed, on_main, start

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
ATTRIBUTES = {0, 1, 2, 3, 4, 7, 22, 23, 24, 27}
DEFAULTS = {39, 49}
NAMED = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}
SIXTEEN = [{"TERM": term, "COLORTERM": ""} for term in ("xterm", "screen", "linux")]
SCREENS = (  # keys, and what then stands there
    (("k",), DIALOG),
    (("F1",), re.compile("Esc")),
    (("o",), re.compile("OOM")),
    (("i",), re.compile("limit")),
    (("g",), re.compile("Esc")),
    (("F2",), re.compile("PID")),
    (("F6",), re.compile("Sort by")),
    (("r",), re.compile("Run under")),
)


def codes(raw: bytes) -> list[int]:
    """Every number of every SGR sequence; of an RGB or 256 colour the first two: 38, 2 or 38, 5."""
    found = []
    for sequence in SGR.findall(raw):
        numbers = iter([int(n or 0) for n in sequence.split(b";")])
        for number in numbers:
            found.append(number)
            if number in (38, 48):
                kind = next(numbers)
                found.append(1000 * number + kind)
                for _ in range(3 if kind == 2 else 1):
                    next(numbers)
    return found


def visit(term: Terminal) -> None:
    """Open every screen, and leave it."""
    term.send("N", "Home")
    for keys, seen in SCREENS:
        term.send(*keys)
        term.wait_for(lambda lines: not on_main(lines) and seen.search("\n".join(lines)))  # noqa: B023
        term.send("Esc")
        term.wait_for(on_main)


@pytest.mark.parametrize("env", SIXTEEN, ids=lambda e: e["TERM"])
def test_a_terminal_of_sixteen_colours_gets_no_others(env: Mapping[str, str]) -> None:
    with start(env=env) as term:
        visit(term)
        assert set(codes(bytes(term.raw))) <= ATTRIBUTES | DEFAULTS | NAMED


@pytest.mark.parametrize("theme", ["dark", "light", "ansi", "nord"])
def test_a_theme_asked_for_makes_no_more_of_a_terminal_than_it_is(theme: str) -> None:
    with start("--theme", theme, env=SIXTEEN[0]) as term:
        term.send("N", "Home", "k")
        term.wait_for(DIALOG)
        assert set(codes(bytes(term.raw))) <= ATTRIBUTES | DEFAULTS | NAMED


def test_no_color_means_no_colour_on_any_screen() -> None:
    with start(env={"NO_COLOR": "1"}) as term:
        visit(term)
        assert set(codes(bytes(term.raw))) <= ATTRIBUTES | DEFAULTS


def test_an_empty_no_color_means_nothing() -> None:
    with start(env={"NO_COLOR": ""}) as term:
        assert 38002 in codes(bytes(term.raw))


def test_a_terminal_of_256_colours_gets_no_rgb() -> None:
    with start(env={"TERM": "xterm-256color", "COLORTERM": ""}) as term:
        visit(term)
        found = set(codes(bytes(term.raw)))
        assert 38005 in found
        assert not found & {38002, 48002}


@pytest.mark.parametrize(
    "env", [{}, {"NO_COLOR": "1"}, *SIXTEEN], ids=["rgb", "none", "xterm", "screen", "linux"]
)
def test_what_is_chosen_is_seen(env: Mapping[str, str]) -> None:
    """The cursor's row and the signal chosen differ from those beside them."""
    with start(env=env) as term:
        term.send("N", "Home", "k")
        term.wait_for(DIALOG)
        lines, drawn = term.lines(), term.cells()
        y = next(i for i, x in enumerate(lines) if "15 SIGTERM" in x)
        x = cells(lines[y][: lines[y].index("SIGTERM")])
        first, second = drawn[y][x], drawn[y + 1][x]
        assert (first.bg, first.underscore) != (second.bg, second.underscore)


@pytest.mark.parametrize("theme", ["", "dark", "light", "ansi"])
def test_the_first_frame_has_the_colours_of_the_screen(theme: str) -> None:
    """The background of the table is the same before Textual draws and after."""
    args = ("--theme", theme) if theme else ()
    with Framed([sys.executable, "-m", "memtui", *args], 100, 30) as term:
        term.wait_for("F10 Quit")  # the end of the first frame
        early = term.cells()[20][99].bg, term.cells()[29][99].bg
        term.wait_for(lambda _: MOUSE in term.modes)
        term.send("N", "End")
        term.wait_for(on_main)
        assert term.cells()[29][99].bg == early[1]
        assert {row[0].bg for row in term.cells()} >= {early[0]}


def test_an_unknown_theme_is_one_sentence() -> None:
    with Terminal([sys.executable, "-m", "memtui", "--theme", "purple"], 80, 24) as term:
        assert term.exit_status() == 2
        said = " ".join("".join(term.lines()).split())
        assert "--theme 'purple': choose from" in said
        assert b"?1049h" not in bytes(term.raw), "the screen was not touched"


def test_a_dumb_terminal_is_told_so() -> None:
    env = {"TERM": "dumb", "COLORTERM": ""}
    with Terminal([sys.executable, "-m", "memtui"], 80, 24, env=env) as term:
        assert term.exit_status() == 2
        assert "TERM=dumb cannot place a cursor" in term.text()


def test_no_theme_is_needed_where_nothing_is_drawn() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "memtui", "ps"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
