"""Styled lines as terminal escape sequences, for text output and the first frame."""

from __future__ import annotations

from memtui.render.palette import ANSI, Look, Palette, looks
from memtui.render.spans import Line

RESTORE = (
    "\x1b[<u\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    "\x1b[?1004l\x1b[?1049l\x1b[?25h"
)
"""Undoes what Textual's LinuxDriver asks of a terminal: kitty keys, paste, wrap, resize reports,
mouse, focus, the alternate screen, the hidden cursor."""

TRUE_COLOR, COLORS_256, COLORS_16, NO_COLOR = 24, 8, 4, 0
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_USUAL = (  # what terminals make of the sixteen, about: the eight, and the eight bright ones
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170),
    (170, 170, 170), (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255),
    (255, 85, 255), (85, 255, 255), (255, 255, 255),
)  # fmt: skip


def depth(environ: dict[str, str]) -> int:
    """Return the bits of colour that the terminal has, as Textual decides it."""
    term = environ.get("TERM", "").strip().lower()
    if environ.get("NO_COLOR") or term in ("dumb", "unknown"):
        return NO_COLOR
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return TRUE_COLOR
    return COLORS_256 if term.endswith(("-256color", "-kitty")) else COLORS_16


def _nearest_16(r: int, g: int, b: int) -> int:
    """The closest of the sixteen, by how different two colours look ("redmean")."""

    def distance(i: int) -> int:
        r2, g2, b2 = _USUAL[i]
        mean = (r + r2) // 2
        reds, blues = (512 + mean) * (r - r2) ** 2 >> 8, (767 - mean) * (b - b2) ** 2 >> 8
        return reds + 4 * (g - g2) ** 2 + blues

    return min(range(16), key=distance)


def _nearest_256(r: int, g: int, b: int) -> int:
    """The closest of the 6x6x6 cube and the 24 greys."""
    steps = (0, 95, 135, 175, 215, 255)
    cube = [min(range(6), key=lambda i: abs(steps[i] - c)) for c in (r, g, b)]
    cube_far = sum((steps[i] - c) ** 2 for i, c in zip(cube, (r, g, b), strict=True))
    grey = min(23, max(0, ((r + g + b) // 3 - 3) // 10))
    grey_far = sum((8 + 10 * grey - c) ** 2 for c in (r, g, b))
    if grey_far < cube_far:
        return 232 + grey
    return 16 + 36 * cube[0] + 6 * cube[1] + cube[2]


def _color(base: int, color: str, colors: int) -> str:
    """`base` is 38 for text, 48 for what is behind it."""
    if not color.startswith("#"):
        return _named(base, color)
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    if colors == TRUE_COLOR:
        return f"{base};2;{r};{g};{b}"
    if colors == COLORS_256:
        return f"{base};5;{_nearest_256(r, g, b)}"
    return _one_of_16(base, _nearest_16(r, g, b))


def _named(base: int, name: str) -> str:
    if name == "default":
        return str(base + 1)
    return _one_of_16(base, _NAMES.index(name.removeprefix("bright_")) + 8 * ("bright_" in name))


def _one_of_16(base: int, number: int) -> str:
    return str(base - 8 + number if number < 8 else base + 52 + number - 8)


def _sgr(look: Look, ground: Look, colors: int) -> str:
    codes = ["0"]
    if look.bold:
        codes.append("1")
    if look.reverse:
        codes.append("7")
    fg, bg = look.fg or ground.fg, look.bg or ground.bg
    if colors and fg:
        codes.append(_color(38, fg, colors))
    if colors and bg:
        codes.append(_color(48, bg, colors))
    return f"\x1b[{';'.join(codes)}m"


class Painter:
    """Turns lines into escape sequences for one palette and one depth of colour."""

    def __init__(self, palette: Palette, colors: int, filled: bool = False) -> None:
        """`filled` draws on the palette's background instead of the terminal's own.

        On that, colours made for another background would not do where there are only sixteen.
        """
        if colors == COLORS_16 and not filled:
            palette = ANSI
        ground = Look(palette.foreground, palette.background) if filled else Look()
        self._codes = {role: _sgr(look, ground, colors) for role, look in looks(palette).items()}
        self._plain = self._codes[""]

    def line(self, line: Line) -> str:
        """Return one line, style reset at its end."""
        text = "".join(self._codes[role] + text for text, role in line)
        return text + "\x1b[0m"
