"""The column chooser, the totals and the rows of no process, as a person uses them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from memtui.model.fields import DEFAULT, FIELDS
from memtui.services.settings import load
from memtui.tui.screens.columns import ColumnsDialog, FieldList
from memtui.tui.screens.main import MainScreen
from tests.support.made import MIB
from tests.support.procs import until
from tests.support.programs import running
from tests.support.terminal import Terminal
from tests.tui.reading import (
    POOL,
    amount,
    header,
    on_main,
    point_at_pool,
    row_of,
    spot,
    start,
    title_x,
)
from tests.tui.test_app import show, some

CHOOSER = "Enter save"
SHM = "/dev/shm"


def titles(lines: list[str]) -> list[str]:
    found = header(lines)
    return found[1] if found else []


def config() -> Path:
    return Path(os.environ["XDG_CONFIG_HOME"]) / "memtui/config.toml"


def opened(term: Terminal, *keys: str) -> None:
    term.send(*keys)
    term.wait_for(CHOOSER)


def closed(term: Terminal, *keys: str) -> list[str]:
    term.send(*keys)
    return term.wait_for(lambda lines: on_main(lines) and CHOOSER not in "\n".join(lines))


@pytest.mark.parametrize("key", ["F2", "C", "S"])
def test_a_column_is_added_shown_and_saved(key: str) -> None:
    with running("hog", mib=128) as big, start(cols=150) as term:
        big.wait_for("done")
        before = titles(term.lines())
        opened(term, key)
        term.wait_for("PID: process ID")  # what the highlighted one means
        term.click(*spot(term, "RES with each shared page"))
        closed(term, "Enter")
        lines = term.wait_for(lambda lines: "PSS" in titles(lines))
        assert [t for t in titles(lines) if t != "PSS"] == before

        def read(lines: list[str]) -> bool:
            row = row_of(lines, big.pid)
            return row is not None and row.cells["PSS"] != "?"

        row = row_of(term.wait_for(read), big.pid)
        assert row is not None
        assert 128 * MIB < amount(row.cells["PSS"]) <= amount(row.cells["RES"])
    assert load(str(config())).shown.columns == (*DEFAULT[:-1], "pss", "command")
    with start(cols=150) as term:
        assert "PSS" in titles(term.lines()), "the next start shows it, too"


def test_columns_are_removed_moved_and_put_back() -> None:
    with start(cols=150) as term:
        opened(term, "F2")
        term.send("F8", "F8", "Down", "Space")  # PID two down; then what is below it, removed
        lines = closed(term, "F10")
        lines = term.wait_for(lambda lines: "VIRT" not in titles(lines))
        assert titles(lines)[:3] == ["USER", "S", "PID"]
        opened(term, "F2")
        term.send("d")
        closed(term, "Enter")
        term.wait_for(lambda lines: titles(lines)[:4] == ["PID", "USER", "S", "VIRT"])
    assert load(str(config())).shown.columns == DEFAULT


@pytest.mark.parametrize("key", ["Esc", "q", "F2"])
def test_who_leaves_changes_nothing(key: str) -> None:
    with start(cols=150) as term:
        before = titles(term.lines())
        opened(term, "F2")
        term.send("Space", "F8", "d", "Space")
        assert titles(closed(term, key)) == before
        term.send("q")
        assert term.exit_status() == 0
    assert not config().exists()


def test_a_right_click_on_a_header_opens_the_chooser_and_a_drag_moves() -> None:
    with start(cols=150) as term:
        x, y = title_x(term.lines(), "RES")
        term.click(x, y, 2)
        term.wait_for(CHOOSER)
        (x, begin), (_, end) = spot(term, "process ID"), spot(term, "CPU time since")
        term.type(f"\x1b[<0;{x + 1};{begin + 1}M")
        term.move(x, end, 0)
        term.type(f"\x1b[<0;{x + 1};{end + 1}m")
        term.click(*spot(term, "Enter save"))
        lines = term.wait_for(lambda lines: on_main(lines) and CHOOSER not in "\n".join(lines))
        lines = term.wait_for(lambda lines: titles(lines)[-2:] == ["PID", "COMMAND"])
        assert titles(lines)[0] == "USER"


def test_every_column_is_in_the_chooser_and_explained() -> None:
    with start(cols=150, rows=60) as term:
        opened(term, "F2")
        for field in FIELDS:
            term.wait_for(field.help[:40])


def test_a_broken_file_is_told_and_neither_used_nor_overwritten() -> None:
    config().parent.mkdir(parents=True)
    config().write_text("columns = [")
    with start(cols=150) as term:
        until(lambda: b"left alone" in term.raw)  # it may have been said over since
        assert titles(term.lines())[0] == "PID"
        opened(term, "F2")
        term.send("Down", "Space")
        closed(term, "Enter")
        until(lambda: b"not saved" in term.raw)
        assert "USER" not in titles(term.lines()), "it is shown all the same"
        term.send("q")
        assert term.exit_status() == 0
    assert config().read_text() == "columns = ["


def test_the_order_and_what_is_shown_come_back_at_the_next_start() -> None:
    with start(cols=150) as term:
        term.send("m")
        term.wait_for("memory of no process is hidden")
        term.send("P", "B")
        term.wait_for(lambda lines: "CPU%▼" in "\n".join(lines) and not total(lines))
        term.send("q")
        assert term.exit_status() == 0
    kept = load(str(config()))
    assert (kept.order.key, kept.shown.pools, kept.shown.totals) == ("cpu", False, False)
    with start(cols=150) as term:
        term.wait_for("CPU%▼")
        assert not any(map(POOL.search, term.lines()))


def test_without_a_file_the_choice_holds_for_this_run_only() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("f2")
        dialog = pilot.app.screen
        assert isinstance(dialog, ColumnsDialog)
        listed = dialog.query_one(FieldList)
        listed.highlighted = listed.get_option_index("growth")
        await pilot.press("f5", "f7", "enter")
        await pilot.pause()
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        # F5 added it and went on to the next, which F7 does not move: it is not shown
        assert main.table.shown.columns == (*DEFAULT[:-1], "growth", "command")
        await pilot.press("f2", "f9", "escape")
        assert main.table.shown.columns == (*DEFAULT[:-1], "growth", "command")

    show(body, some(3))
    assert not config().exists()


def total(lines: list[str]) -> str:
    """The bottom line of the table."""
    found = (line for line in lines if re.search(r"\d processes( |;|$)", line))
    return next((line for line in found if "memtui" not in line), "")


def test_totals_stand_below_the_table_where_there_is_room() -> None:
    with start(cols=120, rows=36) as term:
        line = total(term.wait_for(lambda lines: "?" not in total(lines) and total(lines)))
        assert amount(line.split()[0]) > 0
        assert "RES counts shared pages in each process" in line
        term.send("B")
        term.wait_for(lambda lines: not total(lines))
        term.send("B")
        term.wait_for(total)


def test_a_low_screen_has_no_totals_unless_asked() -> None:
    with start(cols=100, rows=24) as term:
        assert not total(term.lines())
        term.send("B")
        term.wait_for(total)


@pytest.mark.skipif(not os.path.isdir(SHM), reason="needs /dev/shm")
def test_a_file_in_a_tmpfs_is_its_row_and_goes_when_it_is_deleted() -> None:
    def used(lines: list[str]) -> float:
        found = [line for line in lines if f"[tmpfs] {SHM} " in line]
        return amount(found[0].split()[0]) if found else 0

    with start(cols=120, rows=50) as term:
        term.wait_for(lambda lines: any(map(POOL.search, lines)))
        before = used(term.lines())
        with running("tmpfs", directory=SHM, mib=96) as writer:
            writer.wait_for("done")
            term.wait_for(lambda lines: used(lines) > before + (64 << 20))
            point_at_pool(term, f"[tmpfs] {SHM} ")
            term.send("Space")
            term.wait_for("not tagged: no process owns this memory")
            term.send("Up", "k")
            term.wait_for("nothing to send a signal to: no process owns this memory")
            assert on_main(term.lines())
            term.send("Enter")
            term.wait_for("96.0M")
            term.wait_for(f"memtui-test-{writer.pid}")
            term.send("Esc")
            term.wait_for(on_main)
            writer.process.terminate()
            writer.ended()
        term.wait_for(lambda lines: used(lines) < before + (64 << 20))


def test_m_hides_and_shows_memory_of_no_process() -> None:
    with start(cols=120, rows=50) as term:
        term.wait_for(lambda lines: any(map(POOL.search, lines)))
        term.send("m")
        term.wait_for(lambda lines: not any(map(POOL.search, lines)))
        term.send("m")
        term.wait_for(lambda lines: any(map(POOL.search, lines)))
