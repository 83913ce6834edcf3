"""The app without a terminal: a source of samples that the test holds in its hand."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from textual.pilot import Pilot

from memtui.model.known import KERNEL, Known
from memtui.model.query import Order
from memtui.model.snapshot import Proc, Snapshot
from memtui.services.sampler import Sampler
from memtui.tui.app import MemtuiApp
from memtui.tui.screens.main import MainScreen
from tests.support.made import proc
from tests.support.trees import tree
from tests.tui.reading import column, table

SIZE = (120, 40)
Body = Callable[[Pilot[int]], Awaitable[None]]


class Hand(Sampler):
    """Tells what the test wants told, when it wants; its quota is a captured machine's."""

    def __init__(self) -> None:
        super().__init__(tree("v2_container"))
        self._machine = super().sample().quota

    def snapshot(self, procs: list[Proc]) -> Snapshot:
        return Snapshot(time.time(), time.monotonic(), procs, len(procs), self._machine, 0.0, 1.0)

    def tell(self, *procs: Proc) -> None:
        assert self._listener is not None
        self._listener(self.snapshot(list(procs)), [])


class Slow(Hand):
    """A source whose reads hang until the test lets them go, as a /proc under pressure does."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.go = threading.Event()

    def sample(self) -> Snapshot:
        self.begun.set()
        self.go.wait(30)
        return self.snapshot([proc(n, mib=n) for n in range(1, 31)])


def screen(app: MemtuiApp) -> list[str]:
    """The lines that a terminal would show."""
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


def selected(pilot: Pilot[int]) -> Proc:
    main = pilot.app.screen_stack[0]
    assert isinstance(main, MainScreen)
    assert main.table.current is not None
    return main.table.current


def show(
    body: Body,
    procs: list[Proc],
    sampler: Hand | None = None,
    order: Order | None = None,
    size: tuple[int, int] = SIZE,
) -> None:
    """Run `body` on the app with `procs` on its screen."""

    async def run() -> None:
        source = sampler or Hand()
        app = MemtuiApp(source, source.snapshot(procs), order)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await body(pilot)

    asyncio.run(run())


def hand(pilot: Pilot[int]) -> Hand:
    assert isinstance(pilot.app, MemtuiApp)
    assert isinstance(pilot.app.sampler, Hand)
    return pilot.app.sampler


def lines(pilot: Pilot[int]) -> list[str]:
    assert isinstance(pilot.app, MemtuiApp)
    return screen(pilot.app)


def some(count: int) -> list[Proc]:
    """Processes 1 to `count`, the first the biggest."""
    return [proc(n, mib=count + 1 - n) for n in range(1, count + 1)]


def test_cursor_stays_on_its_row_when_its_process_is_gone() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("down", "down")
        assert selected(pilot).pid == 3
        hand(pilot).tell(*[p for p in some(9) if p.pid != 3])
        await pilot.pause()
        assert selected(pilot).pid == 4
        assert column(lines(pilot), "PID") == ["1", "2", "4", "5", "6", "7", "8", "9"]

    show(body, some(9))


def test_cursor_goes_to_the_last_row_when_the_list_shrinks() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("end")
        hand(pilot).tell(*some(2))
        await pilot.pause()
        assert selected(pilot).pid == 2

    show(body, some(9))


def test_reused_pid_is_another_process() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("down", "space")
        reused = [p._replace(start=999, rss=1) if p.pid == 2 else p for p in some(5)]
        hand(pilot).tell(*reused)
        await pilot.pause()
        main = pilot.app.screen_stack[0]
        assert isinstance(main, MainScreen)
        assert main.table.tagged == set()

    show(body, some(5))


def test_cursor_follows_its_process_through_a_sample() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("down")
        grown = [p._replace(rss=1 << 40) if p.pid == 5 else p for p in some(9)]
        hand(pilot).tell(*grown)
        await pilot.pause()
        assert column(lines(pilot), "PID")[0] == "5"
        assert selected(pilot).pid == 2

    show(body, some(9))


def test_a_cursor_that_nobody_moved_stays_at_the_top() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("down", "home")
        sunk = [p._replace(rss=0) if p.pid == 1 else p for p in some(500)]
        hand(pilot).tell(*sunk)
        await pilot.pause()
        assert selected(pilot).pid == 2
        assert column(lines(pilot), "PID")[0] == "2"

    show(body, some(500))


def kernel(pid: int, name: str) -> Proc:
    who = Known(KERNEL, name, "x", language="python", root=(pid, 10 * pid), notebook=f"/h/{name}")
    return proc(pid, 50 - pid, who=who)


def test_by_notebook_the_column_of_details_is_of_the_kernel_under_the_cursor() -> None:
    procs = [proc(9, 500), kernel(1, "alpha.ipynb"), kernel(2, "beta.ipynb")]

    async def detailed(pilot: Pilot[int], name: str) -> None:
        until = time.monotonic() + 10
        while not any(f"─ {name}" in line for line in lines(pilot)):
            assert time.monotonic() < until, lines(pilot)
            await pilot.pause(0.05)

    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("tab")
        await detailed(pilot, "alpha.ipynb 1")
        await pilot.press("down")
        await detailed(pilot, "beta.ipynb 2")
        await pilot.press("shift+tab")
        await detailed(pilot, "python3 9")

    show(body, procs, size=(180, 40))


@pytest.mark.parametrize("count", [1000, 5000])
def test_thousands_of_rows(count: int) -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("end")
        assert selected(pilot).pid == count
        assert column(lines(pilot), "PID")[-1] == str(count)
        await pilot.press("pageup", "home", "down", "up", "N", "I")
        assert selected(pilot).pid == 1
        assert column(lines(pilot), "PID")[-1] == "1", "the window followed the cursor"
        hand(pilot).tell(*some(count))
        await pilot.pause()
        assert f"{count}" in lines(pilot)[0]

    show(body, some(count))


@pytest.mark.parametrize("procs", [[], some(1)])
def test_keys_on_hardly_any_process_do_no_harm(procs: list[Proc]) -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("down", "end", "pagedown", "home", "up", "space", "U", "right", "left")
        await pilot.press("M", "P", "T", "N", "I", "k", "escape", "f6", "escape")
        assert len(table(lines(pilot))) == len(procs)
        hand(pilot).tell(*some(3))
        await pilot.pause()
        assert len(table(lines(pilot))) == 3

    show(body, procs)


def test_samples_that_nobody_has_looked_at_give_way_to_the_newest() -> None:
    async def body(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, MemtuiApp)
        before = len(app.state.series.times)
        for n in range(1, 51):
            hand(pilot).tell(*some(n))
        await pilot.pause()
        assert app.state.snapshot.count == 50
        assert len(app.state.series.times) - before <= 2

    show(body, some(9))


@pytest.fixture
def slow() -> Iterator[Slow]:
    """A source that hangs; it is let go at the end."""
    source = Slow()
    source.start()
    yield source
    source.go.set()
    source.stop()


def test_keys_work_while_a_sample_hangs(slow: Slow) -> None:
    async def body(pilot: Pilot[int]) -> None:
        assert slow.begun.wait(10)
        await pilot.press("down", "down", "down")
        assert selected(pilot).pid == 4
        await pilot.press("N", "I")
        assert column(lines(pilot), "PID")[0] == "9"
        await pilot.press("f1")
        assert any("invert the order" in line for line in lines(pilot))
        await pilot.press("escape")
        slow.go.set()
        while "30 processes" not in lines(pilot)[0]:
            await pilot.pause(0.02)
        assert selected(pilot).pid == 4

    show(body, some(9), slow)


def test_quitting_does_not_wait_for_a_sample_that_hangs(slow: Slow) -> None:
    async def body(pilot: Pilot[int]) -> None:
        assert slow.begun.wait(10)
        await pilot.press("q")
        assert not slow.go.is_set()
        assert pilot.app.return_code == 0

    show(body, some(9), slow)


def test_another_machine_s_processes_get_no_signal() -> None:
    async def body(pilot: Pilot[int]) -> None:
        await pilot.press("k", "enter")
        await pilot.pause()
        assert re.search(r"nothing was sent|already gone|another process", lines(pilot)[-1])

    show(body, [proc(999_999_999)])


def test_the_first_frame_is_replaced_by_the_same_rows() -> None:
    async def body(pilot: Pilot[int]) -> None:
        assert column(lines(pilot), "PID") == [str(n) for n in range(9, 0, -1)]

    show(body, some(9), order=Order("pid", inverted=True))
