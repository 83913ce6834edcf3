"""What a command wrote, as a terminal would have left it: colours kept, all else made harmless.

Carriage returns, backspaces and the cursor movements of progress bars act within the last lines;
everything that could do more (titles, queries, the clipboard, modes) is dropped. No clock, no I/O.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from itertools import groupby
from operator import itemgetter

from memtui.render.sgr import Pen, changed
from memtui.render.spans import Line
from memtui.text import cells, safe

KEPT_LINES, KEPT = 2000, 256 << 10
"""How many lines are kept, and how many characters of them at most."""
_WIDEST = 4096  # cells of one line
_MARKS = 8  # marks on one character
_LIVE = 50  # last lines, in which a cursor can move
_UNFINISHED = 512  # characters of a sequence that may still be completed

_TOKEN = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
    r"|[\r\n\b\t]"
    r"|[^\x1b\r\n\b\t]+"
    r"|\x1b"
)
_OPEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")

_Cell = tuple[str, str]
"""A character and its role; behind a wide character stands one without a character."""
_first, _second = itemgetter(0), itemgetter(1)


class Transcript:
    """Lines of styled text, the last of them; bounded whatever is fed."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._done: deque[Line] = deque()
        self._size = 0  # characters in `_done`
        self._live: list[list[_Cell]] = [[]]
        self._y = self._x = 0
        self._pen = Pen()
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Take what was written next."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        if (found := _OPEN.search(text)) and len(found[0]) < _UNFINISHED:
            text, self._rest = text[: found.start()], found[0]
        for token in _TOKEN.finditer(text):
            self._take(token)

    def skip(self, words: str) -> None:
        """Say in a line of its own that something is left out here, and begin anew."""
        self._decoder.reset()
        self._rest, self._pen = "", Pen()
        self._new_screen()
        self._live[self._y] = [(c, "muted") for c in safe(words)]
        self._newline()

    def lines(self, most: int = KEPT_LINES) -> list[Line]:
        """Return the last lines; one that is still being written counts once it has text."""
        live = [_joined(row) for row in self._live]
        while live and not live[-1]:
            live.pop()
        older = most - len(live)
        if older <= 0:
            return live[-most:] if most > 0 else []
        return [*list(self._done)[-older:], *live]

    # -- what each token does

    def _take(self, token: re.Match[str]) -> None:
        text, final = token[0], token[2]
        if final == "m":
            self._pen = changed(self._pen, token[1])
        elif final:
            self._move(final, token[1])
        elif text == "\n":
            self._newline()
        elif text == "\r":
            self._x = 0
        elif text == "\b":
            self._x = max(0, self._x - 1)
        elif text == "\t":
            self._write(" " * (8 - self._x % 8))
        elif not text.startswith("\x1b") or text == "\x1b":
            self._write(safe(text))

    def _move(self, final: str, parameters: str) -> None:
        first = parameters.partition(";")[0]
        n = min(int(first), _WIDEST) if first.isdecimal() and len(first) < 6 else 0
        by = max(1, n)
        if final in "AF":
            self._y = max(0, self._y - by)
        elif final in "BE":
            self._y = min(len(self._live) - 1, self._y + by)
        elif final in "CDG":
            to = {"C": self._x + by, "D": self._x - by, "G": by - 1}[final]
            self._x = min(max(0, to), _WIDEST)
        elif final == "K":
            self._erase(n)
        elif final == "J" and n == 0:
            self._erase(0)
            del self._live[self._y + 1 :]
        elif final in "JHf":
            self._new_screen()
        if final in "EF":
            self._x = 0

    def _erase(self, how: int) -> None:
        """Erase to the end of the line, from its beginning (1), or all of it (2)."""
        row = self._live[self._y]
        if how == 1:
            row[: self._x + 1] = [(" ", "")] * min(len(row), self._x + 1)
        else:
            del row[self._x if how == 0 else 0 :]

    def _new_screen(self) -> None:
        """Begin below everything: what was there is kept, a terminal would have cleared it."""
        self._y = len(self._live) - 1
        if self._live[self._y]:
            self._newline()
        self._x = 0

    def _newline(self) -> None:
        self._x = 0
        self._y += 1
        if self._y < len(self._live):
            return
        self._live.append([])
        if len(self._live) > _LIVE:
            self._keep(_joined(self._live.pop(0)))
            self._y -= 1

    def _keep(self, line: Line) -> None:
        self._done.append(line)
        self._size += _length(line)
        while len(self._done) > KEPT_LINES - _LIVE or self._size > KEPT:
            self._size -= _length(self._done.popleft())

    def _write(self, text: str) -> None:
        row, role = self._live[self._y], self._pen.role
        made = [(c, role) for c in text] if text.isascii() else _cells(text, role, row, self._x)
        made = made[: max(0, _WIDEST - self._x)]
        if self._x > len(row):
            row += [(" ", "")] * (self._x - len(row))
        if self._x < len(row):
            _unwiden(row, self._x)
            _unwiden(row, self._x + len(made))
        row[self._x : self._x + len(made)] = made
        self._x += len(made)


def _cells(text: str, role: str, row: list[_Cell], x: int) -> list[_Cell]:
    """Lay text out in cells; a mark without width joins the character before it, also in `row`."""
    out: list[_Cell] = []
    for char in text:
        width = cells(char)
        if width == 0:
            _join(*((out, len(out)) if out else (row, x)), char)
            continue
        out.append((char, role))
        if width == 2:
            out.append(("", role))
    return out


def _join(row: list[_Cell], x: int, mark: str) -> None:
    at = next((i for i in range(min(x, len(row)) - 1, -1, -1) if row[i][0]), None)
    if at is not None and len(row[at][0]) < _MARKS:
        row[at] = (row[at][0] + mark, row[at][1])


def _unwiden(row: list[_Cell], x: int) -> None:
    """Let a wide character that is about to lose one half be two blanks."""
    if 0 < x < len(row) and not row[x][0]:
        row[x - 1] = row[x] = (" ", row[x][1])


def _joined(row: list[_Cell]) -> Line:
    """Cells as spans; blanks at the end that nobody can see are left out."""
    line = [("".join(map(_first, run)), role) for role, run in groupby(row, _second)]
    if line and not line[-1][1]:
        line[-1] = (line[-1][0].rstrip(" "), "")
        if not line[-1][0]:
            line.pop()
    return line


def _length(line: Line) -> int:
    return 1 + sum(len(text) for text, _ in line)
