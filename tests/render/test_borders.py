"""Where borders may stand: every part keeps room, whatever the screen."""

from __future__ import annotations

import pytest

from memtui.render.borders import (
    BORDERS,
    DETAILS,
    GRAPH,
    PANELS,
    cleared,
    dragged,
    placed,
    size_of,
    words,
)
from memtui.render.frame import Shown, geometry, side_width

SCREENS = [(40, 10), (72, 20), (80, 24), (120, 40), (160, 50), (200, 60), (300, 80)]


@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [-5, 0, 1, 40, 999])
def test_every_part_keeps_room(border: str, size: int, width: int, height: int) -> None:
    shown = placed(border, size, Shown(), width, height)
    g = geometry(width, height, shown)
    assert g.title + g.quota + g.scopes + g.table + g.bottom + g.keys == height
    assert g.table >= min(6, geometry(width, height).table)
    assert g.left + g.right == width
    assert g.left >= 30
    assert side_width(width, shown) <= width - 80 or not side_width(width, shown)
    there = bool(size_of(border, Shown(), width, height))
    assert bool(size_of(border, shown, width, height)) == there, "nothing vanishes"
    assert cleared(BORDERS, shown) == Shown()


@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("border", BORDERS)
def test_a_step_back_undoes_a_step(border: str, width: int, height: int) -> None:
    before = size_of(border, Shown(), width, height)
    wider = placed(border, before + 1, Shown(), width, height)
    after = placed(border, size_of(border, wider, width, height) - 1, wider, width, height)
    assert size_of(border, after, width, height) == before


def test_what_was_put_on_a_large_screen_fits_a_small_one_and_comes_back() -> None:
    shown = dragged(PANELS, 0, 20, dragged(GRAPH, 60, 0, Shown(), 200, 60), 200, 60)
    assert (size_of(GRAPH, shown, 200, 60), size_of(PANELS, shown, 200, 60)) == (140, 39)
    small = geometry(80, 24, shown)
    assert (small.right, small.bottom) == (50, 12)
    assert size_of(GRAPH, shown, 200, 60) == 140


def test_words_say_why_there_is_nothing_to_move() -> None:
    assert words(DETAILS, Shown(), 200, 60).startswith("details: 64 columns")
    assert "from 160 columns on" in words(DETAILS, Shown(), 159, 60)
    assert "D shows them" in words(DETAILS, Shown(details=False), 200, 60)
    assert "no room" in words(PANELS, Shown(), 200, 19)
    assert "no room" in words(GRAPH, Shown(), 60, 40)
