"""OOM events in the TUI: the panel, the list with its cursor, the post-mortem, and its copy."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from memtui.model.victims import OomEvent
from memtui.services.sampler import Sampler
from memtui.tui.app import MemtuiApp
from memtui.tui.messages import OomSeen, SnapshotReady
from memtui.tui.screens.main import MainScreen
from memtui.tui.screens.oom import OomScreen, PostmortemScreen
from tests.support.cgroups import MIB, Group
from tests.support.kills import AT, by, event, victim
from tests.support.terminal import Terminal
from tests.tui.reading import on_main, start

HOSTILE = "[/b][red]x\x1b]52;c;b3duZWQ=\x07\x9b2J"
EVENTS = [
    by("kernel-log", id=1, record="Memory cgroup out of memory: Killed process 4821 (python3)"),
    event(id=2, time=AT - 100, victims=(victim(pid=222, command="second.py"),)),
    event(id=3, time=AT - 200, victims=(), others=(), evidence="none"),
    by("exit-status", id=4, time=AT - 300, kind="sigkill", cause="", limit_cgroup=None),
]  # newest first, as the list shows them

Scene = Callable[[MemtuiApp, Pilot[int]], Awaitable[None]]


def shown(app: MemtuiApp) -> str:
    """What a person sees."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def play(scene: Scene, events: list[OomEvent], size: tuple[int, int] = (100, 30)) -> None:
    """Run a scene in an app that knows these events."""

    async def run() -> None:
        sampler = Sampler()
        app = MemtuiApp(sampler, sampler.sample())
        app.state.saw(events)
        try:
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await scene(app, pilot)
        finally:
            sampler.stop()

    asyncio.run(run())


async def tell(app: MemtuiApp, pilot: Pilot[int], *events: OomEvent) -> None:
    """Let the sampler's news arrive."""
    app.post_message(OomSeen(events))
    app.post_message(SnapshotReady(app.state.snapshot))
    await pilot.pause()


def on(app: MemtuiApp, screen: type[Screen[None]]) -> bool:
    """Whether this kind of screen stands before all others."""
    return isinstance(app.screen, screen)


def selected(app: MemtuiApp) -> int:
    """The id of the event under the cursor."""
    screen = app.screen
    assert isinstance(screen, OomScreen)
    assert screen.selected is not None
    return screen.selected.id


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", 1), ("down", 2), ("j j", 3), ("end", 4), ("end home", 1), ("end up", 3),
        ("end k k", 2), ("up", 1), ("end down", 4), ("pagedown pageup", 1),
    ],
)  # fmt: skip
def test_keys_move_the_cursor_and_the_preview_follows(keys: str, expected: int) -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o", *keys.split())
        await pilot.pause()
        assert selected(app) == expected
        facts = {1: "certain: the kernel log", 2: "second.py", 3: "--delay", 4: "not an OOM kill"}
        assert facts[expected] in shown(app)

    play(scene, EVENTS, (100, 50))


def test_enter_opens_the_post_mortem_and_esc_leads_back_step_by_step() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o", "down", "enter")
        assert on(app, PostmortemScreen)
        assert "second.py" in shown(app)
        await pilot.press("escape")
        assert selected(app) == 2
        await pilot.press("escape")
        assert on(app, MainScreen)

    play(scene, EVENTS)


def test_a_click_selects_and_a_double_click_opens() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o")
        await pilot.click("#kills", offset=(20, 3))
        assert selected(app) == 3
        await pilot.click("#kills", offset=(20, 0))
        assert selected(app) == 3, "the header is no event"
        await pilot.click("#kills", offset=(20, 2), times=2)
        assert on(app, PostmortemScreen)
        assert "second.py" in shown(app)

    play(scene, EVENTS)


def test_a_click_in_the_panel_opens_that_event_or_all() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        assert "second.py" in shown(app)
        await pilot.click("#events", offset=(20, 2))
        assert on(app, PostmortemScreen)
        assert "second.py" in shown(app)
        await pilot.press("q")
        await pilot.click("#events", offset=(5, 0))
        assert on(app, OomScreen)
        await pilot.press("o")
        assert on(app, MainScreen)

    play(scene, EVENTS)


def test_a_click_beside_the_events_opens_nothing() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.click("#events", offset=(5, 2))
        assert on(app, MainScreen)

    play(scene, [])


def test_the_cursor_stays_on_its_event_when_another_is_killed() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o", "down")
        await tell(app, pilot, event(id=9, time=AT + 5))
        assert selected(app) == 2
        assert "of 5" in shown(app)
        await pilot.press("home")
        assert selected(app) == 9
        await tell(app, pilot, event(id=10, time=AT + 9))
        assert selected(app) == 10, "at the top it follows the newest"

    play(scene, EVENTS)


def test_an_open_post_mortem_learns_what_becomes_known() -> None:
    bare = event(id=1, victims=(), others=(), evidence="none")

    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o", "enter")
        assert "only the count is known" in shown(app)
        await tell(app, pilot, by("kernel-log", id=1))
        assert "certain: the kernel log says so" in shown(app)
        await tell(app, pilot, event(id=2, time=AT + 60))
        assert "certain: the kernel log says so" in shown(app), "another one is another page"

    play(scene, [bare])


