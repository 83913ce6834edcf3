"""A real pseudo-terminal for tests: a program runs in it, pyte shows what a person would see.

    with Terminal(["htop"], 80, 24) as term:
        term.wait_for("F10Quit")
        term.send("F10")
        assert term.exit_status() == 0

Columns and rows count from 0. Queries are answered as xterm would, so that a program does not
wait for a terminal that never speaks.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyte
from pyte.screens import Char

from memtui.text import cells

Wanted = str | re.Pattern[str] | Callable[[list[str]], object]

KEYS = {
    "Enter": "\r",
    "Esc": "\x1b",
    "Tab": "\t",
    "Shift-Tab": "\x1b[Z",
    "Space": " ",
    "Backspace": "\x7f",
    "Insert": "\x1b[2~",
    "Delete": "\x1b[3~",
    "PgUp": "\x1b[5~",
    "PgDn": "\x1b[6~",
    "F1": "\x1bOP",
    "F2": "\x1bOQ",
    "F3": "\x1bOR",
    "F4": "\x1bOS",
}
KEYS |= {
    f"F{n}": f"\x1b[{code}~"
    for n, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)
}
KEYS |= {f"Ctrl-{chr(c)}": chr(c - 64) for c in range(ord("A"), ord("Z") + 1)}
ARROWS = {"Up": "A", "Down": "B", "Right": "C", "Left": "D", "Home": "H", "End": "F"}
_MODIFIER = {"Shift": "2", "Alt": "3", "Ctrl": "5"}

_INCOMPLETE = re.compile(rb"\x1b(?:\[[0-9;:?<>=!$ ]*|[\]P_^][^\x07\x1b]*\x1b?|[()#%]?)$")
_SPECIAL = re.compile(  # what pyte would misread, and questions to the terminal
    rb"\x1b\[[<>=?][0-9;:]*(?:[a-gi-km-zA-Z]|\$[a-z])"
    rb"|\x1b\[[0-9;]*(?:\$[a-z]|[cnt]| q)"
    rb"|\x1b[\]P_^][^\x07\x1b]*(?:\x07|\x1b\\)"
    rb"|\x1b\[[0-9;]*:[0-9;:]*m"
    rb"|\x1b[=>]"
)
_ALTERNATE = 1049
_MOST = 1 << 18  # bytes that are taken before anybody looks at the screen


class Screen(pyte.Screen):
    """pyte's screen with the alternate buffer and a record of the private modes that are on."""

    def __init__(self, cols: int, rows: int) -> None:
        self.on: set[int] = set()
        self._main: Any = None
        super().__init__(cols, rows)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        """Switch modes on; 1049 keeps the main screen aside."""
        if kwargs.get("private"):
            if _ALTERNATE in modes and _ALTERNATE not in self.on:
                self._main = copy.deepcopy((self.buffer, self.cursor))
                self.erase_in_display(2)
            self.on.update(modes)
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        """Switch modes off; 1049 brings the main screen back."""
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private"):
            if _ALTERNATE in modes and _ALTERNATE in self.on and self._main is not None:
                self.buffer, self.cursor = self._main
                self.dirty.update(range(self.lines))
            self.on.difference_update(modes)


def _text(row: Mapping[int, Char], width: int) -> str:
    """A row as text; pyte's own way fails on a wide character whose first cell was drawn over."""
    out, wide = "", False
    for x in range(width):
        data = row[x].data
        if not wide or data:
            out += data or " "
        wide = bool(data) and cells(data[0]) == 2
    return out


