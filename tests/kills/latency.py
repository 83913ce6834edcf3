"""How long after its death a victim is named, to a listener and on the screen."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence

from memtui.services.oomwatch import WINDOW_S
from tests.kills.scenarios import LIMIT, Child
from tests.kills.watched import watching
from tests.support.cgroups import Group, memory_group_of
from tests.support.programs import line
from tests.support.terminal import Terminal

_LATE_S = 10.0


def _hog(group: Group) -> Child:
    child = Child(line("hog", mib=200, pause=0.004), group)
    child.wait()
    return child


def to_listener(kills: int) -> tuple[list[float], list[float], int]:
    """Return seconds until a kill was counted, until it was named, and how many were never."""
    counted, named, lost = [], [], 0
    with memory_group_of(limit=LIMIT) as group, watching("self", group.cgroup) as watched:
        for number in range(kills):
            child = _hog(group)
            pid, place = child.pid, group.cgroup

            def known(pid: int = pid, place: str = place) -> bool:
                return any(v["pid"] == pid for t in watched.told(place) for v in t["victims"])

            if watched.until(known, _LATE_S):
                told = watched.told(place)
                named.append(
                    next(t["told_at"] for t in told if any(v["pid"] == pid for v in t["victims"]))
                    - child.ended
                )
            else:
                lost += 1
            totals: dict[int, int] = {}
            for t in watched.told(place):
                totals[t["id"]] = t["count"]
                if sum(totals.values()) > number:
                    counted.append(t["told_at"] - child.ended)
                    break
            child.end()
    return counted, named, lost


def to_screen(kills: int) -> tuple[list[float], int]:
    """Return seconds until a screen of 120 x 40 names the victim, and how many it never did."""
    found, lost = [], 0
    with memory_group_of(limit=LIMIT) as group:
        argv = [sys.executable, "-m", "memtui", "--delay", "5", "--cgroup", group.cgroup]
        with (
            tempfile.TemporaryDirectory(prefix="memtui-state-") as state,
            Terminal(argv, 120, 40, {"XDG_STATE_HOME": state}) as term,
        ):
            term.wait_for("F10")
            time.sleep(2.0)  # a tool, no test: until the first frame has become the TUI
            for _ in range(kills):
                child = _hog(group)
                shown = re.compile(rf"■.* {child.pid} \(")
                try:
                    term.wait_for(shown, _LATE_S)
                    found.append(time.time() - child.ended)
                except AssertionError:
                    lost += 1
                    print(f"never saw {child.pid}:", *term.lines()[-10:], sep="\n", file=sys.stderr)
                child.end()
                time.sleep(WINDOW_S + 0.5)  # the next is an event of its own
            term.send("q")
            term.exit_status()
    return found, lost


def words(name: str, times: Sequence[float], lost: int = 0) -> str:
    """One line: a distribution in ms."""
    ranked = sorted(times)
    if not ranked:
        return f"{name:<28} none of {lost}"

    def at(share: float) -> str:
        return f"{1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]:>7.1f}"

    head = f"{name:<28} {len(ranked):>4} kills  min {at(0)}  median {at(0.5)}"
    tail = f"  p90 {at(0.9)}  max {at(1)} ms"
    return head + tail + (f"; {lost} never" if lost else "")


def show(kills: int) -> None:
    """Print the distributions; times count from when the victim's parent knew of its death."""
    with contextlib.suppress(PermissionError):
        os.nice(-5)
    counted, named, lost = to_listener(kills)
    print(words("counted, to the listener", counted))
    print(words("named, to the listener", named, lost), flush=True)
    print(words("named, on the screen", *to_screen(kills)), flush=True)
