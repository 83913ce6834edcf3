"""A signal to a whole tree, so that no fork in between escapes.

Where the tree is exactly a v2 cgroup, the kernel kills that at once. Elsewhere everybody is
stopped first, then it is looked who was born meanwhile, until nobody new is found: who stands
still forks no more. Blocks for some ms, at worst for seconds: not for the thread that draws.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memtui.kernel import killgroup, proctree
from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import TICKS_PER_S, Kin
from memtui.model.snapshot import Identity
from memtui.services.actions import Actions, ancestors, needs_confirmation
from memtui.services.signals import is_ending, name_of
from memtui.services.target import Outcome, Target, named

_SETTLE_S = 4.0  # that standing still may take
_STILL_S = 0.25  # of these, how long one round waits for who does not stop, as in state D
_PAUSE_S = 0.002


class Sent(NamedTuple):
    """What became of one signal to several: the sentence, and whom to follow."""

    text: str
    targets: list[Target]  # who got it, with those born meanwhile; to be closed
    refused: list[Outcome]

    @property
    def sent(self) -> bool:
        """Whether everybody got it."""
        return bool(self.targets) and not self.refused


def now_ticks() -> int:
    """Return the time as start times of processes are counted: clock ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S)


def send_all(
    actions: Actions, targets: Sequence[Target], sig: int, confirmed: bool = False
) -> Sent:
    """Send `sig` to each of `targets` and to nobody else. Never raises."""
    return _deliver(actions, targets, sig, confirmed)


def send_tree(
    actions: Actions, shown: Sequence[Target], sig: int, since: int, confirmed: bool = False
) -> Sent:
    """Send `sig` to everybody in `shown` and to their descendants that were born meanwhile.

    `since` is when they were shown (`now_ticks`). Never raises. While the signal is given out
    the others stand still; afterwards who was halted for that goes on.
    """
    asks = [] if confirmed else [why for t in shown if (why := needs_confirmation(t))]
    if asks:
        return Sent(asks[0], [], [Outcome("unconfirmed", asks[0])])
    if actions.readonly or sig == signal.SIGCONT:
        return send_all(actions, shown, sig, confirmed)
    herd = Herd(shown, since)
    if sig == signal.SIGKILL and (path := _kill_group(actions, herd)):
        text = f"SIGKILL sent to all of cgroup {path}: {named(herd.living())}"
        return Sent(text, herd.living(), [])
    try:
        herd.halt()
        sent = _deliver(actions, herd.in_order(), sig, True, herd.born)
        if sig == signal.SIGKILL:
            herd.finish(actions)
            sent.targets[len(sent.targets) :] = herd.late
    finally:
        if sig not in (signal.SIGKILL, signal.SIGSTOP):
            herd.go_on(everybody=is_ending(sig))
    return sent


def _deliver(
    actions: Actions,
    targets: Iterable[Target],
    sig: int,
    confirmed: bool,
    born: Sequence[Target] = (),
) -> Sent:
    told = {t: actions.send(t, sig, confirmed) for t in targets}
    for target in [t for t in born if told[t].kind == "gone"]:  # it had not long to live
        del told[target]
        target.close()
    took = [t for t, outcome in told.items() if outcome.sent]
    refused = [outcome for outcome in told.values() if not outcome.sent]
    if len(told) == 1:
        text = next(iter(told.values())).text
    elif took:
        new = sum(t in took for t in born)
        text = f"{name_of(sig)} sent to {named(took)}"
        text += f", {new} of them born meanwhile" if new else ""
        text += f"; {len(refused)} not sent: {refused[0].text}" if refused else ""
    else:
        text = f"{len(refused)} not sent: {refused[0].text}" if refused else "nobody to send it to"
    return Sent(text, took, refused)


