"""Names that would be markup or escape sequences if anybody believed them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from memtui.text import cells
from tests.support.procs import HANDLING
from tests.support.terminal import Terminal
from tests.tui.children import TERM, called, ended_by, named
from tests.tui.reading import DIALOG, dialog, leave, point_at, row_of, start, title_x

HOSTILE = [
    ("![/b", "![/b"),
    ("![red]x[/red]", "![red]x[/red]"),
    ("![@click=app.quit]z[/]", "![@click=app.quit]z[/]"),
    ("!\x1b[31mred", "!␛[31mred"),
    ("!\x1b]0;owned\x07", "!␛]0;owned␇"),
    (b"!\xc2\x9b31m", "!�31m"),
    (b"!\xff\xfe", "!��"),
    ("!a\nb\tc", "!a␊b␉c"),
    ("!\u202eright-to-left", "!�right-to-left"),
    ("!" + "x" * 300, "!xxxxxxxx"),
]


@pytest.fixture(scope="module")
def hostile() -> Iterator[Terminal]:
    """memtui sorted by command, shared by all."""
    with start("--sort", "command", "--delay", "0.3") as term:
        yield term


@pytest.mark.parametrize(("name", "shown"), HOSTILE, ids=[repr(h[1])[:16] for h in HOSTILE])
def test_hostile_command_line_is_shown_harmlessly(
    hostile: Terminal, name: str | bytes, shown: str
) -> None:
    with named(name) as child:
        before = len(hostile.raw)
        point_at(hostile, child.pid)
        hostile.wait_for(  # it may have been seen before it became what it is
            lambda lines: (
                (row := row_of(lines, child.pid)) is not None
                and row.cells["COMMAND"].startswith(shown)
            )
        )
        hostile.send("k")
        assert shown in dialog(hostile.wait_for(DIALOG))
        leave(hostile)
        assert b"owned\x07" not in hostile.raw[before:]
        assert "owned" not in hostile.title


@pytest.mark.parametrize("comm", [b"[/b]", b"\x1b[5m", b"[@click=x]", b"\xff"])
def test_hostile_name_in_messages_is_shown_harmlessly(hostile: Terminal, comm: bytes) -> None:
    with named("!memtui-test", called(comm)) as child:
        point_at(hostile, child.pid)
        hostile.send("k")
        hostile.wait_for(DIALOG)
        hostile.send("Enter")
        assert ended_by(child) == TERM
        hostile.wait_for(re.compile(rf"\b{child.pid} ended"))
    assert b"\x1b[5m" not in hostile.raw


def test_hostile_name_in_a_question_is_shown_harmlessly(hostile: Terminal) -> None:
    with named("!memtui-test", f"{HANDLING}; {called(b'[/b] ESC')}") as child:
        point_at(hostile, child.pid)
        hostile.send("k")
        hostile.wait_for(DIALOG)
        hostile.send("Enter")
        hostile.wait_for(re.compile(rf"\[/b\] ESC {child.pid} is still there"), 15)
        leave(hostile)


def test_wide_characters_keep_columns_aligned(hostile: Terminal) -> None:
    with named("!日本語プロセス監視" * 12) as child, named("!zzz") as plain:
        point_at(hostile, plain.pid)
        point_at(hostile, child.pid)
        lines = hostile.lines()
        x, _ = title_x(lines, "COMMAND")
        for pid in (child.pid, plain.pid):
            row = row_of(lines, pid)
            assert row is not None
            assert cells(lines[row.y].split("!")[0]) == x
            assert cells(lines[row.y]) <= 120
        wide = row_of(lines, child.pid)
        assert wide is not None
        bar = {line[-1] for line in lines[wide.y : wide.y + 3]}
        assert bar <= {"▐", "▕"}, "the scroll bar stands in one column"


def test_wide_characters_scroll_sideways_in_step(hostile: Terminal) -> None:
    with named("!日本語プロセス監視0123456789") as child:
        point_at(hostile, child.pid)
        hostile.send("Right", "Right")
        hostile.wait_for(
            lambda lines: (
                (row := row_of(lines, child.pid)) is not None
                and row.cells["COMMAND"].startswith(("視", "監", "0", "1"))
            )
        )
        hostile.send("Left", "Left")
        point_at(hostile, child.pid)
