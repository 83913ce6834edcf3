"""The process table as a person uses it: sorting, moving, and a cursor that stays."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support.terminal import Terminal
from tests.tui.children import named
from tests.tui.reading import (
    POOL,
    Row,
    amount,
    column,
    cursor,
    leave,
    number,
    on_main,
    point_at,
    row_of,
    seconds,
    sorted_by,
    spot,
    start,
    table,
    title_x,
    wait_cursor,
)

ORDERS = [
    ("M", "RES", amount, True),
    ("P", "CPU%", number, True),
    ("T", "TIME+", seconds, True),
    ("N", "PID", number, False),
]
WHEEL_X = 30


def here(term: Terminal) -> Row:
    """The row under the cursor."""
    term.wait_for(lambda _: cursor(term) is not None)
    row = cursor(term)
    assert row is not None
    return row


def first(term: Terminal) -> Row:
    """The first process by PID, once it stands under the cursor at the top."""
    lowest = min(int(name) for name in os.listdir("/proc") if name.isdecimal())
    term.wait_for(
        lambda lines: (
            sorted_by("PID", number, False)(lines)
            and (row := cursor(term)) is not None
            and row.pid == lowest == table(lines)[0].pid
        )
    )
    return here(term)


@pytest.mark.parametrize(("key", "title", "value", "descending"), ORDERS)
def test_a_capital_letter_sorts_and_i_inverts(
    term: Terminal, key: str, title: str, value: Callable[[str], float], descending: bool
) -> None:
    first(term)
    term.send("I")
    term.wait_for(sorted_by("PID", number, True))
    term.send(key)
    term.wait_for(sorted_by(title, value, descending))
    term.send("I")
    term.wait_for(sorted_by(title, value, not descending))
    term.send("R")
    term.wait_for(sorted_by(title, value, descending))


def test_rows_descend_by_memory_from_the_start() -> None:
    with start() as term:
        lines = term.wait_for(sorted_by("RES", amount, True))
        assert amount(column(lines, "RES")[0]) > amount(column(lines, "RES")[-1])


@pytest.mark.parametrize(
    ("option", "title", "value", "descending"), [("pid", "PID", number, False), *[
        (name, title, value, descending) for name, (_, title, value, descending)
        in zip(("mem", "cpu"), ORDERS, strict=False)
    ]],
)  # fmt: skip
def test_sort_on_the_command_line(
    option: str, title: str, value: Callable[[str], float], descending: bool
) -> None:
    with start("--sort", option) as term:
        term.wait_for(sorted_by(title, value, descending))


@pytest.mark.parametrize("key", ["F6", "<", ">", ",", "."])
def test_sort_menu_lists_columns_and_enter_sorts(term: Terminal, key: str) -> None:
    first(term)
    term.send("M", key)
    term.wait_for("Sort by")
    term.send("Home", "Enter")
    term.wait_for(lambda lines: on_main(lines) and sorted_by("PID", number, False)(lines))


def test_sort_menu_left_by_esc_keeps_the_order(term: Terminal) -> None:
    first(term)
    term.send("F6")
    term.wait_for("Sort by")
    term.send("End")
    leave(term)
    term.wait_for(sorted_by("PID", number, False))


def test_click_in_the_sort_menu_sorts(term: Terminal) -> None:
    first(term)
    term.send("F6")
    term.wait_for("Sort by")
    term.click(*spot(term, "address space"))
    term.wait_for(lambda lines: on_main(lines) and sorted_by("VIRT", amount, True)(lines))


@pytest.mark.parametrize(("_key", "title", "value", "descending"), ORDERS)
def test_click_on_a_header_sorts_and_again_inverts(
    term: Terminal, _key: str, title: str, value: Callable[[str], float], descending: bool
) -> None:
    first(term)
    if title == "PID":
        term.send("M")
        term.wait_for(sorted_by("RES", amount, True))
    for way in (descending, not descending, descending):
        term.click(*title_x(term.lines(), title))
        term.wait_for(sorted_by(title, value, way))


def test_arrows_move_the_cursor_by_one(term: Terminal) -> None:
    first(term)
    rows = table(term.lines())
    for key, at in (("Down", 1), ("Down", 2), ("Up", 1), ("Ctrl-N", 2), ("Ctrl-P", 1)):
        term.send(key)
        wait_cursor(term, rows[at].pid)


def test_up_from_the_first_process_stays_there(term: Terminal) -> None:
    pid = first(term).pid
    term.send("Up", "Up")
    wait_cursor(term, pid)
    term.send("Down", "Up")
    wait_cursor(term, pid)


def test_pages_end_and_home(term: Terminal) -> None:
    term.send("m")  # what belongs to no process would be the last
    term.wait_for(lambda lines: not any(map(POOL.search, lines)))
    top, last_seen = first(term), table(term.lines())[-1].pid
    term.send("PgDn")
    term.wait_for(lambda _: (row := cursor(term)) is not None and row.pid >= last_seen)
    paged = here(term).pid
    term.send("End")  # behind it others may be born at any time
    term.wait_for(lambda _: (row := cursor(term)) is not None and row.pid > paged)
    last = here(term).pid
    term.send("PgUp")
    term.wait_for(lambda _: (row := cursor(term)) is not None and row.pid < last)
    term.send("Home")
    wait_cursor(term, top.pid)
    assert cursor(term) == table(term.lines())[0]
    term.send("m")
    term.wait_for("memory of no process is shown")


def test_cursor_stays_on_its_process_through_every_order(term: Terminal) -> None:
    first(term)
    with named() as child:
        term.send("F6")
        term.wait_for("Sort by")
        term.send("End", "Enter")  # the last column is the command
        point_at(term, child.pid)
        for key, title, value, descending in ORDERS:
            term.send(key)
            term.wait_for(sorted_by(title, value, descending))
            wait_cursor(term, child.pid)
            term.send("I")
            term.wait_for(sorted_by(title, value, not descending))
            wait_cursor(term, child.pid)


def test_cursor_keeps_its_row_when_its_process_ends() -> None:
    with named() as child, named("!memtui-test-next") as second, start("--sort", "command") as term:
        y = point_at(term, child.pid).y
        child.kill()
        child.wait()
        assert wait_cursor(term, second.pid).y == y


def test_click_on_a_row_puts_the_cursor_there(term: Terminal) -> None:
    first(term)
    rows = table(term.lines())
    for at in (5, 2, 4):  # twice the same is a double click
        term.click(10, rows[at].y)
        wait_cursor(term, rows[at].pid)
    assert on_main(term.lines())


def test_wheel_scrolls_and_leaves_the_cursor_on_its_process(term: Terminal) -> None:
    top = first(term)
    term.send("Down")
    second = table(term.lines())[1].pid
    row = wait_cursor(term, second)
    for _ in range(3):
        term.wheel(WHEEL_X, row.y + 3)
    term.wait_for(lambda lines: not row_of(lines, second))
    assert cursor(term) is None
    for _ in range(3):
        term.wheel(WHEEL_X, row.y + 3, down=False)
    term.wait_for(lambda lines: row_of(lines, top.pid))
    wait_cursor(term, second)


def test_a_key_brings_the_window_back_to_the_cursor(term: Terminal) -> None:
    first(term)
    second = table(term.lines())[1].pid
    for _ in range(4):
        term.wheel(WHEEL_X, 15)
    term.wait_for(lambda _: cursor(term) is None)
    term.send("Down")
    wait_cursor(term, second)


def test_right_and_left_scroll_the_command_lines(term: Terminal) -> None:
    first(term)
    before = column(term.lines(), "COMMAND")[0]
    term.send("Right")
    lines = term.wait_for(lambda lines: column(lines, "COMMAND")[0] != before)
    assert before[8:20].strip() in column(lines, "COMMAND")[0]
    term.send("Left")
    term.wait_for(lambda lines: column(lines, "COMMAND")[0] == before)


def pid_colour(term: Terminal, pid: int) -> str:
    """The colour in which the PID of a row is written."""
    row = row_of(term.lines(), pid)
    assert row is not None
    line = term.cells()[row.y]
    return str(next(cell.fg for cell in line if cell.data.isdecimal()))


def test_space_tags_and_moves_down(term: Terminal) -> None:
    first(term)
    one, two, three = (row.pid for row in table(term.lines())[:3])
    term.send("Down", "Down")
    wait_cursor(term, three)
    plain = pid_colour(term, one)
    others = pid_colour(term, two)
    term.send("Home", "Space", "Space")
    term.wait_for(
        lambda _: (
            (marked := pid_colour(term, one)) == pid_colour(term, two)
            and marked not in (plain, others)
        )
    )
    wait_cursor(term, three)
    term.send("U")
    term.wait_for(lambda _: (pid_colour(term, one), pid_colour(term, two)) == (plain, others))
