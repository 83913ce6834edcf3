"""Characters that must join from cell to cell, as SVG shapes: blocks, shades, braille, boxes.

A font leaves hairlines between such cells. Coordinates are pixels; a cell is `W` x `H`, both
multiples of what eighths, quadrants, dots and hatches need.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

W, H = 12, 24
_MID_X, _MID_Y = W // 2, H // 2
_LIGHT, _HEAVY = 2, 4
_ARMS = {
    "LEFT": "L",
    "RIGHT": "R",
    "UP": "U",
    "DOWN": "D",
    "HORIZONTAL": "LR",
    "VERTICAL": "UD",
}
_WEIGHTS = {"LIGHT": _LIGHT, "HEAVY": _HEAVY}
_DASHES = {"DOUBLE": 2, "TRIPLE": 3, "QUADRUPLE": 4}
_QUADRANTS = dict(  # bits: upper left 1, upper right 2, lower left 4, lower right 8
    zip("▖▗▘▙▚▛▜▝▞▟", (4, 8, 1, 13, 9, 7, 11, 2, 6, 14), strict=True)
)
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # braille bit to x, y


def drawn(char: str, x: int, y: int) -> str | None:
    """Return the shapes of `char` in the cell at pixel (x, y), or None: the font draws it.

    Shapes take their colour from the group around them.
    """
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:
        return "".join(_braille(code - 0x2800, x, y))
    if 0x2580 <= code <= 0x259F:
        return "".join(_block(char, code, x, y))
    if 0x2500 <= code <= 0x257F:
        return _box(char, x, y)
    return None


def rect(x: float, y: float, width: float, height: float, more: str = "") -> str:
    """Return one SVG rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{more}/>'


def _braille(bits: int, x: int, y: int) -> Iterator[str]:
    for i, (column, row) in enumerate(_DOTS):
        if bits >> i & 1:
            yield f'<circle cx="{x + 3 + 6 * column}" cy="{y + 3 + 6 * row}" r="2.2"/>'


def _block(char: str, code: int, x: int, y: int) -> Iterator[str]:
    if char in _QUADRANTS:
        for bit in range(4):
            if _QUADRANTS[char] >> bit & 1:
                yield rect(x + bit % 2 * _MID_X, y + bit // 2 * _MID_Y, _MID_X, _MID_Y)
    elif char in "░▒▓":
        yield _path(_shade("░▒▓".index(char), x, y))
    elif char == "▀":
        yield rect(x, y, W, _MID_Y)
    elif char == "▐":
        yield rect(x + _MID_X, y, _MID_X, H)
    elif char == "▔":
        yield rect(x, y, W, H / 8)
    elif char == "▕":
        yield rect(x + W * 7 / 8, y, W / 8, H)
    elif code <= 0x2588:
        height = H * (code - 0x2580) / 8
        yield rect(x, y + H - height, W, height)
    else:
        yield rect(x, y, W * (0x2590 - code) / 8, H)


def _shade(density: int, x: int, y: int) -> Iterator[str]:
    """Squares of 2 px on a grid of 4 px: one, two or three of the four places are filled."""
    places = ((0, 0), (2, 2), (2, 0))[: density + 1]
    for top in range(y, y + H, 4):
        for left in range(x, x + W, 4):
            for dx, dy in places:
                yield f"M{left + dx} {top + dy}h2v2h-2z"


def _path(parts: Iterator[str]) -> str:
    return f'<path d="{"".join(parts)}"/>'


def arms(char: str) -> dict[str, int] | None:
    """Return the line widths (px) of the arms L, R, U, D of a box character, from its name.

    None for double lines and diagonals, which the font draws.
    """
    words = unicodedata.name(char).removeprefix("BOX DRAWINGS ").split(" AND ")
    found: dict[str, int] = {}
    weight = 0
    for part in (p.split() for p in words):
        if "DASH" not in part and {"DOUBLE", "SINGLE", "DIAGONAL"} & set(part):
            return None
        weight = next((_WEIGHTS[w] for w in part if w in _WEIGHTS), weight)
        for word in part:
            found |= dict.fromkeys(_ARMS.get(word, ""), weight)
    return found


def _box(char: str, x: int, y: int) -> str | None:
    found = arms(char)
    if found is None:
        return None
    name = unicodedata.name(char)
    if " ARC " in name:
        return _arc(found, x, y)
    if " DASH " in name:
        return "".join(_dashes(found, _DASHES[name.split()[3]], x, y))
    return "".join(_arm(side, width, max(found.values()), x, y) for side, width in found.items())


def _arm(side: str, width: int, joint: int, x: int, y: int) -> str:
    """Draw from the edge of the cell to just past its middle, where the arms overlap."""
    half, reach = width / 2, joint / 2
    if side in "LR":
        start = x if side == "L" else x + _MID_X - reach
        return rect(start, y + _MID_Y - half, _MID_X + reach, width)
    start = y if side == "U" else y + _MID_Y - reach
    return rect(x + _MID_X - half, start, width, _MID_Y + reach)


def _dashes(found: dict[str, int], count: int, x: int, y: int) -> Iterator[str]:
    width = next(iter(found.values()))
    for i in range(count):
        if "L" in found:
            step = W / count
            yield rect(x + (i + 0.2) * step, y + _MID_Y - width / 2, step * 0.6, width)
        else:
            step = H / count
            yield rect(x + _MID_X - width / 2, y + (i + 0.2) * step, width, step * 0.6)


def _arc(found: dict[str, int], x: int, y: int) -> str:
    """Draw a rounded corner: in from one edge, round by half a cell's width, out by the other."""
    across, down = (1 if "R" in found else -1), (1 if "D" in found else -1)
    mid_x, mid_y = x + _MID_X, y + _MID_Y
    return (
        f'<path d="M{mid_x + across * _MID_X} {mid_y}Q{mid_x} {mid_y} {mid_x} {mid_y + down * 6}'
        f'V{mid_y + down * _MID_Y}" fill="none" stroke="currentColor" stroke-width="{_LIGHT}"/>'
    )