class Herd:
    """A tree: those that were shown, and who was born of them since."""

    def __init__(self, shown: Sequence[Target], since: int) -> None:
        self.born: list[Target] = []
        self.late: list[Target] = []  # found when the others had their SIGKILL already
        self._shown = list(shown)
        self._since = since
        self._known = {t.identity for t in shown}
        self._halted: list[tuple[Target, bool]] = []  # whether it was stopped before
        self._led: set[int] = set()  # sessions whose leader is, or was, one of them
        me = os.getpid()
        self._ours = {me, *ancestors(me)}

    def in_order(self) -> list[Target]:
        """Return everybody; what memtui runs inside comes last, or the others would get nothing."""
        everybody = [*self._shown, *self.born]
        return sorted(everybody, key=lambda t: (t.pid in self._ours, t.pid == os.getpid()))

    def living(self) -> list[Target]:
        """Return who could get a signal when it was opened."""
        return [t for t in [*self._shown, *self.born] if t.refusal is None]

    def halt(self) -> None:
        """Stop everybody, and who is found meanwhile, until nobody new is found."""
        end = time.monotonic() + _SETTLE_S
        fresh = [t for t in self._shown if t.refusal is None]
        while fresh:
            for target in fresh:
                self._stop(target)
            self._wait_still(end)
            fresh = [] if time.monotonic() > end else self.find_born()
            self.born += fresh

    def _stop(self, target: Target) -> None:
        if target.pid in self._ours:
            return
        look = target.look()
        with contextlib.suppress(KernelError, OverflowError):
            target.deliver(signal.SIGSTOP)
            self._halted.append((target, look is not None and look.stat.state in b"Tt"))

    def _wait_still(self, end: float) -> None:
        """Wait until all who were stopped stand still; who cannot be stopped is not waited for."""
        end = min(end, time.monotonic() + _STILL_S)
        moving = [t for t, _ in self._halted]
        while moving := [t for t in moving if not (t.ended() or proctree.is_still(t.pid))]:
            if time.monotonic() > end:
                return
            time.sleep(_PAUSE_S)

    def go_on(self, everybody: bool) -> None:
        """Continue who was halted; also who was stopped before, if `everybody`."""
        for target, stopped_before in self._halted:
            if everybody or not stopped_before:
                with contextlib.suppress(KernelError, OverflowError):
                    target.deliver(signal.SIGCONT)

    def finish(self, actions: Actions) -> None:
        """SIGKILL who could not be stopped, and so was born even now."""
        end = time.monotonic() + _SETTLE_S
        while (fresh := self.find_born()) and time.monotonic() < end:
            self.late += [t for t in fresh if actions.send(t, signal.SIGKILL, True).sent]

    def find_born(self) -> list[Target]:
        """Return descendants that are not known yet, held fast."""
        fresh = self.find_below()
        self._known |= fresh
        return [t for identity in sorted(fresh) if (t := _hold(identity)) is not None]

    def find_below(self) -> set[Identity]:
        """Return who the descendants are that are not known yet.

        Whose parent has ended is found by its session, which only descendants of its leader are
        in; of these, who was there when the others were shown is left alone.
        """
        table = proctree.read_all_kin()
        family = {pid for pid, start in self._known if pid in table and table[pid].start == start}
        self._led |= {p for p in family if table[p].session == p}
        sessions = {table[p].session for p in family} & self._led
        found = {p for p, k in table.items() if k.session in sessions and k.start >= self._since}
        found |= _below(family | found, table)
        return {(p, table[p].start) for p in found if _lives(table[p])} - self._known


def _lives(kin: Kin) -> bool:
    return kin.living or kin.threads > 1  # its first thread has ended, others have not


def _below(family: set[int], table: dict[int, Kin]) -> set[int]:
    """Return everybody below `family`, it included."""
    found, grown = set(family), -1
    while grown != len(found):
        grown = len(found)
        found |= {p for p, k in table.items() if k.ppid in found}
    return found


def _hold(identity: Identity) -> Target | None:
    target = Target.open_pid(identity[0])
    if target.identity == identity:
        return target
    target.close()  # ended already: whoever has its number now is a stranger
    return None


def _kill_group(actions: Actions, herd: Herd) -> str:
    """Kill by cgroup.kill where a v2 cgroup holds exactly the herd; return its path, else ""."""
    living = [t for t in herd.living() if not t.ended()]
    pids = {t.pid for t in living}
    whole = killgroup.find_whole(pids)
    if whole is None or os.getpid() in pids:
        return ""
    members = killgroup.read_members(whole)
    herd.born += herd.find_born()
    known = {t.pid for t in herd.living()}
    if not pids <= members or not members <= known:
        return ""
    actions.killed |= {t.identity for t in herd.living()}
    try:
        killgroup.kill_whole(whole)
    except KernelError:
        return ""
    return whole.path
