"""A picture of what a terminal shows: every cell on an exact grid, as SVG, then as PNG.

Text comes from Fira Code, with DejaVu Sans Mono for what it lacks; characters that join cells
are shapes of our own (`glyphs`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from pyte.screens import Char

from tools.glyphs import H, W, drawn, rect

GROUND, INK = "16181d", "d5d9e0"
_NAMED = {
    "black": "2b2f37",
    "red": "d9485f",
    "green": "5fae6b",
    "brown": "d9a93f",  # pyte's word for the yellow of the eight
    "blue": "4a8fd0",
    "magenta": "a874c9",
    "cyan": "4fa9b5",
    "white": "c6cad2",
    "brightblack": "6b7280",
    "brightred": "f0566a",
    "brightgreen": "7fd08c",
    "brightbrown": "f2c14e",
    "brightblue": "5aa9e6",
    "brightmagenta": "c792ea",
    "bfightmagenta": "c792ea",  # as pyte 0.8.2 spells it
    "brightcyan": "6fd3e0",
    "brightwhite": "ffffff",
}
_PAD, _BAR, _RADIUS, _BASELINE, _SIZE = 12, 40, 12, 18, 20
_FONT_ROOTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_FONTS = (
    "FiraCode-Regular",
    "FiraCode-Bold",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSans",
)

Rows = Sequence[Sequence[Char]]


class Look(NamedTuple):
    """How a cell is drawn; colours are six hex digits."""

    ink: str
    ground: str
    bold: bool
    italic: bool
    underline: bool
    strike: bool


class FontsMissingError(RuntimeError):
    """No font for the text; the message says what to install."""


def render_png(rows: Rows, path: Path, title: str = "") -> None:
    """Write the picture of a screen as PNG. Raises FontsMissingError or OSError."""
    import resvg_py

    svg = render_svg(rows, title)
    fonts = find_fonts()
    data = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_files=fonts)
    path.write_bytes(bytes(data))


def find_fonts() -> list[str]:
    """Return the font files on this machine. Raises FontsMissingError."""
    roots = [Path(root).expanduser() for root in _FONT_ROOTS]
    found = {p.stem: str(p) for root in roots for p in root.rglob("*.ttf") if p.stem in _FONTS}
    missing = [name for name in ("FiraCode-Regular", "DejaVuSansMono") if name not in found]
    if missing:
        raise FontsMissingError(
            f"no font file {' or '.join(missing)}.ttf: install the fonts Fira Code and DejaVu "
            "(on Debian: fonts-firacode and fonts-dejavu-core)"
        )
    return [found[name] for name in _FONTS if name in found]


def render_svg(rows: Rows, title: str = "") -> str:
    """Return the picture of a screen as SVG: a window with a title bar and the cells."""
    width = len(rows[0]) * W + 2 * _PAD
    height = len(rows) * H + _BAR + _PAD
    looks = [[look(cell) for cell in row] for row in rows]
    ground = Counter(each.ground for row in looks for each in row).most_common(1)[0][0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        *_window(width, height, ground, title),
        f'<g transform="translate({_PAD} {_BAR})" font-family="Fira Code, DejaVu Sans Mono" '
        f'font-size="{_SIZE}">',
    ]
    for y, (row, line) in enumerate(zip(rows, looks, strict=True)):
        parts += _backgrounds(line, y * H, ground)
        parts += _foregrounds(row, line, y * H)
    return "".join([*parts, "</g></svg>"])


def look(cell: Char) -> Look:
    """Return the colours and faces of a cell, reverse video resolved."""
    ink, ground = _colour(cell.fg, INK), _colour(cell.bg, GROUND)
    if cell.reverse:
        ink, ground = ground, ink
    return Look(ink, ground, cell.bold, cell.italics, cell.underscore, cell.strikethrough)


def _colour(name: str, default: str) -> str:
    return default if name == "default" else _NAMED.get(name, name)


def _window(width: int, height: int, ground: str, title: str) -> Iterator[str]:
    yield (
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="{_RADIUS}" '
        f'fill="#{ground}" stroke="#808894" stroke-opacity="0.45"/>'
    )
    for i, colour in enumerate(("f0566a", "f2c14e", "5fae6b")):
        yield f'<circle cx="{22 + 22 * i}" cy="{_BAR // 2}" r="6.5" fill="#{colour}"/>'
    yield (
        f'<text x="{width // 2}" y="{_BAR // 2 + 6}" text-anchor="middle" fill="#8a929e" '
        f'font-family="Fira Code, DejaVu Sans Mono" font-size="16">{escape(title)}</text>'
    )


def _backgrounds(line: Sequence[Look], y: int, ground: str) -> Iterator[str]:
    x = 0
    for colour, run in groupby(line, key=lambda each: each.ground):
        width = W * len(list(run))
        if colour != ground:
            yield rect(x, y, width, H, f' fill="#{colour}"')
        x += width


def _foregrounds(row: Sequence[Char], line: Sequence[Look], y: int) -> Iterator[str]:
    x = 0
    for style, run in groupby(zip(row, line, strict=True), key=lambda pair: pair[1]):
        cells = [cell.data for cell, _ in run]
        yield from _run(cells, style, x, y)
        x += W * len(cells)


def _run(cells: Sequence[str], style: Look, x: int, y: int) -> Iterator[str]:
    shapes: list[str] = []
    places: list[int] = []
    letters: list[str] = []
    for left, data in zip(range(x, x + W * len(cells), W), cells, strict=True):
        if len(data) == 1 and (shape := drawn(data, left, y)) is not None:
            shapes.append(shape)
        elif data.strip():
            places.append(left)
            letters.append(data)
    colour = f"#{style.ink}"
    if shapes:
        yield f'<g fill="{colour}" color="{colour}">{"".join(shapes)}</g>'
    for left, data in zip(places, letters, strict=True):
        yield _letter(data, style, left, y)
    for wanted, below in ((style.underline, 21), (style.strike, 13)):
        if wanted:
            yield rect(x, y + below, W * len(cells), 1.5, f' fill="{colour}"')


def _letter(data: str, style: Look, x: int, y: int) -> str:
    """Place one cell's text by itself: no kerning, no ligature, no drift along the line."""
    face = ' font-weight="700"' if style.bold else ""
    face += ' font-style="italic"' if style.italic else ""
    place = f'x="{x}" y="{y + _BASELINE}"'
    return f'<text {place} fill="#{style.ink}"{face}>{escape(data)}</text>'
