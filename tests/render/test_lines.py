"""Lines are exactly as wide as they should be, whatever stands in them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.query import Order
from memtui.model.victims import OomEvent
from memtui.render import ansi, palette
from memtui.render.events import event_line
from memtui.render.graph import area
from memtui.render.rows import View, column_at, header, row, solve
from memtui.render.spans import Line, fitted, plain, rule, spread, width_of
from memtui.text import safe
from tests.support.made import MIB, proc

roles = st.sampled_from(["", "muted", "crit", "bold"])
letters = st.sampled_from(["a", "b", " ", "中", "e\u0301", "한", "…", "\U0001f600"])
texts = st.lists(letters, max_size=12).map("".join)
lines = st.lists(st.tuples(texts, roles), max_size=6)


@given(lines, st.integers(0, 60), roles)
def test_fitted_is_exactly_as_wide_and_joins_neighbours(line: Line, width: int, role: str) -> None:
    made = fitted(line, width, role)
    assert width_of(made) == width
    assert all(text for text, _ in made)
    assert not [1 for a, b in pairwise(made) if a[1] == b[1]]
    assert plain(line).startswith(plain(made).rstrip(" ")[:3].rstrip())
    assert fitted(made, width, role) == made


@given(lines, lines, st.integers(1, 60))
def test_spread_is_exactly_as_wide_and_keeps_its_right_end(
    left: Line, right: Line, width: int
) -> None:
    made = spread(left, right, width)
    assert width_of(made) == width
    if width_of(right) <= width:
        assert plain(made).endswith(plain(right))


@given(lines, lines, st.integers(1, 60))
def test_a_rule_is_exactly_as_wide(title: Line, right: Line, width: int) -> None:
    assert width_of(rule(title, width, right)) == width


HARD = proc(
    4_194_304,
    2.5,
    user="中文user-with-a-long-name",
    argv="/usr/bin/中文\0-a\0[/b]\0".encode(),
    command="/usr/bin/中文 -a [/b] " + "x" * 300,
    cpu_pct=12_345.6,
    cpu_time=1e8,
)
PROCS = {
    "hard": HARD,
    "kernel": proc(2, 0, kernel_thread=True, name="kthreadd"),
    "plain": proc(3),
    "title": proc(4, argv=b"postgres: writer\0\0", command="postgres: writer"),
    "empty": proc(5, command="", name=""),
}


@pytest.mark.parametrize("kind", PROCS)
@pytest.mark.parametrize("mark", ["", "tag", "job"])
def test_rows_are_exactly_as_wide_as_the_screen(kind: str, mark: str) -> None:
    for width in range(20, 301):
        columns = solve(width)
        for shift in (0, 8, 500):
            made = row(PROCS[kind], columns, View(64 * MIB, 0, shift), mark)
            assert width_of(made) <= width, (width, shift)
            assert width_of(fitted(made, width)) == width


def test_headers_stand_above_their_columns() -> None:
    for width in range(20, 301):
        columns = solve(width)
        text = plain(header(columns, Order("rss")))
        assert "RES▼" in text
        assert "COMMAND" in text or width < 21
        for column in columns:
            if column.field.right:
                cut = text[column.x : column.x + column.width]
                assert cut.strip(" ▼") == column.field.title
                assert column_at(columns, column.x + column.width - 1) is column.field
        assert column_at(columns, width + 1) is None


def test_the_least_important_columns_go_first() -> None:
    before: set[str] = set()
    for width in range(20, 200):
        keys = {c.field.key for c in solve(width)}
        assert before <= keys, width
        assert {"rss", "command"} <= keys
        before = keys


@pytest.mark.parametrize(
    ("cgroup", "said"),
    [("/a", "no process known in that group vanished"), (None, "memtui had not seen")],
)
def test_a_kill_without_a_victim_says_only_what_is_known(cgroup: str | None, said: str) -> None:
    assert said in plain(event_line(OomEvent(1, 9.0, 1, cgroup, "cgroup", False), 90))


@given(st.text(max_size=30), st.integers(0, 40), st.integers(0, 30))
def test_hostile_command_lines_stay_inside(text: str, width: int, shift: int) -> None:
    argv = text.encode("utf-8", "replace")
    made = proc(1, argv=argv, command=safe(argv.replace(b"\0", b" ").decode()))
    line = row(made, solve(20 + width), View(None, None, shift))
    assert width_of(line) <= 20 + width
    assert plain(line).isprintable()


def test_the_text_table_is_a_header_and_a_line_each() -> None:
    columns = solve(80)
    lines = [header(columns, Order()), *(row(p, columns, View()) for p in (proc(1), proc(2)))]
    assert len(lines) == 3


values = st.lists(st.none() | st.floats(0, 1e15), max_size=50)


@given(values, st.just(0.0) | st.floats(1, 1e15), st.integers(0, 30), st.integers(0, 8))
def test_the_graph_has_its_size_and_draws_what_there_is(
    points: list[float | None], top: float, width: int, height: int
) -> None:
    drawn = area(points, top, width, height)
    assert len(drawn) == height
    assert all(len(line) == width for line in drawn)
    assert set("".join(drawn)) <= {" ", *map(chr, range(0x2801, 0x2900))}
    if top > 0 and width and height and points and points[-1]:
        assert drawn[-1][-1] != " ", "a value above nothing shows a dot"


def test_the_graph_is_full_at_its_top_and_blank_at_nothing() -> None:
    assert area([8.0, 8.0], 8, 1, 2) == ["⣿", "⣿"]
    assert area([4.0, 4.0], 8, 1, 2) == [" ", "⣿"]
    assert area([0.0, None], 8, 1, 1) == [" "]
    assert area([16.0, 16.0], 8, 1, 1) == ["⣿"], "over the limit: not over the edge"


@pytest.mark.parametrize("colors", [0, ansi.COLORS_16, ansi.COLORS_256, ansi.TRUE_COLOR])
@pytest.mark.parametrize("theme", palette.PALETTES.values(), ids=palette.PALETTES)
def test_escape_sequences_say_the_text_and_end_their_style(
    colors: int, theme: palette.Palette
) -> None:
    for role in palette.looks(theme):
        said = ansi.Painter(theme, colors).line([("text", role)])
        assert re.sub(r"\x1b\[[0-9;]*m", "", said) == "text"
        assert said.endswith("\x1b[0m")
        assert colors > 4 or not re.search(r"[34]8;", said)
        assert colors or not re.search(r"[;\[]([349][0-9]|10[0-7])[;m]", said)


def test_without_colour_danger_is_still_told() -> None:
    looks = palette.looks(palette.DARK._replace(mono=True))
    assert not any(look.fg or look.bg for look in looks.values())
    assert looks["crit"].reverse
    assert looks["warn"].bold


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({}, 4),
        ({"TERM": "xterm"}, 4),
        ({"TERM": "linux", "NO_COLOR": ""}, 4),
        ({"TERM": "screen-256color"}, 8),
        ({"TERM": "xterm-kitty"}, 8),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, 24),
        ({"NO_COLOR": "1", "COLORTERM": "24bit"}, 0),
        ({"TERM": "dumb"}, 0),
    ],
)
def test_the_depth_of_colour(environ: dict[str, str], depth: int) -> None:
    assert ansi.depth(environ) == depth


@pytest.mark.parametrize(
    ("pct", "role"),
    [(None, "calm"), (0, "calm"), (74.9, "calm"), (75, "warn"), (90, "crit"), (500, "crit")],
)  # fmt: skip
def test_levels_of_danger(pct: float | None, role: str) -> None:
    assert palette.level(pct) == role
