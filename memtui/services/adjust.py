"""Raising and lowering oom_score_adj: who the OOM killer takes sooner, and who later.

Every answer is words for the user; nothing here raises to the UI.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from memtui.kernel import oomscore
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.roots import LIVE
from memtui.model.badness import NEVER, thousandth
from memtui.model.snapshot import Identity, Proc
from memtui.services.actions import Actions
from memtui.services.target import Outcome, not_permitted, refused
from memtui.text import safe
from memtui.units import size

STEP = 100
"""How far one key press goes; the whole range is -1000 (never killed) to 1000 (first)."""
_FIRST = 1000


class Adjuster:
    """Changes oom_score_adj of the process that was shown; the opposite direction undoes it."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._done: dict[Identity, list[tuple[int, int]]] = {}  # (before, after), the last one last

    def shift(self, procs: Sequence[Proc], by: int, total: int | None) -> Outcome:
        """Raise (`by` > 0) or lower oom_score_adj, one sentence for all. Never raises.

        `total` is what a thousandth is of, in bytes (`Doomed.total`).
        """
        outcomes = [self._shift(p, by, total) for p in procs]
        if len(outcomes) == 1:
            return outcomes[0]
        done = [o for o in outcomes if o.kind == "sent"]
        failed = [o for o in outcomes if o.kind != "sent"]
        text = ""
        if done:
            way = "raised: killed sooner" if by > 0 else "lowered: killed later"
            text = f"oom_score_adj of {len(done)} processes {way}; {_undo(by)} undoes it"
        if failed:
            text += f"{'; ' if text else ''}{len(failed)} unchanged: {failed[0].text}"
        return Outcome("sent" if done and not failed else failed[0].kind, text)

    def _shift(self, proc: Proc, by: int, total: int | None) -> Outcome:
        who = f"{safe(proc.name)} {proc.pid}"
        if (forbidden := self._actions.forbidden("nothing was changed")) is not None:
            return forbidden
        if why := _left_alone(proc):
            return Outcome("error", f"{who}: {why}")
        try:
            before = oomscore.read_adj(LIVE, proc.pid)
            goal, undoes = self._goal(proc.identity, before, by)
            if goal == before:
                return Outcome(
                    "error", f"{who}: oom_score_adj is {before} already: {_means(before, total)}"
                )
            after = _reach(proc.identity, before, goal)
        except KernelError as e:
            return _why(e, proc, who)
        self._note(proc.identity, before, after, undoes)
        end = "as it was" if undoes and after == goal else f"{_undo(by)} undoes it"
        short = "" if after == goal else f" (lower needs CAP_SYS_RESOURCE, {_how()})"
        words = f"oom_score_adj {before} -> {after}: {_means(after, total)}"
        return Outcome("sent", f"{who}: {words}{short}; {end}")

    def _goal(self, identity: Identity, before: int, by: int) -> tuple[int, bool]:
        """Where to go, and whether that undoes what was done here last."""
        was, became = (self._done.get(identity) or [(0, 0)])[-1]
        if became == before and (was - became) * by > 0:
            return was, True
        return max(NEVER, min(_FIRST, before + by)), False

    def _note(self, identity: Identity, before: int, after: int, undoes: bool) -> None:
        if undoes:
            self._done[identity].pop()
        else:
            self._done.setdefault(identity, []).append((before, after))


def _undo(by: int) -> str:
    return "F7" if by > 0 else "F8"


def _left_alone(proc: Proc) -> str:
    if proc.kernel_thread:
        return "a kernel thread: the OOM killer never takes it"
    if proc.pid == os.getpid():
        return "this is memtui itself: left alone"
    return "it has ended" if proc.state in "ZX" else ""


def _means(adj: int, total: int | None) -> str:
    if adj == _FIRST:
        return "killed first"
    if adj == NEVER:
        return "never killed by the OOM killer"
    if adj == 0:
        return "weighed by its memory alone"
    when, more = ("sooner", "more") if adj > 0 else ("later", "less")
    if not total:
        return f"killed {when}"
    return f"killed {when}, as if it held {size(abs(adj) * thousandth(total))} {more}"


def _reach(identity: Identity, before: int, goal: int) -> int:
    """Go to `goal`, or as far down as may be. Raises a KernelError where nothing changed."""
    try:
        return oomscore.change_adj(*identity, goal)
    except oomscore.TooLow:
        if before - goal < 2:
            raise
    denied, reached = goal, before  # the least that is allowed lies between: it is told nowhere
    while reached - denied > 1:
        middle = (denied + reached) // 2
        try:
            reached = oomscore.change_adj(*identity, middle)
        except oomscore.TooLow:
            denied = middle
    if reached == before:
        raise oomscore.TooLow(str(identity[0]), "not permitted")
    return reached


def _how() -> str:
    return "which root has not got here" if os.geteuid() == 0 else "as root"


def _why(error: KernelError, proc: Proc, who: str) -> Outcome:
    if isinstance(error, oomscore.TooLow):
        text = f"oom_score_adj stays: to go lower needs CAP_SYS_RESOURCE, {_how()}"
        return Outcome("denied", f"{who}: {text}")
    if isinstance(error, Gone) or not isinstance(error, Denied):
        return refused(error, who)
    return Outcome("denied", f"{who}: {not_permitted(proc.pid)}")
