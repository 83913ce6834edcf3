"""Pages, the key bar, other sizes, no colour: everything reachable by key and by mouse."""

from __future__ import annotations

import re

import pytest
from textual.binding import Binding

from memtui.model.fields import FIELDS
from memtui.text import cells
from memtui.tui.screens.main import MainScreen
from tests.support.limited import MEMTUI
from tests.support.terminal import Terminal
from tests.tui.reading import (
    amount,
    cursor,
    header,
    leave,
    on_main,
    sorted_by,
    start,
    table,
)

PAGES = [
    ("F1", "invert the order"),
    ("h", "invert the order"),
    ("?", "invert the order"),
    ("g", "(quota|memory) by part"),
    ("o", "OOM kill"),
    ("i", "our own first"),
]
SPELLED = {
    "question_mark": "?", "comma": ",", "full_stop": ".", "up": "↑", "down": "↓", "left": "←",
    "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End",
    "space": "Space", "slash": "/", "backslash": "\\", "plus": "+", "minus": "-",
    "equals_sign": "=", "asterisk": "*", "ampersand": "&", "circumflex_accent": "^",
    "dollar_sign": "$", "number_sign": "#", "underscore": "_", "exclamation_mark": "!",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{",
    "right_curly_bracket": "}", "tab": "Tab", "backspace": "Backspace", "escape": "Esc",
    "enter": "Enter", "f15": "Shift-F3", "f18": "Shift-F6", "f19": "Shift-F7", "f20": "Shift-F8",
}  # fmt: skip


def spelled(key: str) -> str:
    """A key as keyboards write it."""
    modifier, plus, letter = key.partition("+")
    if plus:
        name = spelled(letter)
        capital = modifier == "ctrl" and name == letter
        return f"{modifier.capitalize()}-{name.upper() if capital else name}"
    if key not in SPELLED and re.fullmatch(r"f\d+", key):
        return key.upper()
    return SPELLED.get(key, key)


@pytest.mark.parametrize(("key", "words"), PAGES)
def test_page_opens_and_esc_returns(term: Terminal, key: str, words: str) -> None:
    term.send(key)
    term.wait_for(lambda lines: re.search(words, "\n".join(lines)) and not on_main(lines))
    leave(term)


@pytest.mark.parametrize("key", ["q", "F10", "Enter"])
def test_other_keys_leave_a_page_without_ending_memtui(term: Terminal, key: str) -> None:
    term.send("i")
    term.wait_for("our own first")
    term.send(key)
    term.wait_for(on_main)
    assert term.process.poll() is None


def test_help_lists_every_key_and_what_it_does() -> None:
    with start(rows=160) as term:
        term.send("F1")
        lines = term.wait_for("Columns")
        bindings = [b for b in MainScreen.BINDINGS if isinstance(b, Binding)]
        assert len(bindings) > 20
        for binding in bindings:
            keys = [spelled(key) for key in binding.key.split(",")]
            found = [
                line
                for line in lines
                if binding.description in line and set(keys) <= set(line.split())
            ]
            assert found, f"{keys} {binding.description}"


def test_help_explains_every_column() -> None:
    with start(cols=124, rows=160) as term:
        term.send("F1")
        lines = term.wait_for("command line; the program's name", 30)
        for field in FIELDS:
            told = (line for line in lines if field.title in line.split())
            assert any(field.help in line for line in told), field.title


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Help", "invert the order"),
        ("Sort", "Sort by"),
        ("Kill", "15 SIGTERM"),
        ("Run", "Run under"),
        ("Charts", "by part"),
        ("OOM", "OOM kill"),
        ("Limits", "our own first"),
    ],
)
def test_key_bar_is_clickable(term: Terminal, label: str, words: str) -> None:
    y = term.screen.lines - 1
    term.wait_for(lambda lines: on_main(lines) and label in lines[y])
    term.click(term.lines()[y].index(label), y)
    term.wait_for(lambda lines: words in "\n".join(lines) and not on_main(lines))
    leave(term)


def test_click_on_quit_ends_memtui() -> None:
    with start() as term:
        y = term.screen.lines - 1
        term.wait_for(lambda lines: "Quit" in lines[y])
        term.click(term.lines()[y].index("Quit"), y)
        assert term.exit_status() == 0


def test_charts_name_the_parts_and_the_biggest(term: Terminal) -> None:
    term.send("g")
    lines = term.wait_for(lambda lines: "by part" in str(lines) and not on_main(lines))
    text = "\n".join(lines)
    for part in ("anon", "kernel", "cache"):
        assert part in text
    term.wait_for(re.compile(r"biggest by RES .*━ \S.* \d+ "))
    leave(term)


