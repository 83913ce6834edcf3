"""Reading memtui's screen as a person does: rows, columns, the cursor, an open dialog."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pyte.screens import Char

from memtui.text import cells
from tests.support.terminal import Terminal, Wanted

MOUSE, ALTERNATE, CURSOR, DRAWING = 1000, 1049, 25, 2026
DIALOG = re.compile(r"\b15 SIGTERM")
POOL = re.compile(
    r" \[(tmpfs|shared memory|page cache|kernel|unexplained|counted twice)\]( |…|▕|▐|$)"
)
_CELLS = itertools.cycle((20, 22))  # two clicks on the same cell could be a double click
_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Framed(Terminal):
    """A terminal that, as a good one does, shows only frames that are drawn to their end."""

    def wait_for(self, wanted: Wanted, timeout: float = 10.0) -> list[str]:
        return super().wait_for(Whole(self, wanted), timeout)

    def _whole(self) -> bool:
        return DRAWING not in self.screen.on

    def lines(self) -> list[str]:
        with self._changed:
            self._changed.wait_for(lambda: DRAWING not in self.screen.on, 2)
            return super().lines()

    def cells(self) -> list[list[Char]]:
        with self._changed:
            self._changed.wait_for(lambda: DRAWING not in self.screen.on, 2)
            return super().cells()


class Whole:
    """A condition on the screen that waits for the end of a frame."""

    def __init__(self, term: Terminal, wanted: Wanted) -> None:
        self._term = term
        self._wanted = wanted

    def __call__(self, lines: list[str]) -> bool:
        if DRAWING in self._term.screen.on:
            return False
        if callable(self._wanted):
            return bool(self._wanted(lines))
        wanted = re.escape(self._wanted) if isinstance(self._wanted, str) else self._wanted
        return re.search(wanted, "\n".join(lines)) is not None

    def __repr__(self) -> str:
        return repr(self._wanted)


class Row(NamedTuple):
    """One process as the screen shows it."""

    y: int
    cells: dict[str, str]

    @property
    def pid(self) -> int:
        return int(self.cells["PID"])


def start(
    *args: str,
    cols: int = 120,
    rows: int = 36,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Terminal:
    """memtui in a terminal, ready for keys and the mouse."""
    term = Framed([*prefix, sys.executable, "-m", "memtui", *args], cols, rows, env=env)
    try:
        term.wait_for(lambda _: MOUSE in term.modes and _stands(term))
    except BaseException:
        term.close()
        raise
    return term


def _stands(term: Terminal) -> bool:
    """Whether the screen has replaced the first frame, whose colours may be another theme's."""
    drawn = term.cells()
    lines = ["".join(c.data for c in line).rstrip() for line in drawn]
    rows = [row.y for row in table(lines)] + [
        y for y, line in enumerate(lines) if POOL.search(line)
    ]
    looks = Counter((drawn[y][0].bg, drawn[y][0].reverse) for y in rows)
    return len(looks) == 2 and 1 in looks.values()


def header(lines: list[str]) -> tuple[int, list[str]] | None:
    """Where the table's header is, and its titles without the mark of the sorted one."""
    for y, line in enumerate(lines):
        titles = [word.rstrip("▼▲…") for word in line.split()]
        if {"PID", "RES", "COMMAND"} <= set(titles):
            return y, titles
    return None


def table(lines: list[str]) -> list[Row]:
    """The rows that are visible, from the top."""
    if (found := header(lines)) is None:
        return []
    y, titles = found
    rows = []
    for at in range(y + 1, len(lines)):
        parts = lines[at].rstrip("▐▕ ").split(None, len(titles) - 1)
        shown = dict(zip(titles, parts, strict=False))
        if POOL.search(lines[at]):  # a row, but no process
            continue
        if not shown.get("PID", "").isdecimal():
            break
        rows.append(Row(at, shown))
    return rows


def column(lines: list[str], title: str) -> list[str]:
    return [row.cells[title] for row in table(lines)]


def row_of(lines: list[str], pid: int) -> Row | None:
    return next((row for row in table(lines) if row.pid == pid), None)


def amount(text: str) -> float:
    """Bytes of `9.81M`, `812K`, `1.31G`, `0`; nothing (`·`) counts as 0."""
    return float(text[:-1]) * _UNITS[text[-1]] if text[-1] in _UNITS else number(text)


def number(text: str) -> float:
    return {"·": 0.0, "?": -1.0}[text] if text in "·?" else float(text.lstrip(">"))


def seconds(text: str) -> float:
    """Seconds of `0:07.25`, `1h22m`, `3d04h`."""
    if ":" in text:
        minutes, rest = text.split(":")
        return 60 * int(minutes) + float(rest)
    return float(sum(int(n) * _SECONDS[u] for n, u in re.findall(r"(\d+)([dhms])", text)))


