"""What becomes of signals that were sent: followed until the process has ended, then told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.timer import Timer

from memtui.services.kernels import KernelWatch
from memtui.services.target import Target
from memtui.services.watch import CrowdWatch, Watch
from memtui.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_LOOK_S = 0.2  # how often a signalled process is looked at
_GIVE_UP_S = 60.0


class _Followed:
    """One process that got a signal."""

    def __init__(self, watch: Watch | CrowdWatch | KernelWatch) -> None:
        self.watch = watch
        self.since = time.monotonic()
        self.died: float | None = None
        self.dialog: ConfirmScreen | None = None  # that offered SIGKILL

    @property
    def late(self) -> bool:
        return time.monotonic() - self.since > _GIVE_UP_S


class Following:
    """Tells of each signalled process whether it ended and what came back; offers SIGKILL."""

    def __init__(self, screen: MainScreen, again: Callable[[list[Target]], None]) -> None:
        """`again` sends SIGKILL to who did not end, once that was confirmed."""
        self._screen = screen
        self._again = again
        self._followed: list[_Followed] = []
        self._timer: Timer | None = None

    def add(self, targets: Sequence[Target], number: int, usage: int | None) -> None:
        """Follow what the signal `number`, just sent, brings; `usage` is that of before."""
        watch = self._screen.memtui.actions.watch(targets, number, usage)
        self._followed.append(_Followed(watch))
        if self._timer is None:
            self._timer = self._screen.set_interval(_LOOK_S, self.check)

    def watch(self, watch: KernelWatch) -> None:
        """Tell what became of kernels, once a newer sample shows what came back."""
        self._followed.append(_Followed(watch))
        self.check()
        if self._timer is None:
            self._timer = self._screen.set_interval(_LOOK_S, self.check)

    def check(self) -> None:
        """Look at each; called several times a second and after each snapshot."""
        self._followed = [f for f in self._followed if not self._settled(f)]
        if not self._followed and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def close(self) -> None:
        """Let go of all."""
        for followed in self._followed:
            _let_go(followed.watch.targets)
        self._followed = []

    def _settled(self, followed: _Followed) -> bool:
        """Whether there is nothing more to wait for; it has been told then."""
        verdict = followed.watch.check(self._screen.state.usage)
        if verdict.ended and followed.died is None:
            followed.died = time.monotonic()
            self._screen.memtui.sampler.refresh()  # what came back shows in a later sample
        if verdict.final:
            if followed.died is None or self._screen.state.snapshot.mono <= followed.died:
                return False
        elif verdict.offer_kill:
            if followed.dialog is None:
                self._offer_kill(followed, verdict.text)
            if not followed.late or self._screen.app.screen is followed.dialog:
                return False
        elif verdict.state == "waiting":
            return False
        self._tell(followed, verdict.text, verdict.final)
        return True

    def _tell(self, followed: _Followed, text: str, ended: bool) -> None:
        if followed.dialog is not None and self._screen.app.screen is followed.dialog:
            followed.dialog.dismiss(False)
        self._screen.say(text, "accent" if ended else "warn")
        _let_go(followed.watch.targets)

    def _offer_kill(self, followed: _Followed, text: str) -> None:
        def answered(yes: bool | None) -> None:
            if not yes:
                return
            self._followed = [f for f in self._followed if f is not followed]
            left = [t for t in followed.watch.targets if not t.ended()]
            _let_go([t for t in followed.watch.targets if t not in left])
            self._again(left)

        many = len(followed.watch.targets) > 1
        how = "They end" if many else "It ends"
        question = f"{text}. Send SIGKILL? {how} at once, without saving anything."
        followed.dialog = ConfirmScreen("Still alive", question, "kill them" if many else "kill it")
        self._screen.app.push_screen(followed.dialog, answered)


def _let_go(targets: Sequence[Target]) -> None:
    for target in targets:
        target.close()
