"""Alerts to whoever does not look at the screen: title, bell, notification, a command.

What is asked for stands under `[alerts]` in the settings; a sentence on the screen always comes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from memtui.model.alerts import Alert, Alerts
from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent
from memtui.render import notify
from memtui.services.alerting import AlertCommand, parse_command

if TYPE_CHECKING:
    from memtui.services.settings import Alerts as Asked
    from memtui.tui.app import MemtuiApp

_TITLE_S = 60.0
_SAVE, _BACK = "\x1b[22;2t", "\x1b[23;2t"  # xterm's stack of titles


class Alarms:
    """Decides at each snapshot, and rings as it was asked to."""

    def __init__(self, app: MemtuiApp, asked: Asked, env: Mapping[str, str] = os.environ) -> None:
        self._app = app
        self._asked = asked
        self._alerts = Alerts()
        self._events: list[OomEvent] = []
        self._tmux = bool(env.get("TMUX"))
        self._titled: float | None = None  # monotonic seconds since which the title says something
        self._told_problem: str | None = None
        self.problem = ""
        argv: list[str] = []
        try:
            argv = parse_command(asked.command)
        except ValueError as e:
            self.problem = str(e)
        self._command = AlertCommand(argv)

    def heard(self, events: Sequence[OomEvent]) -> None:
        """Take kills; the next snapshot rings for them."""
        self._events += events

    def check(self, snapshot: Snapshot) -> None:
        """Ring for what became true with this snapshot."""
        if snapshot.trend is None:
            return
        events, self._events = self._events, []
        found = self._alerts.add(snapshot.mono, snapshot.trend, events)
        for alert in reversed(found):  # what is said last stays: the worst
            self._ring(alert, snapshot.mono)
        if self._titled is not None and snapshot.mono - self._titled > _TITLE_S:
            self._untitle()
        if self._command.problem != self._told_problem:
            self._told_problem = self._command.problem
            if self._told_problem:
                self._app.tell(f"alert: {self._told_problem}", "warn")

    def close(self) -> None:
        """Give the title back; end the command that runs."""
        self._untitle()
        self._command.close()

    def _ring(self, alert: Alert, at: float) -> None:
        self._app.tell(alert.text, alert.level)
        if self._asked.title:
            saved = "" if self._titled is not None else _SAVE
            self._write(saved + notify.title(f"memtui: {alert.text}"))
            self._titled = at
        if self._asked.bell:
            self._write(notify.BELL)
        if self._asked.notify:
            for sequence in (notify.osc9(alert), notify.osc777(alert)):
                self._write(notify.through_tmux(sequence) if self._tmux else sequence)
        self._command.tell(alert)

    def _untitle(self) -> None:
        if self._titled is not None:
            self._titled = None
            self._write(_BACK)

    def _write(self, sequence: str) -> None:
        driver = self._app._driver
        if driver is not None and not self._app.is_headless:
            driver.write(sequence)
