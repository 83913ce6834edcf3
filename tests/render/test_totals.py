"""The line of totals, and the rows of memory that belongs to no process."""

from __future__ import annotations

from typing import Any

import pytest

from memtui.model.fields import FIELDS, chosen
from memtui.render.rows import View, row, solve
from memtui.render.spans import plain, width_of
from memtui.render.totals import totals_line
from tests.support.made import MIB, proc

KEYS = ("pid", "rss", "pss", "uss", "swap", "command")


def line(width: int = 160, count: int | None = None, **more: Any) -> str:
    procs = [p._replace(**more) for p in (proc(1, 4), proc(2, 6))]
    columns = solve(width, chosen(KEYS))
    made = totals_line(procs, columns, len(procs) if count is None else count)
    assert width_of(made) <= width
    return plain(made)


def test_sums_stand_below_their_columns_and_unknown_is_counted() -> None:
    made = line(200, pss=2 * MIB, uss=MIB)
    assert made.split()[:4] == ["10.0M", "4.00M", "2.00M", "?"]
    assert "2 processes, SWAP of 2 unknown; RES counts shared pages in each process" in made
    assert "not the quota's usage" in made


def test_half_known_sums_say_so() -> None:
    procs = [proc(1, 4, pss=MIB), proc(2, 6)]
    made = plain(totals_line(procs, solve(160, chosen(KEYS)), 2))
    assert "PSS of 1 unknown, USS/SWAP of 2 unknown" in made
    assert made.split()[:2] == ["10.0M", "1.00M"]


def test_a_first_look_holds_not_all_and_sums_nothing() -> None:
    made = line(count=99)
    assert made.split()[0] == "?"
    assert "99 processes" in made


@pytest.mark.parametrize("width", range(30, 250, 7))
def test_it_fits_every_width_and_says_as_much_as_there_is_room_for(width: int) -> None:
    made = line(width, pss=1, uss=1, swap=0)
    assert "2 proc" in made or width < 40


@pytest.mark.parametrize("width", range(40, 400, 23))
def test_rows_of_no_process_fit_every_width_with_every_column(width: int) -> None:
    columns = solve(width, chosen(tuple(f.key for f in FIELDS)))
    for rss in (0, 5, -(1 << 43), -57 * MIB, 1 << 50):
        made = row(proc(0, 0, pool="rest", rss=rss, command="[unexplained] " + "x" * 400),
                   columns, View(64 * MIB, host=1 << 40))  # fmt: skip
        assert width_of(made) <= width
        assert "?" not in plain(made)


def test_one_process_is_not_several() -> None:
    made = plain(totals_line([proc(1, 4)], solve(160, chosen(KEYS)), 1))
    assert "1 process," in made or "1 process;" in made
