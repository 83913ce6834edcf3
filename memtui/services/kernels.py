"""Acting on kernels: interrupt, restart, halt; by their server where one has them.

After a signal a Jupyter server starts a kernel anew; only halting it through the server keeps it
from coming back. As with signals, the process that was shown is meant or nobody: before each
request it is looked whether it still is there, with the same connection file.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import LIVE
from memtui.model.classify import connection_file, split
from memtui.model.known import COCALC_KERNEL, SPARE, Known
from memtui.model.notebooks import kernel_id
from memtui.model.snapshot import Identity
from memtui.services import jupyter
from memtui.services.actions import Actions, needs_confirmation
from memtui.services.target import Outcome, Target, gone, not_permitted
from memtui.services.watch import Verdict, came_back

HALT, RESTART, INTERRUPT = "halt", "restart", "interrupt"
_REQUEST_S = 15.0  # a server gives a kernel some seconds to end by itself
_END_S = 15.0
_PAUSE_S = 0.02
_PAST = {HALT: "halted", RESTART: "restarted", INTERRUPT: "interrupted"}

Kernels = Mapping[Identity, Known]
Chosen = list[tuple[Target, Known]]


class Offer(NamedTuple):
    """One thing that can be done with a kernel."""

    name: str
    meaning: str


# -- what is offered


def _has_server(who: Known) -> bool:
    """Whether its server can be asked."""
    return who.server is not None and not who.activity.problem


def _by_signal(who: Known) -> bool:
    """Whether nobody starts it again: then TERM to its group is the way."""
    return who.kind in (COCALC_KERNEL, SPARE) or who.server is None


def meant(targets: Sequence[Target], kernels: Kernels) -> Chosen:
    """Return the kernels among `targets`; none where anybody else is meant, too.

    What is below a kernel goes with it.
    """
    found = [(t, kernels[t.identity]) for t in targets if t.identity in kernels]
    chosen = [(t, w) for t, w in found if w.is_kernel]
    roots = {w.root for _, w in chosen}
    strangers = len(found) < len(targets) or any(w.root not in roots for _, w in found)
    return [] if strangers else chosen


def offers(chosen: Chosen) -> list[Offer]:
    """Return what can be done with all of these kernels, the mildest first."""
    whos = [w for _, w in chosen]
    if not whos or any(not _has_server(w) and not _by_signal(w) for w in whos):
        return []
    found = []
    if all(_has_server(w) for w in whos):
        found.append(Offer(INTERRUPT, "stop what it computes; its variables stay"))
        found.append(Offer(RESTART, "its variables are lost; started anew, empty"))
        found.append(Offer(HALT, "its variables are lost; it stays away"))
    else:
        found.append(Offer(HALT, "TERM to its process group; its variables are lost"))
    return found


def advice(chosen: Chosen) -> str:
    """Return in a sentence what a signal would bring; "" where these are no kernels."""
    whos = [w for _, w in chosen]
    if not whos:
        return ""
    problems = [w.activity.problem for w in whos if not _has_server(w) and not _by_signal(w)]
    if problems:
        return f"{problems[0]}: it cannot be halted from here, and comes back after a signal"
    if all(w.kind == SPARE for w in whos):
        return "CoCalc starts another spare one; COCALC_JUPYTER_POOL_SIZE=0 would end that"
    if any(_has_server(w) for w in whos):
        return "After a signal its server starts it again: only halt keeps it away."
    return ""


# -- doing it


def act(
    actions: Actions, chosen: Chosen, verb: str, confirmed: bool = False
) -> tuple[Chosen, list[Outcome]]:
    """Do it to each; return to whom it was done, and why it was not to the others.

    Waits until those that end have ended: not for the thread that draws. Raises nothing.
    """
    done: Chosen = []
    refused = []
    for target, who in chosen:
        outcome = _one(actions, target, who, verb, confirmed)
        if outcome.sent:
            done.append((target, who))
        else:
            refused.append(outcome)
    if verb != INTERRUPT:
        _wait(lambda: all(t.ended() for t, _ in done))
    return done, refused


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _END_S
    while not condition() and time.monotonic() < end:
        time.sleep(_PAUSE_S)


def _one(actions: Actions, target: Target, who: Known, verb: str, confirmed: bool) -> Outcome:
    if (forbidden := actions.forbidden("nothing was done")) is not None:
        return forbidden
    if target.refusal is not None:
        return target.refusal
    if not confirmed and (why := needs_confirmation(target)):
        return Outcome("unconfirmed", why)
    if target.ended() or not _is_still(target, who):
        return gone(target)
    if _has_server(who):
        return _ask(actions, target, who, verb)
    if verb == HALT and _by_signal(who):
        return _end_group(actions, target, who)
    return Outcome("error", f"{who.label}: {who.activity.problem}")


def _is_still(target: Target, who: Known) -> bool:
    """Whether the process is the kernel that was shown: by start time and connection file."""
    try:
        argv = procfs.read_cmdline(LIVE, target.pid)
    except KernelError:
        return False
    return target.look() is not None and connection_file(split(argv)) == who.file


def _ask(actions: Actions, target: Target, who: Known, verb: str) -> Outcome:
    name, pid = kernel_id(who.file), who.server or 0
    if not name or not jupyter.lives(pid, target.start):
        return Outcome("error", f"{who.label}: its server (PID {pid}) has ended")
    server = jupyter.find_server(os.path.dirname(who.file), pid)
    if isinstance(server, str):
        return Outcome("error", f"{who.label}: {server}")
    method, path = ("DELETE", "") if verb == HALT else ("POST", f"/{verb}")
    actions.killed.add(target.identity)  # its end is not a stranger's doing
    answer = jupyter.request(server, method, f"api/kernels/{name}{path}", _REQUEST_S)
    if answer.done:
        return Outcome("sent", f"{who.label} {_PAST[verb]}")
    why = "its server does not know it" if answer.status == 404 else answer.problem
    return Outcome("error", f"{who.label} not {_PAST[verb]}: {why}")


def _end_group(actions: Actions, target: Target, who: Known) -> Outcome:
    """SIGTERM to the group that a kernel leads, else to itself alone.

    While the leader is not collected its number is not given to another group.
    """
    try:
        leads = os.getpgid(target.pid) == target.pid != os.getpgrp()
        if not leads:
            return actions.send(target, signal.SIGTERM, confirmed=True)
        if target.ended():
            return gone(target)
        os.killpg(target.pid, signal.SIGTERM)
        os.killpg(target.pid, signal.SIGCONT)  # who is stopped ends only when it goes on
    except ProcessLookupError:
        return gone(target)
    except PermissionError:
        return Outcome("denied", f"{who.label}: {not_permitted(target.pid)}")
    return Outcome("sent", f"SIGTERM sent to the group of {who.label}")


# -- what came of it


class KernelWatch:
    """Says in one sentence what became of kernels, once a sample shows what came back."""

    def __init__(self, done: Chosen, verb: str, usage: int | None) -> None:
        """`usage` is that of the level that binds, from before, in bytes."""
        self.targets = [t for t, _ in done]
        self._whos = [w for _, w in done]
        self._verb = verb
        self._before = usage

    def check(self, usage: int | None = None) -> Verdict:
        """Return how they stand; `usage` is the binding level's, read just now (bytes)."""
        left = sum(not t.ended() for t in self.targets)
        first, more = self._whos[0].label, len(self._whos) - 1
        who = f"{first} and {more} more" if more else first
        if left:
            text = f"{who} {_PAST[self._verb]}, but {left} did not end yet"
            return Verdict("alive", text)
        back = None if usage is None or self._before is None else self._before - usage
        memory = came_back("they" if more else "it", sum(t.rss for t in self.targets), back)
        return Verdict("ended", f"{who} {_PAST[self._verb]}: {memory}{self._after()}")

    def _after(self) -> str:
        if self._verb == RESTART:
            return "; started anew, without its variables"
        if all(w.server is not None for w in self._whos):
            return "; not started again"
        return ""
