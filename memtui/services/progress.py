"""A live line about a command that has the terminal, in the terminal's last line.

The command's output scrolls above it: the terminal is told to scroll all but its last line, as
apt does. A program that reads single keys (an editor, a pager) has the screen to itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable

from memtui.render.ansi import Painter, depth
from memtui.render.palette import DARK
from memtui.render.progress import State, plain_line, progress_line
from memtui.render.spans import fitted, width_of

_PAUSE_S = 0.2
_SETTLE_S = 1.0  # after a program read single keys: it may do so again at once
_FIRST_LOG_S, _LAST_LOG_S = 1.0, 60.0
_LEAST_ROWS, _LEAST_COLUMNS = 4, 20


class LogProgress:
    """Lines for a log: after 1, 2, 4 … seconds, at last one a minute."""

    def __init__(self, fd: int, state: Callable[[], State]) -> None:
        self._fd, self._state = fd, state
        self._pause = _FIRST_LOG_S
        self._due = time.monotonic() + self._pause

    @property
    def pause_s(self) -> float:
        """In how many seconds to look again."""
        return max(0.0, self._due - time.monotonic())

    def look(self) -> None:
        """Write a line when it is time."""
        if time.monotonic() >= self._due:
            self._pause = min(2 * self._pause, _LAST_LOG_S)
            self._due = time.monotonic() + self._pause
            if _has_room(self._fd):
                _write(self._fd, f"memtui: {plain_line(self._state())}\n")

    def hide(self) -> None:
        """Do nothing: what is written stays."""


class LineProgress:
    """The last line of the terminal at `fd`, drawn anew a few times a second."""

    def __init__(self, fd: int, state: Callable[[], State]) -> None:
        self._fd, self._state = fd, state
        self._painter = Painter(DARK, depth(dict(os.environ)))
        self._rows = 0  # of the terminal, while its last line is ours
        self._due = time.monotonic() + _PAUSE_S

    @property
    def pause_s(self) -> float:
        """In how many seconds to look again."""
        return max(0.0, self._due - time.monotonic())

    def look(self) -> None:
        """Draw the line when it is time, where the terminal is ours to draw on."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _PAUSE_S
        if not (_in_foreground(self._fd) and _has_room(self._fd)):
            return
        if _reads_keys(self._fd):
            self._due = now + _SETTLE_S
            self._leave()
            return
        self._draw()

    def hide(self) -> None:
        """Take the line away, and give the terminal its last line back."""
        if self._rows:
            text = f"\x1b7\x1b[r\x1b[{self._rows};1H\x1b[2K\x1b8"
            self._rows = 0
            _write(self._fd, text)

    def _leave(self) -> None:
        """Give the whole terminal to a program that draws on it."""
        if self._rows:
            self._rows = 0
            _write(self._fd, "\x1b7\x1b[r\x1b8")

    def _draw(self) -> None:
        try:
            columns, rows = os.get_terminal_size(self._fd)
        except OSError:
            return None
        if rows < _LEAST_ROWS or columns < _LEAST_COLUMNS:
            return self.hide()
        text = "" if rows == self._rows else self._take(rows)
        line = progress_line(self._state(), columns)
        shown = self._painter.line(fitted(line, min(width_of(line), columns - 1)))
        _write(self._fd, f"{text}\x1b7\x1b[{rows};1H{shown}\x1b[K\x1b8")
        return None

    def _take(self, rows: int) -> str:
        """Make room below the cursor, and let all lines but the last scroll.

        After a change of size the old line is somewhere below the cursor: terminals differ.
        """
        before = "" if not self._rows else "\x1b7\x1b[r\x1b8\x1b[J"
        self._rows = rows
        return f"{before}\x1bD\x1b[1A\x1b7\x1b[1;{rows - 1}r\x1b8"


Progress = LogProgress | LineProgress


def open_progress(fd: int, asked: int, state: Callable[[], State]) -> Progress | None:
    """Return what tells of a command on `fd`: asked once on a terminal only, twice anywhere."""
    if asked and os.isatty(fd) and os.environ.get("TERM", "dumb") != "dumb":
        return LineProgress(fd, state)
    return LogProgress(fd, state) if asked > 1 else None


def _write(fd: int, text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that went away
        os.write(fd, text.encode())


def _has_room(fd: int) -> bool:
    """Whether a write would not wait: Ctrl-S must not hold up who guards a limit."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))


def _in_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _reads_keys(fd: int) -> bool:
    """Whether a program reads single keys there, not lines."""
    try:
        return not termios.tcgetattr(fd)[3] & termios.ICANON
    except termios.error:
        return False
