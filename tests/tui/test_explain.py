"""x: how memory stands and what to do about it, on the screen; and what its keys do."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from memtui.model.advice.catalogue import advise
from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Seen
from memtui.tui.app import MemtuiApp
from memtui.tui.screens.explain import ExplainScreen
from memtui.tui.screens.main import MainScreen
from tests.advice.test_rules import CASES
from tests.support.advising import kernel, provokes, seen
from tests.support.cgroups import MIB, Group
from tests.support.programs import running
from tests.support.terminal import Terminal
from tests.tui.reading import DIALOG, leave, on_main, start
from tests.tui.test_app import lines, show, some

SHM = Path("/dev/shm")
needs_shm = pytest.mark.skipif(not SHM.is_dir(), reason="needs /dev/shm")
pytestmark = pytest.mark.one_world


@contextmanager
def left_behind(group: Group, mib: int) -> Iterator[Path]:
    """Shared memory that a program of the group made ten minutes ago and left."""
    path = SHM / f"psm_memtui{secrets.token_hex(4)}"
    write = f"for _ in range({mib}): f.write(b'x' * (1 << 20))"
    try:
        made = group.python(f"f = open({str(path)!r}, 'xb', buffering=0)\n{write}")
        assert made.wait(60) == 0
        os.utime(path, (time.time() - 600,) * 2)
        yield path
    finally:
        path.unlink(missing_ok=True)


def explained(term: Terminal, words: str) -> None:
    term.wait_for(on_main)
    term.send("x")
    term.wait_for(words)


@needs_shm
def test_what_is_suggested_is_done_by_a_key_or_a_click_after_a_question(
    memory_group: Group,
) -> None:
    memory_group.set_limit(200 * MIB)
    with (
        left_behind(memory_group, 70) as path,
        running("hog", memory_group, mib=90) as hog,
        start("--cgroup", memory_group.cgroup, cols=100, rows=40) as term,
    ):
        hog.wait_for("done")
        explained(term, f"1  {path} is shared memory of 70 MiB")
        term.wait_for("of 200 MiB are in use")
        term.send("1")
        term.wait_for(f"Delete {path}?")
        term.send("n")
        term.wait_for(on_main)
        assert path.exists()
        explained(term, f"1  {path} is shared memory of 70 MiB")
        term.click(*term.find("left behind"))
        term.wait_for("y delete it")
        term.send("y")
        term.wait_for(re.compile(r"deleted .*: 70\.0M come back"))
        assert not path.exists()
        memory_group.limit_file.write_text(str(100 * MIB))
        explained(term, "is the biggest")
        term.send("1")
        term.wait_for(DIALOG)
        term.wait_for(str(hog.pid))
        term.send("Esc")
        term.wait_for(on_main)
        assert hog.process.poll() is None


@needs_shm
def test_read_only_nothing_is_deleted_in_any_way(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    with (
        left_behind(memory_group, 70) as path,
        start("--readonly", "--cgroup", memory_group.cgroup, cols=80, rows=24) as term,
    ):
        explained(term, "is shared memory of 70 MiB")
        term.send("1")
        term.wait_for("memtui runs read-only: nothing is deleted")
        assert path.exists()


@needs_shm
def test_files_in_memory_are_deleted_one_by_one(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    with (
        running("tmpfs", memory_group, directory=SHM, mib=70) as writer,
        start("--cgroup", memory_group.cgroup, cols=100, rows=30) as term,
    ):
        writer.wait_for("done")
        path = SHM / f"memtui-test-{writer.pid}"
        explained(term, "1  Files in /dev/shm take 70 MiB")
        term.send("1")
        term.wait_for(re.compile(rf"70\.0M .*\w+ {writer.pid} +{path}"))
        row = next(line for line in term.lines() if str(path) in line)
        for _ in range(200):  # others' files may be bigger
            y = term.find(str(path))[1]
            if term.cells()[y][1].bg == term.cells()[y][90].bg != term.cells()[y + 4][1].bg:
                break
            term.send("Down")
        assert "70.0M" in row
        term.send("d")
        term.wait_for(f"Delete {path}?")
        term.wait_for(re.compile(rf"Open in \w+ {writer.pid}\."))
        term.send("y")
        term.wait_for(re.compile(rf"deleted .*come back when it is closed by \w+ {writer.pid}"))
        assert not path.exists()
        term.send("Esc")
        term.wait_for("as of ")
        leave(term)


def play(found: Seen, key: str, wanted: str) -> None:
    """Press a key on the explanation of records; the words must come on the screen."""

    async def body(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, MemtuiApp)
        main = app.screen_stack[0]
        assert isinstance(main, MainScreen)
        told = Explained(found, advise(found))
        app.push_screen(ExplainScreen(lambda: told, main.advising.do))
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert any(told.advice[0].say[:30] in line for line in lines(pilot))
        keys = " ".join(str(n) for n, a in enumerate(told.advice, 1) if a.action)
        assert f"{keys} do it (asks first)" in lines(pilot)[-1]
        await pilot.press(key)
        await pilot.pause()
        await pilot.pause()
        assert any(wanted in line for line in lines(pilot)), "\n".join(lines(pilot))

    show(body, some(9))


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("rlimit-hit", "prlimit --pid 5 --data="),
        ("restart-loop", "OOM events"),
        ("zombie", "narrowed to what was suggested"),
        ("swap-thrash", "Send signal"),
    ],
)
def test_each_way_of_acting(case: str, wanted: str) -> None:
    play(next(c for c in CASES if c.id == case).fires, "1", wanted)


def test_a_key_without_a_suggestion_does_nothing() -> None:
    play(seen(300, kernel(5, 100, 60)), "3", "n5.ipynb holds 100 MiB")


@provokes("low-overhead", "memtui's own screen in a full group")
def test_memtui_says_when_it_is_itself_too_big(memory_group: Group) -> None:
    memory_group.set_limit(400 * MIB)
    enter = f'echo 0 >"{memory_group.dir}/cgroup.procs"; exec "$@"'
    with start(cols=100, rows=40, prefix=("sh", "-c", enter, "sh")) as term:
        term.wait_for(on_main)
        usage = "memory.current" if memory_group.version == 2 else "memory.usage_in_bytes"
        memory_group.limit_file.write_text(str(int(memory_group.read(usage)) * 10 // 9))
        explained(term, "memtui itself needs")
        term.wait_for("memtui ps --limit-rows 10")
