"""The mark of whom the OOM killer would take: on the right row, in words, and moving at once."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from functools import partial
from operator import ne

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.holders import Holder, Holders, holders, relimit
from tests.support.procs import until
from tests.support.terminal import Terminal
from tests.tui.reading import (
    amount,
    cursor,
    leave,
    on_main,
    row_of,
    row_wait,
    sorted_by,
    start,
    table,
)

MARK = "†"


@pytest.fixture
def make() -> Iterator[Holders]:
    with holders() as made:
        yield made


@pytest.fixture
def group(memory_group: Group) -> Group:
    memory_group.set_limit(64 * MIB)
    return memory_group


def watch(group: Group, **more: dict[str, str]) -> Terminal:
    """memtui that looks at a group, from outside it."""
    return start("--cgroup", group.cgroup, "--delay", "0.2", rows=60, env=more.get("env"))


def marked(lines: list[str]) -> list[int]:
    """The PIDs of the rows whose command the mark stands before."""
    return [r.pid for r in table(lines) if r.cells["COMMAND"].startswith(MARK)]


def wait_mark(term: Terminal, *pids: int) -> None:
    """Wait until these rows, and no others, bear the mark."""
    term.wait_for(lambda lines: sorted(marked(lines)) == sorted(pids))


def test_the_mark_is_on_who_dies_and_then_on_the_next(group: Group, make: Holders) -> None:
    small, big = make(group, 6), make(group, 14)
    filler = Holder(group)
    try:
        with watch(group) as term:
            wait_mark(term, big.pid)
            filler.fill(group, 128)
            until(lambda: not big.alive)
            filler.empty()
            if small.alive:
                wait_mark(term, small.pid)
    finally:
        filler.close()


def test_the_mark_moves_with_an_adj_and_with_the_limit(group: Group, make: Holders) -> None:
    big, blamed = make(group, 16), make(group, 2)
    with watch(group) as term:
        wait_mark(term, big.pid)
        blamed.adj(500)
        wait_mark(term, blamed.pid)
        blamed.adj(180)
        wait_mark(term, big.pid)
        relimit(group, 200 * MIB)
        wait_mark(term, blamed.pid)
        relimit(group, 64 * MIB)
        wait_mark(term, big.pid)


@pytest.mark.one_world
def test_the_mark_stays_on_its_process_in_another_order(group: Group, make: Holders) -> None:
    big = make(group, 14)
    with watch(group) as term:
        wait_mark(term, big.pid)
        term.send("M")
        term.wait_for(sorted_by("RES", amount, True))
        term.send("I")
        term.wait_for(sorted_by("RES", amount, False))
        assert marked(term.lines()) in ([big.pid], [])
        term.send("M")
        wait_mark(term, big.pid)


def point_until(term: Terminal, pid: int) -> None:
    """Click a process's row until the cursor is on it: on a busy machine rows move meanwhile."""

    def there(_: list[str]) -> bool:
        row = cursor(term)
        return row is not None and row.pid == pid

    end = time.monotonic() + 20
    while True:
        term.click(20, row_wait(term, pid).y)
        with contextlib.suppress(AssertionError):
            term.wait_for(there, 1)
            return
        assert time.monotonic() < end, "never under the pointer"


@pytest.mark.one_world
def test_a_tagged_row_keeps_its_colour_beside_the_mark(group: Group, make: Holders) -> None:
    big, other = make(group, 14), make(group, 10)
    with watch(group) as term:
        wait_mark(term, big.pid)
        for number, holder in enumerate((big, other), 1):
            point_until(term, holder.pid)
            term.send("Space")
            term.wait_for(f"{number} tagged")  # a click may overtake a key
        term.send("Home")

        def alike(lines: list[str]) -> bool:
            rows = [row_of(lines, h.pid) for h in (big, other)]
            drawn = term.cells()
            looks = [{drawn[r.y][x].fg for x in range(6)} for r in rows if r is not None]
            return len(looks) == 2 and looks[0] == looks[1] and marked(lines) == [big.pid]

        term.wait_for(alike)


@pytest.mark.one_world
def test_without_colour_the_mark_is_still_there(group: Group, make: Holders) -> None:
    big = make(group, 14)
    with watch(group, env={"NO_COLOR": "1"}) as term:
        wait_mark(term, big.pid)


def scroll_to(term: Terminal, text: str) -> None:
    """Page on until the text stands on the screen."""
    for _ in range(20):
        before = term.lines()
        if any(text in line for line in before):
            return
        term.send("PgDn")
        term.wait_for(partial(ne, before))
    raise AssertionError(f"no {text} on any page")


@pytest.mark.one_world
def test_help_says_what_the_mark_means_and_who_it_is(group: Group, make: Holders) -> None:
    big = make(group, 14)
    make(group, 4)
    with watch(group) as term:
        wait_mark(term, big.pid)
        term.send("h")
        term.wait_for("keys, columns, colours")
        scroll_to(term, "the OOM killer would take this one")
        term.wait_for(re.compile(rf"now: python\S* {big.pid} \(RES \S+\); \S+M worse than"))
        leave(term)
        term.wait_for(on_main)


@pytest.mark.memory_v2
def test_all_who_die_together_are_marked(memory_group: Group, make: Holders) -> None:
    memory_group.set_limit(64 * MIB)
    one, two = memory_group.child("one"), memory_group.child("two")
    make(one, 4)
    together = [make(two, 12), make(two, 2)]
    with watch(memory_group) as term:
        wait_mark(term, together[0].pid)
        (two.dir / "memory.oom.group").write_text("1")
        wait_mark(term, *(h.pid for h in together))


@pytest.mark.one_world
def test_in_a_narrow_terminal_the_mark_stays(group: Group, make: Holders) -> None:
    big = make(group, 14)
    make(group, 2)
    only = f"cgroup~{group.dir.name}"  # whatever else is big here
    watched = "--cgroup", group.cgroup, "--delay", "0.2", "--filter", only
    with start(*watched, cols=60, rows=40) as term:
        wait_mark(term, big.pid)