def test_the_whole_page_can_be_scrolled() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o", "enter")
        assert "the log's own record" not in shown(app)
        await pilot.press("end")
        await pilot.pause()
        assert "Killed process 4821" in shown(app)
        await pilot.press("home")
        await pilot.pause()
        assert "OOM kill" in shown(app)

    play(scene, EVENTS, (80, 24))


@pytest.mark.parametrize("keys", [("o",), ("o", "enter")], ids=["list", "page"])
def test_y_copies_the_whole_text_and_says_so(keys: tuple[str, ...]) -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press(*keys, "y")
        await pilot.pause()
        assert "sent to the terminal's clipboard" in shown(app)
        for fact in ("python3 4821", "64.0 MiB (67108864 bytes)", "Killed process 4821"):
            assert fact in app.clipboard
        await pilot.press("down")
        await pilot.pause()
        assert "clipboard" not in shown(app)
        assert "Esc back" in shown(app)

    play(scene, EVENTS)


def test_without_events_there_are_words_and_nothing_to_open() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o")
        assert "No OOM kill is known." in shown(app)
        assert "post-mortem" not in shown(app)
        await pilot.press("enter", "y", "down", "end")
        assert on(app, OomScreen)
        await tell(app, pilot, event())
        assert selected(app) == 1

    play(scene, [])


@pytest.mark.parametrize("size", [(40, 10), (60, 12), (80, 24), (160, 50), (300, 90)])
def test_every_size_shows_the_list_and_the_page(size: tuple[int, int]) -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        await pilot.press("o")
        assert "4821" in shown(app)
        await pilot.press("enter")
        assert "OOM kill" in shown(app)
        await pilot.resize_terminal(size[0] + 20, size[1] + 5)
        assert "OOM kill" in shown(app)

    play(scene, EVENTS, size)


def test_hostile_names_are_shown_and_copied_as_what_they_are_not() -> None:
    worst = victim(name=HOSTILE, command=HOSTILE, user=HOSTILE, parent=HOSTILE, cgroup=HOSTILE)
    made = event(
        victims=(worst,), others=(worst,), cgroup=HOSTILE, limit_cgroup=HOSTILE, record=HOSTILE
    )

    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        for keys in ((), ("o",), ("enter",), ("end",)):
            await pilot.press(*keys)
            await pilot.pause()
            text = shown(app)
            assert "[/b][red]x␛" in text
            assert "\x1b" not in text
            assert "\x9b" not in text
        await pilot.press("y")
        assert "[/b][red]x␛" in app.clipboard
        assert app.clipboard.replace("\n", "").isprintable()

    play(scene, [made], (160, 50))


def test_somebody_s_sigkill_is_not_counted_as_an_oom_kill() -> None:
    async def scene(app: MemtuiApp, pilot: Pilot[int]) -> None:
        text = shown(app)
        assert "not by the OOM killer" in text
        assert "no OOM kill" in text.splitlines()[0]

    play(scene, [EVENTS[3]], (160, 36))


# -- in a real terminal, with a real kill


def clipboard(term: Terminal) -> list[str]:
    """What was sent to the terminal's clipboard."""
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", bytes(term.raw))
    return [base64.b64decode(data).decode() for data in found]


GROW = """
import time
held = []
for _ in range(256):
    held.append(b"x" * (1 << 20))
    time.sleep(0.01)
"""


def killed(group: Group, name: str) -> subprocess.Popen[bytes]:
    """A process of that name that the kernel has killed at the group's limit."""
    group.set_limit(64 * MIB)
    argv = ["bash", "-c", 'exec -a "$0" "$@"', name, sys.executable, "-S", "-c", GROW]
    process = group.start(argv, env={**os.environ, "PYTHONHOME": sys.base_prefix})
    assert process.wait(60) == -signal.SIGKILL
    return process


def joined(lines: list[str]) -> str:
    """A page's text without its line breaks: a long path is broken anywhere."""
    return "".join(line.strip() for line in lines)


def test_a_real_kill_from_the_panel_to_the_clipboard(memory_group: Group) -> None:
    with start("--cgroup", memory_group.cgroup, "--delay", "0.2", cols=80, rows=24) as term:
        dead = killed(memory_group, HOSTILE)
        lines = term.wait_for(re.compile(rf"killed.*\b{dead.pid}\b"))
        y = next(y for y, line in enumerate(lines) if "■" in line and str(dead.pid) in line)
        term.click(12, y)
        term.wait_for("what to do next")
        term.wait_for(lambda lines: memory_group.cgroup in joined(lines))
        term.send("y")
        term.wait_for("sent to the terminal's clipboard")
        (text,) = clipboard(term)
        assert f" {dead.pid} " in text
        assert memory_group.cgroup in joined(text.splitlines())
        assert "[/b][red]x␛" in text
        assert "\x1b" not in text
        term.send("Esc")
        term.wait_for(on_main)
        term.send("o")
        term.wait_for(re.compile(rf"HOW SURE[\s\S]*\b{dead.pid}\b"))
