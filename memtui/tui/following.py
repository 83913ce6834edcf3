"""What becomes of signals that were sent: followed until the process has ended, then told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.timer import Timer

from memtui.services.target import Target
from memtui.services.watch import Watch
from memtui.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_LOOK_S = 0.2  # how often a signalled process is looked at
_GIVE_UP_S = 60.0


class _Followed:
    """One process that got a signal."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.since = time.monotonic()
        self.died: float | None = None
        self.dialog: ConfirmScreen | None = None  # that offered SIGKILL

    @property
    def late(self) -> bool:
        return time.monotonic() - self.since > _GIVE_UP_S


class Following:
    """Tells of each signalled process whether it ended and what came back; offers SIGKILL."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._followed: list[_Followed] = []
        self._timer: Timer | None = None

    def add(self, target: Target, number: int) -> None:
        """Follow what the signal `number`, just sent, brings."""
        watch = self._screen.memtui.actions.watch(target, number, self._screen.state.usage)
        self._followed.append(_Followed(watch))
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
            followed.watch.target.close()
        self._followed = []

    def _settled(self, followed: _Followed) -> bool:
        """Whether there is nothing more to wait for; it has been told then."""
        verdict = followed.watch.check(self._screen.state.usage)
        if followed.watch.target.ended() and followed.died is None:
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
        followed.watch.target.close()

    def _offer_kill(self, followed: _Followed, text: str) -> None:
        def answered(yes: bool | None) -> None:
            if not yes:
                return
            target = followed.watch.target
            outcome = self._screen.memtui.actions.send(target, 9, confirmed=True)
            self._screen.say(outcome.text, "accent" if outcome.sent else "crit")
            if outcome.sent:
                self._followed = [f for f in self._followed if f is not followed]
                self.add(target, 9)

        question = f"{text}. Send SIGKILL? It ends at once, without saving anything."
        followed.dialog = ConfirmScreen("Still alive", question, "kill it")
        self._screen.app.push_screen(followed.dialog, answered)
