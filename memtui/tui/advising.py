"""Doing what is suggested: each by what is there for it already, and only after a question."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Action, Advice
from memtui.model.filter import parse_filter
from memtui.model.scopes import ALL
from memtui.text import safe
from memtui.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_PATIENCE_S, _NAP_S = 3.0, 0.02  # for the sample that was asked for


class Advising:
    """The main screen's advice: asked for, and acted on."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    def open(self) -> None:
        """Show how memory stands and what to do about it."""
        from memtui.tui.screens.explain import ExplainScreen

        self._screen.app.push_screen(ExplainScreen(self._explain, self.do))

    def _explain(self) -> Explained:
        """Sample at once, and read beside that sample; called on a thread of its own."""
        memtui, state = self._screen.memtui, self._screen.state
        asked = time.monotonic()
        memtui.sampler.refresh()
        while time.monotonic() - asked < _PATIENCE_S:
            latest = memtui.sampler.latest
            if latest is not None and latest.mono >= asked:
                return memtui.watching.explain(latest, state.events)
            time.sleep(_NAP_S)
        return memtui.watching.explain(state.snapshot, state.events)

    def do(self, advice: Advice) -> None:
        """Ask, and do what a suggestion says."""
        action = advice.action
        if action is None:
            return
        how = {
            "kill": self._kill,
            "files": self._files,
            "delete": self._delete,
            "copy": self._copy,
            "filter": self._filter,
            "kills": self._kills,
        }
        how[action.kind](action)

    def _back(self) -> None:
        """Leave the page, so that what becomes of it is seen."""
        if self._screen.app.screen is not self._screen:
            self._screen.app.pop_screen()

    def _later(self, ask: Callable[..., None], *args: object) -> None:
        """Leave the page and ask on the main screen, which is there for the answer."""
        self._back()
        self._screen.call_later(ask, *args)

    def _kill(self, action: Action) -> None:
        """Open the signal dialog on exactly those who were shown."""
        wanted = set(action.targets)
        procs = [p for p in self._screen.state.snapshot.procs if p.identity in wanted]
        if procs:
            self._later(self._screen.acting.kill, procs, action.signal)
        else:
            self._back()
            self._screen.say("already gone: x looks again", "warn")

    def _files(self, action: Action) -> None:
        from memtui.tui.screens.tmpfs import TmpfsScreen

        self._screen.app.push_screen(TmpfsScreen(action.text))

    def _delete(self, action: Action) -> None:
        from memtui.tui.screens.tmpfs import ask_delete

        if action.file is not None:
            self._later(ask_delete, self._screen.memtui, action.file, self._screen.say)

    def _copy(self, action: Action) -> None:
        app = self._screen.app

        def answered(yes: bool | None) -> None:
            if yes:
                app.copy_to_clipboard(action.text)
                self._back()
                self._screen.say("sent to the terminal's clipboard (OSC 52)")

        app.push_screen(ConfirmScreen("Copy", safe_lines(action.text), "copy"), answered)

    def _filter(self, action: Action) -> None:
        """Narrow the table, as a tree; Esc widens it again."""
        screen = self._screen
        self._back()
        screen.go_scope(ALL)
        screen.narrow(screen.table.narrowing._replace(filter=parse_filter(action.text)))
        if not screen.table.shown.tree:
            screen.action_tree()
        screen.say("narrowed to what was suggested: Esc shows all again")

    def _kills(self, _: Action) -> None:
        self._later(self._screen.action_oom)


def safe_lines(text: str) -> str:
    """Return text of several lines that is safe to display."""
    return "\n".join(map(safe, text.split("\n")))
