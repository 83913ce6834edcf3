"""What became of a signal: who ended, who is still there and why, how much memory came back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from signal import SIGCONT, SIGSTOP
from typing import Literal, NamedTuple

from memtui.services.signals import is_ending, name_of
from memtui.services.target import Look, Target, has, named, note_on, uncollected
from memtui.units import size

PATIENCE_S = 5.0
"""Seconds after which a process that is still there is worth a stronger signal."""
_STOP_S = 2.0  # seconds that stopping may take
_REAP_S = 0.3  # a living parent collects its child sooner


class Verdict(NamedTuple):
    """What became of the process since the signal; `text` is safe to display."""

    state: Literal["waiting", "alive", "ended", "uncollected"]
    text: str
    offer_kill: bool = False
    dying: bool = False  # it has ended, and its parent may collect it yet
    came_back: int | None = None  # bytes, before - after; None where the usage is unknown

    @property
    def ended(self) -> bool:
        """Whether all have died, collected or not."""
        return self.state in ("ended", "uncollected") or self.dying

    @property
    def final(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.state in ("ended", "uncollected")


class Watch:
    """Follows one signalled process until it ends. Ask `check` as often as you like."""

    def __init__(
        self,
        target: Target,
        sig: int,
        usage: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.sig = sig
        self._before = usage
        self._clock = clock
        self._since = clock()
        self._died: float | None = None

    @property
    def targets(self) -> list[Target]:
        """Whom it follows."""
        return [self.target]

    def check(self, usage: int | None = None) -> Verdict:
        """Return how it stands; `usage` is the binding level's, read just now (bytes)."""
        now = self._clock()
        if not self.target.ended():
            return self._alive(now - self._since)
        self._died = now if self._died is None else self._died
        zombie = self.target.look()
        if zombie is not None and now - self._died < _REAP_S:
            return Verdict("waiting", f"{self.target.label} is ending", dying=True)
        back = None if usage is None or self._before is None else self._before - usage
        how = f"ended after {name_of(self.sig)}" if zombie is None else uncollected(zombie.stat)
        text = f"{self.target.label} {how}; {came_back('it', self.target.rss, back)}"
        return Verdict("ended" if zombie is None else "uncollected", text, came_back=back)

    def _alive(self, age_s: float) -> Verdict:
        who, name = self.target.label, name_of(self.sig)
        if not is_ending(self.sig):
            return self._not_ending(age_s)
        if age_s < PATIENCE_S:
            return Verdict("waiting", f"waiting for {who} to end ({int(age_s)} s)")
        look = self.target.look()
        why = _why_alive(look, self.sig) if look is not None else ""
        text = f"{who} is still there {int(age_s)} s after {name}{why}"
        return Verdict("alive", text, offer_kill=self.sig != 9)

    def _not_ending(self, age_s: float) -> Verdict:
        who, look = self.target.label, self.target.look()
        if self.sig == SIGCONT:
            return Verdict("alive", f"{who} goes on after SIGCONT")
        if self.sig != SIGSTOP:
            return Verdict("alive", f"{who} is alive after {name_of(self.sig)}")
        if look is not None and look.stat.state in b"Tt":
            return Verdict("alive", f"{who} is paused; {_kept('it keeps', self.target.rss)}")
        if age_s < _STOP_S:
            return Verdict("waiting", f"waiting for {who} to stop")
        return Verdict("alive", f"{who} does not stop: {_running(look)}")


class CrowdWatch:
    """Follows several that got the same signal, and says one sentence of all."""

    def __init__(
        self,
        targets: Sequence[Target],
        sig: int,
        usage: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.targets = list(targets)
        self.sig = sig
        self._before = usage
        self._clock = clock
        self._since = clock()

    def check(self, usage: int | None = None) -> Verdict:
        """Return how they stand; `usage` is the binding level's, read just now (bytes)."""
        age_s = self._clock() - self._since
        left = [t for t in self.targets if not t.ended()]
        if not left:
            back = None if usage is None or self._before is None else self._before - usage
            held = sum(t.rss for t in self.targets)
            text = f"{named(self.targets)} ended after {name_of(self.sig)}"
            text += f"; {came_back('they', held, back)}"
            return Verdict("ended", text, came_back=back)
        if not is_ending(self.sig):
            return self._not_ending(left, age_s)
        of = f"{len(left)} of {len(self.targets)}"
        if age_s < PATIENCE_S:
            return Verdict("waiting", f"waiting for {of} to end ({int(age_s)} s)")
        look = left[0].look()
        why = _why_alive(look, self.sig) if look is not None else ""
        who = f"{left[0].label}{why}" + (" and others" if len(left) > 1 else "")
        text = f"{of} are still there {int(age_s)} s after {name_of(self.sig)}: {who}"
        return Verdict("alive", text, offer_kill=self.sig != 9)

    def _not_ending(self, left: Sequence[Target], age_s: float) -> Verdict:
        if self.sig == SIGCONT:
            return Verdict("alive", f"{len(left)} processes go on after SIGCONT")
        if self.sig != SIGSTOP:
            return Verdict("alive", f"{len(left)} processes are alive after {name_of(self.sig)}")
        looks = {t: look for t in left if (look := t.look()) is not None}
        moving = [t for t, look in looks.items() if look.stat.state not in b"Tt"]
        if not moving:
            kept = _kept("they keep", sum(t.rss for t in left))
            return Verdict("alive", f"{len(left)} processes are paused; {kept}")
        if age_s < _STOP_S:
            return Verdict("waiting", f"waiting for {len(moving)} of {len(left)} to stop")
        first = f"{moving[0].label}: {_running(looks[moving[0]])}"
        return Verdict("alive", f"{len(moving)} of {len(left)} do not stop: {first}")


def _kept(keeping: str, rss: int) -> str:
    return f"{keeping} {size(rss)}; SIGCONT (resume) lets go on"


def _running(look: Look | None) -> str:
    if look is not None and look.stat.state == b"D":
        return "in uninterruptible sleep (D)"
    return "no reason is known"


def _why_alive(look: Look, sig: int) -> str:
    if look.stat.state == b"D":
        return ": in uninterruptible sleep (D), it ends when the disk, NFS or FUSE answers"
    if note := note_on(look, sig):
        return note
    return ": it handles the signal itself" if has(look.masks.caught, sig) else ""


def came_back(who: str, rss: int, back: int | None) -> str:
    """Return what came back, in words; `back` is None where the usage is not known (bytes)."""
    if back is None:
        return f"{who} held {size(rss)}"
    if back > 0:
        return f"{size(back)} came back"
    if back < 0:
        return f"{who} held {size(rss)}, yet usage rose by {size(-back)} meanwhile"
    return f"{who} held {size(rss)}, usage is the same"
