"""Colours that a program writes (SGR, ECMA-48 8.3.117) as roles, and what such a role looks like.

A role is `sgr FG BG FLAGS`: `-`, a number of the 256 colours or `#rrggbb`, and letters of `_FLAGS`.
Nothing else of what a program writes gets this far, so no role can act upon a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

PREFIX = "sgr "
_FLAGS = {1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s"}  # blinking and hiding are left out
_OFF = {22: "bd", 23: "i", 24: "u", 27: "r", 29: "s"}
_STEPS = (0, 95, 135, 175, 215, 255)  # of the 6x6x6 colours, as xterm has them


class Pen(NamedTuple):
    """How the next characters are written."""

    fg: str = "-"
    bg: str = "-"
    flags: str = ""

    @property
    def role(self) -> str:
        """The role of text that it writes."""
        return f"{PREFIX}{self.fg} {self.bg} {self.flags}" if self != _PLAIN else ""


_PLAIN = Pen()


class Ink(NamedTuple):
    """A role taken apart. Colours: None for the usual one, 0 to 15, or `#rrggbb`."""

    fg: int | str | None
    bg: int | str | None
    bold: bool
    dim: bool
    italic: bool
    underline: bool
    reverse: bool
    strike: bool


def _color(word: str) -> int | str | None:
    if word == "-" or word.startswith("#"):
        return None if word == "-" else word
    n = int(word)
    if n < 16:
        return n
    if n >= 232:
        level = 8 + 10 * (n - 232)
        return f"#{level:02x}{level:02x}{level:02x}"
    n -= 16
    r, g, b = (_STEPS[i] for i in (n // 36, n // 6 % 6, n % 6))
    return f"#{r:02x}{g:02x}{b:02x}"


def ink_of(role: str) -> Ink:
    """Return what a role of ours says."""
    fg, bg, flags = role.removeprefix(PREFIX).split(" ")
    return Ink(_color(fg), _color(bg), *(f in flags for f in "bdiurs"))


def _numbers(text: str) -> Iterator[int]:
    for word in text.replace(":", ";").split(";"):
        yield int(word) if word.isdecimal() and len(word) < 4 else 0


def _extended(rest: Iterator[int]) -> str:
    """Take `5;N` or `2;R;G;B` from the numbers behind 38 or 48; `-` where it makes no sense."""
    kind = next(rest, 0)
    if kind == 5:
        n = next(rest, 0)
        return str(n) if n < 256 else "-"
    if kind != 2:
        return "-"
    r, g, b = (min(255, next(rest, 0)) for _ in range(3))
    return f"#{r:02x}{g:02x}{b:02x}"


def _simple(pen: Pen, n: int) -> Pen:
    if n in _FLAGS:
        return pen._replace(flags="".join(sorted({*pen.flags, _FLAGS[n]})))
    if n in _OFF:
        return pen._replace(flags="".join(f for f in pen.flags if f not in _OFF[n]))
    tens, ones = divmod(n, 10)
    if tens in (3, 9, 4, 10) and (ones < 8 or (ones == 9 and tens < 9)):
        color = "-" if ones == 9 else str(ones + (8 if tens in (9, 10) else 0))
        return pen._replace(fg=color) if tens in (3, 9) else pen._replace(bg=color)
    return _PLAIN if n == 0 else pen


def changed(pen: Pen, parameters: str) -> Pen:
    """Return the pen after `ESC [ parameters m`; what is not known changes nothing."""
    numbers = _numbers(parameters)
    for n in numbers:
        if n in (38, 48):
            color = _extended(numbers)
            pen = pen._replace(fg=color) if n == 38 else pen._replace(bg=color)
        else:
            pen = _simple(pen, n)
    return pen
