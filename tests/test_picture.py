"""Pictures of screens: cells join, and every cell stays on the grid."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pyte.screens import Char

from tests.support.terminal import Terminal
from tools.glyphs import H, W, arms, drawn
from tools.picture import FontsMissingError, find_fonts, look, render_png, render_svg

SHOW = "print('\\x1b[1;31mA<&\\x1b[7m B\\x1b[m中─█⣿'); input()"


@pytest.mark.parametrize(
    ("char", "expected"),
    [
        ("─", {"L": 2, "R": 2}),
        ("┃", {"U": 4, "D": 4}),
        ("┡", {"U": 4, "R": 4, "D": 2}),
        ("╭", {"D": 2, "R": 2}),
        ("╼", {"L": 2, "R": 4}),
        ("╆", {"L": 2, "U": 2, "R": 4, "D": 4}),
        ("╬", None),
    ],
)
def test_a_box_is_drawn_from_its_name(char: str, expected: dict[str, int] | None) -> None:
    assert arms(char) == expected


@pytest.mark.parametrize("code", [*range(0x2500, 0x25A0), *range(0x2801, 0x2900)])
def test_every_joining_character_stays_in_its_cell(code: int) -> None:
    shapes = drawn(chr(code), W, H)
    if shapes is None:
        assert 0x2550 <= code <= 0x2573  # double lines and diagonals: the font's
        return
    found = ElementTree.fromstring(f"<svg>{shapes}</svg>")
    for rect in found.iter("rect"):
        x, y, width, height = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        assert W <= x < x + width <= 2 * W
        assert H <= y < y + height <= 2 * H
    assert len(found)


def test_the_full_block_fills_and_the_line_reaches_both_edges() -> None:
    assert drawn("█", 0, 0) == f'<rect x="0" y="0" width="{W}" height="{H}"/>'
    line = drawn("─", 0, 0) or ""
    spans = [(float(x), float(w)) for x, w in re.findall(r'x="(\d+)".*?width="(\d+)"', line)]
    assert min(x for x, _ in spans) == 0
    assert max(x + w for x, w in spans) == W


def test_a_real_screen_becomes_a_picture() -> None:
    with Terminal([sys.executable, "-S", "-c", SHOW], 20, 3) as term:
        term.wait_for("⣿")
        cells = term.cells()
    svg = render_svg(cells, "a <title>")
    ElementTree.fromstring(svg)
    assert "A</text>" in svg
    assert "&lt;</text>" in svg
    assert "a &lt;title&gt;" in svg
    red = look(cells[0][0]).ink
    assert look(cells[0][4]).ground == red  # reversed


def test_a_png_is_written_or_the_fonts_are_asked_for(tmp_path: Path) -> None:
    cells = [[Char("x"), Char("─")]]
    try:
        find_fonts()
    except FontsMissingError:
        with pytest.raises(FontsMissingError, match="install the fonts"):
            render_png(cells, tmp_path / "x.png")
    else:
        render_png(cells, tmp_path / "x.png")
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