@pytest.mark.parametrize(("cols", "rows"), [(80, 24), (40, 10), (60, 12), (200, 60), (200, 11)])
def test_every_size_shows_limit_rows_and_cursor(cols: int, rows: int) -> None:
    with start("--sort", "pid", cols=cols, rows=rows) as term:
        lines = term.wait_for(lambda lines: cursor(term) and len(table(lines)) > 3)
        term.wait_for(re.compile(r"memory .*[\d.]+[KMG] */ *[\d.]+[MGT]"))
        assert all(cells(line) <= cols for line in lines)
        term.send("Down", "Down")
        third = table(lines)[2].y
        term.wait_for(lambda _: (row := cursor(term)) is not None and row.y == third)


def test_resizing_keeps_everything_and_says_what_is_too_small() -> None:
    with start("--sort", "pid") as term:
        term.send("Down")
        wide = header(term.lines())
        for cols, rows in ((80, 24), (40, 10)):
            term.resize(cols, rows)
            term.wait_for(
                lambda lines, rows=rows: (  # type: ignore[misc]
                    len(lines) == rows and len(table(lines)) > 3 and cursor(term) is not None
                )
            )
        assert {"PID", "RES", "COMMAND"} <= set((header(term.lines()) or (0, []))[1])
        term.resize(30, 5)
        term.wait_for("40x10")
        term.send("M")
        term.resize(120, 36)
        lines = term.wait_for(lambda lines: len(table(lines)) > 10 and "40x10" not in str(lines))
        assert (header(lines) or (0, []))[1] == (wide or (0, []))[1]
        term.wait_for(sorted_by("RES", amount, True))


def test_started_too_small_it_says_so_and_grows() -> None:
    with Terminal(MEMTUI, 30, 5) as term:
        term.wait_for("40x10")
        term.resize(80, 24)
        term.wait_for(lambda lines: len(table(lines)) > 3)
        term.send("q")
        assert term.exit_status() == 0


def test_too_small_for_a_dialog_is_no_crash() -> None:
    with start(cols=40, rows=10) as term:
        for key in ("k", "r", "F6", "F1", "g", "o", "i"):
            term.send(key)
            term.wait_for(lambda lines: not on_main(lines))
            leave(term)
        term.send("q")
        assert term.exit_status() == 0


def grey(colour: str) -> bool:
    """Whether a cell's colour is the terminal's own, or no colour at all."""
    return colour == "default" or (
        len(colour) == 6 and len({colour[:2], colour[2:4], colour[4:]}) == 1
    )


def test_no_color_shows_none_and_still_the_cursor() -> None:
    with start(env={"NO_COLOR": "1"}) as term:
        for key in ("M", "k", "Esc", "F6", "Esc", "i", "Esc"):
            term.send(key)
            term.wait_for(on_main if key in ("M", "Esc") else lambda lines: not on_main(lines))
            seen = {c for line in term.cells() for cell in line for c in (cell.fg, cell.bg)}
            assert {c for c in seen if not grey(c)} == set(), key
        term.wait_for(lambda _: cursor(term) is not None)


@pytest.mark.parametrize("theme", ["memtui-light", "textual-light", "nord", "ansi-dark"])
def test_themes_keep_the_table_readable(theme: str) -> None:
    with start("--theme", theme) as term:
        term.wait_for(lambda _: cursor(term) is not None)
        row = cursor(term)
        assert row is not None
        shown = term.cells()[row.y]
        assert all(
            cell.fg != cell.bg or cell.fg == "default" for cell in shown if cell.data.strip()
        )


def entries(lines: list[str]) -> list[str]:
    """The lines of help below its headings."""
    return [line for line in lines[1:-1] if line.startswith("   ")]


def test_help_can_be_searched(term: Terminal) -> None:
    term.send("F1")
    term.wait_for("keys, columns, colours")
    term.send("/")
    term.wait_for("find")
    term.type("smaps_rollup")
    term.wait_for(lambda lines: (rows := entries(lines)) and all("smaps_rollup" in r for r in rows))
    assert len(entries(term.lines())) > 2  # PSS, USS, SWAP
    term.send("Enter")
    term.wait_for("Esc all, not only 'smaps_rollup'")
    term.send("Esc")
    term.wait_for("one process up")
    term.send("/")
    term.type("no such word: q")
    term.wait_for("nothing here holds")
    term.send("Esc")
    term.wait_for("one process up")
    term.send("q")
    term.wait_for(on_main)
