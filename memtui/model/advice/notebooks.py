"""Advice on notebooks: kernels that rest, that nobody can reach, that are killed again and again.

Facts: a closed tab leaves its kernel running; a kernel that is ended by a signal is started anew by
its Jupyter server, so halting goes through the server; CoCalc keeps one spare kernel ready.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from memtui.model.advice.terms import LOSES, SHARE, Action, Advice, Family, Seen, amount
from memtui.units import duration

IDLE_S = 1800.0
_MANY, _MANY_SHARE = 3, 0.25
_LOOP, _LOOP_S = 2, 600.0
_FILE = re.compile(r"kernel-[\w.-]{1,64}\.json")
_LOST = "Its variables are lost; the notebook's text and outputs stay."
_MENU = "In Jupyter: File > Close and Shut Down Notebook, or Running > Shut Down."


def _rests(seen: Seen, k: Family) -> bool:
    return not (k.activity.orphaned or k.spare) and k.idle_s is not None and k.idle_s >= IDLE_S


def _halt(k: Family) -> Action:
    return Action("kill", f"halt {k.title}", (k.proc.identity,))


def _how(k: Family) -> tuple[str, ...]:
    if k.server:
        return (_MENU, "A signal is no way: its server starts the kernel anew.")
    return (_MENU.partition(",")[0] + "; or send SIGTERM to its process group.",)


def _tabs(k: Family) -> str:
    count = k.activity.connections
    if count is None:
        return ""
    tabs = {0: "no tab is", 1: "1 tab is"}.get(count, f"{count} tabs are")
    return f"; {tabs} open on it"


def _source(k: Family) -> str:
    """How it is known that a kernel rests."""
    return k.activity.evidence or "CPU time"


def idle_kernel(seen: Seen) -> Iterator[Advice]:
    """A kernel that holds memory and has not worked for half an hour."""
    for k in seen.kernels:
        if _rests(seen, k) and seen.share(k.tree) > SHARE:
            idle, more = duration(k.idle_s or 0), " or more" if k.at_least else ""
            yield Advice(
                "idle-kernel",
                f"{k.title} holds {amount(k.tree)} and has been idle for {idle}{more}. Closing"
                " its tab does not stop it; halting it does.",
                k.tree,
                f"known from {_source(k)}; nothing below it works{_tabs(k)}",
                _LOST,
                _how(k),
                _halt(k),
                LOSES,
                at_most=True,
            )


def many_kernels(seen: Seen) -> Iterator[Advice]:
    """Several idle kernels, as after grading or reading through a course."""
    idle = [k for k in seen.kernels if _rests(seen, k)]
    total = sum(k.tree for k in idle)
    if len(idle) < _MANY or seen.share(total) <= _MANY_SHARE:
        return
    names = ", ".join(k.title for k in idle[:3]) + (", …" if len(idle) > 3 else "")
    yield Advice(
        "many-kernels",
        f"{len(idle)} idle notebooks hold {amount(total)}: {names}. Halt each after use, and do not"
        " open all at once.",
        total,
        f"none of them worked for {duration(min(k.idle_s or 0 for k in idle))}",
        "Their variables are lost; text and outputs of the notebooks stay.",
        (
            _MENU,
            "To have the server do it after an hour, in jupyter_server_config.py:",
            "  c.MappingKernelManager.cull_idle_timeout = 3600",
        ),
        Action("kill", f"halt {len(idle)} kernels", tuple(k.proc.identity for k in idle)),
        LOSES,
        at_most=True,
    )


def orphan_kernel(seen: Seen) -> Iterator[Advice]:
    """A kernel whose server is gone."""
    for k in seen.kernels:
        if k.activity.orphaned:
            yield Advice(
                "orphan-kernel",
                f"{k.title} is a kernel whose Jupyter server is gone: nobody can reach it any more,"
                f" and it holds {amount(k.tree)}.",
                k.tree,
                "its server's process is not there",
                "What it computes now ends; no notebook can get at its variables anyway.",
                ("End it: SIGTERM to its process group.",),
                Action("kill", f"end {k.title}", (k.proc.identity,)),
                1,
                at_most=True,
            )


def pool_spare(seen: Seen) -> Iterator[Advice]:
    """CoCalc's kernel that is made in advance."""
    for k in seen.kernels:
        if k.spare:
            yield Advice(
                "pool-spare",
                f"CoCalc keeps a spare kernel ready, so that the next notebook opens at once. It"
                f" costs {amount(k.tree)}; ending it brings a new one.",
                k.tree,
                "a kernel without a notebook, in the home directory, that has not worked",
                "The next notebook takes some seconds to start.",
                (
                    "In the project's settings, as custom environment variables:",
                    '  {"COCALC_JUPYTER_POOL_SIZE": "0"}',
                    "Then restart the project.",
                ),
                Action("copy", "copy the setting", text='{"COCALC_JUPYTER_POOL_SIZE": "0"}'),
                1,
                at_most=True,
            )


def _loops(seen: Seen) -> Sequence[tuple[str, int, int | None]]:
    """Connection files of kernels that were killed again and again: file, times, biggest RES."""
    times: Counter[str] = Counter()
    sizes: dict[str, int | None] = {}
    for event in seen.events:
        if seen.time - event.time > _LOOP_S or event.kind != "oom":
            continue
        for victim in event.victims:
            if file := _FILE.search(victim.command):
                times[file.group()] += 1
                rss = max(victim.rss or 0, sizes.get(file.group()) or 0)
                sizes[file.group()] = rss or None
    return [(file, n, sizes[file]) for file, n in times.items() if n >= _LOOP]


def restart_loop(seen: Seen) -> Iterator[Advice]:
    """A kernel that the OOM killer takes and its server starts anew, again and again."""
    for file, times, rss in _loops(seen):
        now = next((k for k in seen.kernels if file in k.proc.command), None)
        title = now.title if now else "a notebook's kernel"
        yield Advice(
            "restart-loop",
            f"{title} was killed {times} times within 10 minutes for want of memory, and started"
            " anew each time. It needs more than there is.",
            None,
            f"the same connection file each time; last seen with {amount(rss)}",
            "None: its variables are gone already.",
            (
                "Run the cells one by one, and watch which needs the memory.",
                "Load less of the data; or try the program with a limit of its own:",
                "  memtui run --limit 50% -- python script.py",
            ),
            Action("kills", "show what was killed"),
            1,
            urgent=True,
        )
