"""Borders between the parts of the main screen: dragged, moved by keys, kept, put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import Terminal
from tests.tui.reading import on_main, start

COLS, ROWS = 180, 50
DETAILS, GRAPH, PANELS = 121, 118, 42  # where they stand by themselves: x, x, y


def stands(lines: list[str], x: int, chars: str) -> bool:
    """Whether a border is in a column of most lines: a wide character shifts one or another."""
    return sum(line[x : x + 1] in tuple(chars) for line in lines) > len(lines) * 0.6


def details_x(lines: list[str]) -> int | None:
    """Where the border of the details is: in the lines of the middle, and in no other column."""
    middle = lines[9:30]
    for x in range(40, COLS):
        if stands(middle, x, "│┃"):
            return x
    return None


def panels_y(lines: list[str]) -> int:
    """Where the border above the panels is."""
    return next((y for y, line in enumerate(lines) if line[2:].startswith("OOM events")), -1)


def graph_x(lines: list[str]) -> int | None:
    """Where the border of the graph is: in the line of the title, and in those below it."""
    y = panels_y(lines)
    found = [x for x, char in enumerate(lines[y]) if char in "┬┳"]
    below = lines[y + 1 : -1]
    return found[0] if found and stands(below, found[0], "│┃") else None


def places(lines: list[str]) -> tuple[int | None, int | None, int]:
    """Where the three borders are."""
    return details_x(lines), graph_x(lines), panels_y(lines)


def stand(term: Terminal, details: int | None, graph: int | None, panels: int) -> None:
    """Wait until the borders are there, and none is lit."""
    wanted = details, graph, panels
    term.wait_for(lambda lines: places(lines) == wanted and not lit(lines))


def lit(lines: list[str]) -> bool:
    """Whether a border shows that the mouse has it."""
    return any(char in "┃━┳" for line in lines for char in line)


def drag(term: Terminal, start: tuple[int, int], *steps: tuple[int, int]) -> None:
    """Drag by the left button over some cells; the border is held before it is moved."""
    term.press(*start)
    term.wait_for(lit)
    for step in steps:
        term.move(*step, button=0)
    term.release(*steps[-1])
    term.wait_for(lambda lines: not lit(lines))


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_borders_follow_the_mouse_and_are_kept(tmp_path: Path, home: dict[str, str]) -> None:
    with start(cols=COLS, rows=ROWS, env=home) as term:
        stand(term, DETAILS, GRAPH, PANELS)
        drag(term, (DETAILS, 20), (115, 21), (110, 22), (100, 22))
        stand(term, 100, GRAPH, PANELS)
        drag(term, (GRAPH, PANELS + 3), (100, PANELS + 2), (90, PANELS + 2))
        stand(term, 100, 90, PANELS)
        drag(term, (50, PANELS), (51, 38), (52, 35))
        stand(term, 100, 90, 35)
        drag(term, (90, 35), (95, 37), (80, 39))  # a corner is both
        stand(term, 100, 80, 39)
        term.press(30, 39)
        term.wait_for(lit)
        term.move(30, 0, button=0)  # as far as there is room
        lines = term.wait_for(lambda lines: 8 < panels_y(lines) < 16)
        assert sum("root" in line or " [" in line for line in lines[:16]) >= 3, "the table stays"
        term.move(30, 49, button=0)
        term.wait_for(lambda lines: panels_y(lines) == 46)
        term.move(30, 40, button=0)
        term.wait_for(lambda lines: panels_y(lines) == 40)
        term.release(30, 40)
        stand(term, 100, 80, 40)
        assert on_main(term.lines()), "a drag opens nothing"
        term.send("q")
        assert term.exit_status() == 0
    text = (tmp_path / "memtui/config.toml").read_text()
    assert {"details_width = 80", "graph_width = 100", "panels_height = 9"} <= set(
        text.splitlines()
    )
    with start(cols=COLS, rows=ROWS, env=home) as term:
        stand(term, 100, 80, 40)
        term.resize(160, ROWS)
        stand(term, 80, 60, 40)
        term.resize(COLS, ROWS)
        stand(term, 100, 80, 40)
        for x, y in ((100, 20), (80, 44), (40, 40)):  # twice on each: back
            term.click(x, y)
            term.click(x, y)
        stand(term, DETAILS, GRAPH, PANELS)
        term.send("q")
        assert term.exit_status() == 0
    text = (tmp_path / "memtui/config.toml").read_text()
    assert {"details_width = 0", "graph_width = 0", "panels_height = 0"} <= set(text.splitlines())


def test_borders_obey_keys_and_clicks_mean_what_they_meant(home: dict[str, str]) -> None:
    with start(cols=COLS, rows=ROWS, env=home) as term:
        for key, at, said in (
            ("Ctrl-Left", (DETAILS - 4, GRAPH, PANELS), "details: 63 columns"),
            ("Ctrl-Right", (DETAILS, GRAPH, PANELS), "details: 59 columns"),
            ("Alt-Left", (DETAILS, GRAPH - 4, PANELS), "graph: 66 columns"),
            ("Alt-Right", (DETAILS, GRAPH, PANELS), "graph: 62 columns"),
            ("Ctrl-Up", (DETAILS, GRAPH, PANELS - 1), "panels below the table: 8 lines"),
            ("Ctrl-Up", (DETAILS, GRAPH, PANELS - 2), "panels below the table: 9 lines"),
            ("Ctrl-Down", (DETAILS, GRAPH, PANELS - 1), "panels below the table: 8 lines"),
            ("Ctrl-Home", (DETAILS, GRAPH, PANELS), "all borders are back"),
        ):
            term.send(key)
            stand(term, *at)
            term.wait_for(said)
        term.move(DETAILS, 20)  # without a button: it is shown that it can be held
        term.wait_for(lambda lines: stands(lines[9:30], DETAILS, "┃"))
        term.move(60, 20)
        stand(term, DETAILS, GRAPH, PANELS)
        term.click(4, PANELS)  # the title's words
        term.wait_for(lambda lines: not on_main(lines))
        term.send("Esc")
        stand(term, DETAILS, GRAPH, PANELS)
        term.click(DETAILS + 10, 20)
        term.wait_for(lambda lines: not on_main(lines))
        term.send("Esc")
        stand(term, DETAILS, GRAPH, PANELS)
        term.resize(80, 24)
        term.wait_for(lambda lines: panels_y(lines) == 19)
        term.send("Ctrl-Left")
        term.wait_for("from 160 columns on")
        drag(term, (48, 21), (40, 21))
        term.wait_for(lambda lines: lines[19][40] == "┬")