class Terminal:
    """A program in its own session on a pseudo-terminal of `cols` x `rows` cells."""

    def __init__(
        self,
        argv: Sequence[str],
        cols: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.screen = Screen(cols, rows)
        self.title = ""
        self.raw = bytearray()  # everything that was written, for tests of the bytes themselves
        self._stream = pyte.ByteStream(self.screen)
        self._rest = b""
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._master, slave = os.openpty()
        self._size(cols, rows)
        # Opening the terminal as a session leader makes it the controlling one.
        enter = 'tty=$1; shift; exec "$@" 0<>"$tty" 1>&0 2>&0'
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", enter, "sh", os.ttyname(slave), *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(env or {}),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The program's PID (the shell that opened the terminal became it)."""
        return self.process.pid

    @property
    def modes(self) -> set[int]:
        """The private modes that are on: 1049 alternate screen, 1000/1006 mouse, 25 cursor."""
        with self._changed:
            return set(self.screen.on)

    def lines(self) -> list[str]:
        """The screen as text, one string a row, without spaces at the end."""
        with self._changed:
            return self._lines()

    def text(self) -> str:
        """The screen as one string."""
        return "\n".join(self.lines())

    def cells(self) -> list[list[Char]]:
        """Every cell with its colours; the cell after a wide character holds no text."""
        with self._changed:
            width = self.screen.columns
            buffer = self.screen.buffer
            return [[buffer[y][x] for x in range(width)] for y in range(self.screen.lines)]

    def _lines(self) -> list[str]:
        buffer, width = self.screen.buffer, self.screen.columns
        return [_text(buffer[y], width).rstrip() for y in range(self.screen.lines)]

    # What a person does

    def send(self, *keys: str) -> None:
        """Press keys: names ("F9", "Up", "Esc", "Ctrl-C", "Shift-Up"), else text as it is."""
        for key in keys:
            self.type(self._sequence(key))

    def type(self, text: str) -> None:
        """Type `text` as it is, whatever key it may be named like."""
        data = text.encode()
        while data:
            data = data[os.write(self._master, data) :]

    def _sequence(self, key: str) -> str:
        if key in KEYS:
            return KEYS[key]
        modifier, _, base = key.rpartition("-")
        if base in ARROWS and not modifier:
            return ("\x1bO" if 1 in self.modes else "\x1b[") + ARROWS[base]
        if base in ARROWS and modifier in _MODIFIER:
            return f"\x1b[1;{_MODIFIER[modifier]}{ARROWS[base]}"
        return key

    def click(self, x: int, y: int, button: int = 0) -> None:
        """Press and release a mouse button (0 left, 1 middle, 2 right) on a cell."""
        self.type(f"\x1b[<{button};{x + 1};{y + 1}M\x1b[<{button};{x + 1};{y + 1}m")

    def press(self, x: int, y: int, button: int = 0) -> None:
        """Press a mouse button on a cell, and hold it."""
        self.type(f"\x1b[<{button};{x + 1};{y + 1}M")

    def release(self, x: int, y: int, button: int = 0) -> None:
        """Let a mouse button go on a cell."""
        self.type(f"\x1b[<{button};{x + 1};{y + 1}m")

    def move(self, x: int, y: int, button: int | None = None) -> None:
        """Move the mouse to a cell, with a button held where one is given."""
        code = 35 if button is None else 32 + button
        self.type(f"\x1b[<{code};{x + 1};{y + 1}M")

    def wheel(self, x: int, y: int, down: bool = True) -> None:
        """Turn the wheel by one notch over a cell."""
        self.type(f"\x1b[<{65 if down else 64};{x + 1};{y + 1}M")

    def resize(self, cols: int, rows: int) -> None:
        """Make the window another size; the program hears of it by SIGWINCH."""
        with self._changed:
            self.screen.resize(rows, cols)
        self._size(cols, rows)

    def _size(self, cols: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, cols, cols * 8, rows * 16)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    # What a test asks

    def wait_for(self, wanted: Wanted, timeout: float = 15.0) -> list[str]:
        """Wait until text, a pattern or a condition on the lines holds; return the lines.

        Raises AssertionError with the whole screen drawn.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                if self._whole():
                    lines = self._lines()
                    if _holds(wanted, lines):
                        return lines
                left = end - time.monotonic()
                if left <= 0 or self._failure or (self._ended() and not self._thread.is_alive()):
                    raise AssertionError(self._report(wanted, self._lines()))
                self._changed.wait(min(left, 0.1))

    def _whole(self) -> bool:
        """Whether what is on the screen is worth a look."""
        return True

    def find(self, text: str) -> tuple[int, int]:
        """Return (x, y) of the first cell of `text`, for a click. Raises AssertionError."""
        for y, line in enumerate(self.lines()):
            if text in line:
                return cells(line[: line.index(text)]), y
        raise AssertionError(self._report(text, self.lines()))

    def exit_status(self, timeout: float = 15.0) -> int:
        """Wait for the program's end; return its status, -N for signal N."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._report("the end of the program", self.lines())) from None
        self._thread.join(2)  # what it wrote last is on the screen now
        return status

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _report(self, wanted: Wanted, lines: list[str]) -> str:
        width = self.screen.columns
        edge = "+" + "-" * width + "+"
        drawn = "\n".join([edge, *(f"|{line:<{width}}|" for line in lines), edge])
        status = self.process.poll()
        how = "still runs" if status is None else f"ended with {status}"
        failed = f"\nthe emulator failed: {self._failure!r}" if self._failure else ""
        return f"never saw {wanted!r}; the program {how}{failed}\n{drawn}"

    # The reader

    def _read(self) -> None:
        poll = select.poll()  # select() knows no descriptor above 1023
        poll.register(self._master, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            if any(fd == self._wake for fd, _ in poll.poll()):
                return
            data, more = self._available()
            with self._changed:
                if data:
                    self._take(data)
                self._changed.notify_all()
            if not more:
                return

    def _available(self) -> tuple[bytes, bool]:
        """All that was written until now, and whether more may come: a pty gives 4 KiB a time."""
        data = bytearray()
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while len(data) < _MOST:
            try:
                part = os.read(self._master, 1 << 16)
            except OSError:  # EIO: the last one who held the terminal has gone
                return bytes(data), False
            if not part:
                return bytes(data), False
            data += part
            if not poll.poll(0):
                break
        return bytes(data), True

    def _take(self, data: bytes) -> None:
        self.raw += data
        data = self._rest + data
        if match := _INCOMPLETE.search(data):
            data, self._rest = data[: match.start()], match[0]
        else:
            self._rest = b""
        try:
            self._feed(data)
        except Exception as e:  # noqa: BLE001 - shown by wait_for, in the test's own thread
            self._failure = e

    def _feed(self, data: bytes) -> None:
        start = 0
        for match in _SPECIAL.finditer(data):
            self._stream.feed(data[start : match.start()])
            start = match.end()
            if answer := self._answer(match[0].decode("latin-1")):
                with contextlib.suppress(OSError):
                    os.write(self._master, answer.encode())
        self._stream.feed(data[start:])

    def _answer(self, said: str) -> str:
        """Return what xterm would say to `said`; nothing where it is no question."""
        cursor = self.screen.cursor
        if title := re.fullmatch(r"\x1b\][02];(.*?)(?:\x07|\x1b\\)", said, re.DOTALL):
            self.title = title[1].encode("latin-1").decode("utf-8", "replace")
        if mode := re.fullmatch(r"\x1b\[\?(\d+)\$p", said):
            number = int(mode[1])
            state = (1 if number in self.screen.on else 2) if number == 2026 else 0
            return f"\x1b[?{number};{state}$y"
        if colour := re.fullmatch(r"\x1b\](1[01]);\?(?:\x07|\x1b\\)", said):
            value = "dddd/dddd/dddd" if colour[1] == "10" else "1616/1818/1d1d"
            return f"\x1b]{colour[1]};rgb:{value}\x1b\\"
        return {
            "\x1b[c": "\x1b[?62;22c",
            "\x1b[0c": "\x1b[?62;22c",
            "\x1b[>c": "\x1b[>41;390;0c",
            "\x1b[>0c": "\x1b[>41;390;0c",
            "\x1b[>q": "\x1bP>|XTerm(390)\x1b\\",
            "\x1b[>0q": "\x1bP>|XTerm(390)\x1b\\",
            "\x1b[5n": "\x1b[0n",
            "\x1b[6n": f"\x1b[{cursor.y + 1};{cursor.x + 1}R",
            "\x1b[18t": f"\x1b[8;{self.screen.lines};{self.screen.columns}t",
        }.get(said, "")

    # The end

    def close(self) -> None:
        """End the program (TERM, then KILL), reap it and let go of the terminal."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(sig)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(3)
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Let go of the terminal, as a closed window does; the program may still run."""
        if self._master < 0:
            return
        os.write(self._stop, b"x")
        self._thread.join()
        for fd in (self._master, self._wake, self._stop):
            os.close(fd)
        self._master = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a person's terminal, with `extra` on top."""
    drop = ("COLUMNS", "LINES", "NO_COLOR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {k: v for k, v in os.environ.items() if k not in drop}
    kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    return {**kept, "LC_ALL": "C.UTF-8", **extra}


def _holds(wanted: Wanted, lines: list[str]) -> bool:
    if isinstance(wanted, str):
        return any(wanted in line for line in lines)
    if isinstance(wanted, re.Pattern):
        return wanted.search("\n".join(lines)) is not None
    return bool(wanted(lines))


@contextlib.contextmanager
def python(code: str, cols: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """A Python program in a terminal."""
    with Terminal([sys.executable, "-S", "-c", code], cols, rows) as term:
        yield term