def sorted_by(
    title: str, value: Callable[[str], float], descending: bool
) -> Callable[[list[str]], bool]:
    """A condition on the screen: its rows stand in this order, and differ."""

    def holds(lines: list[str]) -> bool:
        values = [value(text) for text in column(lines, title)]
        return len(values) > 1 and values == sorted(values, reverse=descending)

    return holds


def cursor(term: Terminal) -> Row | None:
    """The one row that stands out by its background; None where it is scrolled away.

    None, too, while several do: before the terminal said that it can, frames are drawn bit by bit.
    """
    drawn = term.cells()
    rows = table(["".join(c.data for c in line).rstrip() for line in drawn])
    looks = {row.y: (drawn[row.y][0].bg, drawn[row.y][0].reverse) for row in rows}
    usual = Counter(looks.values()).most_common(1)[0][0] if looks else None
    other = [row for row in rows if looks[row.y] != usual]
    return other[0] if len(other) == 1 else None


def wait_cursor(term: Terminal, pid: int, seconds: float = 10.0) -> Row:
    """Wait until the cursor stands on a process."""
    term.wait_for(lambda _: (row := cursor(term)) is not None and row.pid == pid, seconds)
    row = cursor(term)
    assert row is not None
    return row


def row_wait(term: Terminal, pid: int) -> Row:
    """Wait until a process is visible."""
    found = row_of(term.wait_for(lambda lines: row_of(lines, pid)), pid)
    assert found is not None
    return found


def point_at(term: Terminal, pid: int) -> Row:
    """Click the row of a process that is visible, and wait for the cursor.

    Rows may move between the look and the click, when processes come and go.
    """
    for _ in range(4):
        term.click(next(_CELLS), row_wait(term, pid).y)
        with contextlib.suppress(AssertionError):
            return wait_cursor(term, pid, 3.0)
    term.click(next(_CELLS), row_wait(term, pid).y)
    return wait_cursor(term, pid)


def on_main(lines: list[str]) -> bool:
    """Whether nothing stands before the main screen."""
    text = "\n".join(lines)
    before = (
        "Send signal", "Esc leave", "Sort by", "Run under", "Still alive", "Enter save",
        "Show processes of", "Command line of",
    )  # fmt: skip
    return bool(table(lines)) and not any(word in text for word in before)


def as_at_first(lines: list[str]) -> bool:
    """Whether the main screen shows all processes as a list, and nothing is typed or chosen."""
    text = "\n".join(lines)
    scopes = next((line for line in lines if line.startswith("  all processes")), "?")
    there = r"all processes|by (notebook|cgroup|user|program)|my cgroup|\d+ tagged"
    words = re.sub(there, "", scopes)
    return (
        on_main(lines)
        and not words.strip()
        and not re.search(r"[├└]─|\[\+\d|PAUSED|(Search|Filter|PID|Delay):", text)
    )


def leave(term: Terminal) -> None:
    """Press Esc and wait: an Esc with a key hard on its heels would be Alt and that key.

    Something must stand before the main screen, or the wait would be none.
    """
    term.send("Esc")
    term.wait_for(on_main)


def title_x(lines: list[str], title: str) -> tuple[int, int]:
    """The cell of a column's title, for a click."""
    found = header(lines)
    assert found is not None
    line = lines[found[0]]
    match = re.search(rf"(?<!\S){re.escape(title)}(?=[▼▲…\s]|$)", line)
    assert match is not None, f"no column {title}"
    return cells(line[: match.start()]), found[0]


def dialog(lines: list[str]) -> str:
    """The kill dialog from its title to the list of signals."""
    first = next(y for y, line in enumerate(lines) if "Send signal" in line)
    last = next(y for y, line in enumerate(lines) if DIALOG.search(line))
    return "\n".join(lines[first:last])


def point_at_pool(term: Terminal, text: str) -> int:
    """Click the row of memory of no process that has this text, and wait for the cursor there.

    Return its line. A key that was sent on the heels of a click may overtake it.
    """

    def selected(lines: list[str]) -> bool:
        drawn = term.cells()
        rows = [y for y, line in enumerate(lines) if POOL.search(line)] + [
            row.y for row in table(lines)
        ]
        usual = Counter(drawn[y][0].bg for y in rows).most_common(1)[0][0] if rows else None
        return any(drawn[y][0].bg != usual for y in rows if text in lines[y])

    for wait in (3.0, 3.0, 10.0):
        lines = term.wait_for(lambda lines: any(text in line for line in lines))
        term.click(next(_CELLS) + 40, next(y for y, line in enumerate(lines) if text in line))
        with contextlib.suppress(AssertionError):
            term.wait_for(selected, wait)
            return next(y for y, line in enumerate(term.lines()) if text in line)
    raise AssertionError(f"the cursor never came to {text}")


def spot(term: Terminal, text: str) -> tuple[int, int]:
    """Wait for a text and return its first cell, for a click."""
    term.wait_for(text)
    return term.find(text)
