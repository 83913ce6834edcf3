"""A memory limit on a process of the table: asked for in a dialog, set off the UI thread."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from memtui.model.limits import derive_room
from memtui.model.snapshot import Proc
from memtui.services.limitpid import set_limit
from memtui.services.target import Outcome, Target
from memtui.tui.screens.limitpid import Asked, LimitPidDialog

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen


class Limiting:
    """The main screen's hand for that."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    def ask(self, proc: Proc) -> None:
        """Open the dialog on the process as it is shown."""
        forbidden = self._screen.memtui.actions.forbidden("nothing is limited")
        target = Target.open(proc)
        refusal = forbidden or target.refusal
        if refusal is not None:
            target.close()
            self._screen.say(refusal.text.replace("not sent", "not limited"), "warn")
            return
        room = derive_room(self._screen.state.snapshot.quota.binding)
        dialog = LimitPidDialog(target, room)
        self._screen.app.push_screen(dialog, partial(self._set, target))

    def _set(self, target: Target, asked: Asked | None) -> None:
        if asked is None:
            target.close()
            return

        def work() -> None:
            with target:
                done = set_limit(self._screen.memtui.actions, target, *asked)
            self._screen.call_later(self._tell, done)

        Thread(target=work, name="limiting", daemon=True).start()

    def _tell(self, done: Outcome) -> None:
        self._screen.say(done.text, "accent" if done.sent else "crit")
        self._screen.memtui.sampler.refresh()
