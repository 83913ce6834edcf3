"""What became of a signal: who ended, who is still there and why, how much memory came back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from memtui.services.signals import is_ending, name_of
from memtui.services.target import Look, Target, has, note_on, uncollected
from memtui.units import size

PATIENCE_S = 5.0
"""Seconds after which a process that is still there is worth a stronger signal."""
_REAP_S = 0.3  # a living parent collects its child sooner


class Verdict(NamedTuple):
    """What became of the process since the signal; `text` is safe to display."""

    state: Literal["waiting", "alive", "ended", "uncollected"]
    text: str
    offer_kill: bool = False
    came_back: int | None = None  # bytes, before - after; None where the usage is unknown

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

    def check(self, usage: int | None = None) -> Verdict:
        """Return how it stands; `usage` is the binding level's, read just now (bytes)."""
        now = self._clock()
        if not self.target.ended():
            return self._alive(now - self._since)
        self._died = now if self._died is None else self._died
        zombie = self.target.look()
        if zombie is not None and now - self._died < _REAP_S:
            return Verdict("waiting", f"{self.target.label} is ending")
        back = None if usage is None or self._before is None else self._before - usage
        how = "ended" if zombie is None else uncollected(zombie.stat)
        text = f"{self.target.label} {how}; {_memory(self.target.rss, back)}"
        return Verdict("ended" if zombie is None else "uncollected", text, False, back)

    def _alive(self, age_s: float) -> Verdict:
        who, name = self.target.label, name_of(self.sig)
        if not is_ending(self.sig):
            return Verdict("alive", f"{who} is alive after {name}")
        if age_s < PATIENCE_S:
            return Verdict("waiting", f"waiting for {who} to end ({int(age_s)} s)")
        look = self.target.look()
        why = _why_alive(look, self.sig) if look is not None else ""
        text = f"{who} is still there {int(age_s)} s after {name}{why}"
        return Verdict("alive", text, offer_kill=self.sig != 9)


def _why_alive(look: Look, sig: int) -> str:
    if look.stat.state == b"D":
        return ": in uninterruptible sleep (D), it ends when the disk, NFS or FUSE answers"
    if note := note_on(look, sig):
        return note
    return ": it handles the signal itself" if has(look.masks.caught, sig) else ""


def _memory(rss: int, back: int | None) -> str:
    if back is None:
        return f"it held {size(rss)}"
    if back > 0:
        return f"{size(back)} came back"
    if back < 0:
        return f"it held {size(rss)}, yet usage rose by {size(-back)} meanwhile"
    return f"it held {size(rss)}, usage is the same"
