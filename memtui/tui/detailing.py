"""Details of a process: who is looked at, what was answered, the column and the page."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events
from textual.message import Message
from textual.timer import Timer

from memtui.model.detail import Detail, Environment, Mappings, Tracks, outline
from memtui.model.scopes import SUMMED
from memtui.model.snapshot import Identity, Proc, Snapshot
from memtui.render.borders import DETAILS
from memtui.render.detail import History, nobody, short
from memtui.render.spans import Line, fitted
from memtui.services.details import Details, Told
from memtui.tui.screens.detail import SUMMARY, DetailScreen
from memtui.tui.widgets.bordered import Bordered

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_REST_S = 0.08  # seconds that the cursor must rest before anything is read


class DetailReady(Message):
    """Something was read of a process; told by the thread that read it."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told


class DetailPanel(Bordered):
    """The column at the right of the table; a click opens the page."""

    LEFT = DETAILS

    def on_click(self, event: events.Click) -> None:
        """Open all that is known."""
        if not self.taken(event):
            cast("MainScreen", self.screen).detailing.open()


class Detailing:
    """What the main screen knows of one process in depth: that of a page, or under the cursor."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._details: Details | None = None
        self._tracks = Tracks()
        self._detail: Detail | None = None  # of the table alone, until more was read
        self._rest: Timer | None = None
        self.mappings: Mappings | None = None
        self.environment: Environment | None = None
        self.page: DetailScreen | None = None
        self.panel = DetailPanel(self._panel_lines, id="detail")

    # -- what is known

    def detail(self, proc: Proc) -> Detail:
        """Return what is known of a process: at once, if only what the table knows."""
        known = self._detail
        if known is None or known.proc.identity != proc.identity:
            known = self._detail = outline(proc, self._screen.snapshot)
        return known

    def history(self, proc: Proc) -> History:
        """Return what gives its resident memory over the last minutes."""
        return partial(self._tracks.grid, proc.identity)

    def arrange(self, width: int) -> None:
        """Give the column its width; 0 hides it."""
        self.panel.display = width > 0
        self.panel.styles.width = width

    def _panel_lines(self, width: int, height: int) -> list[Line]:
        held = self._screen.here
        if held is not None:
            lines = short(self.detail(held), self.history(held), width - 1, height)
        else:
            summed = self._screen.scope in SUMMED
            lines = nobody(None if summed else self._screen.table.pool, width - 1)
        lines += [[]] * (height - len(lines))
        return [[("│", "rule"), *fitted(line, width - 1)] for line in lines]

    # -- asking

    def open(self, view: str = SUMMARY) -> None:
        """Open the page on the process under the cursor; of a thread, on its process."""
        proc = self._screen.table.current or self._owner()
        if proc is not None:
            self.page = DetailScreen(self, proc, view)
            self._screen.app.push_screen(self.page)
            self.ask()

    def _owner(self) -> Proc | None:
        thread = self._screen.table.thread
        pid = 0 if thread is None else thread.ppid
        return next((p for p in self._screen.snapshot.procs if pid and p.pid == pid), None)

    def left(self) -> None:
        """Forget what only the page showed."""
        self.page = self.mappings = self.environment = None

    def pointed(self) -> None:
        """Show who is under the cursor now, once it rests."""
        if self.panel.display:
            if self._rest is not None:
                self._rest.stop()
            self._rest = self._screen.set_timer(_REST_S, self._show)

    def _show(self) -> None:
        self.panel.draw()
        self.ask()

    def tick(self) -> None:
        """Follow memory, and read again what is shown."""
        self._tracks.add(self._screen.state.snapshot)
        if self._screen.here is None:
            self.panel.draw()
        if self.page is not None or (self.panel.display and not self._screen.paused):
            self.ask()

    def ask(self) -> None:
        """Ask for what the page shows, else for the column."""
        proc = self.page.proc if self.page is not None else self._screen.here
        if proc is None or (self.page is None and not self.panel.display):
            return
        snapshot = self._screen.state.snapshot
        self._tracks.follow(proc.identity, self._screen.state.series)
        self._reader.look(_now(proc, snapshot), snapshot, files=True)

    def ask_mappings(self, proc: Proc) -> None:
        """Read the mappings, once."""
        self.mappings = None
        self._reader.mappings(proc)

    def ask_environment(self, proc: Proc) -> None:
        """Read the environment, once."""
        self.environment = None
        self._reader.environment(proc)

    @property
    def _reader(self) -> Details:
        if self._details is None:
            roots = self._screen.memtui.sampler.roots
            uid = os.geteuid() if roots.live else None
            self._details = Details(roots, uid, self._heard)
        return self._details

    def _heard(self, told: Told) -> None:
        """Pass an answer on; called in the reader's thread."""
        self._screen.post_message(DetailReady(told))

    # -- answers

    def take(self, told: Told) -> None:
        """Keep and show what was read, unless something else is looked at by now."""
        wanted = self._wanted
        if isinstance(told, Detail):
            if told.proc.identity != wanted:
                return
            self._detail = told
        elif self.page is None or told.identity != wanted:
            return
        elif isinstance(told, Mappings):
            self.mappings = told
        else:
            self.environment = told
        if self.page is not None:
            self.page.show_state()
        elif self.panel.display:
            self.panel.draw()

    @property
    def _wanted(self) -> Identity | None:
        if self.page is not None:
            return self.page.proc.identity
        held = self._screen.here
        return None if held is None else held.identity

    def kill(self, proc: Proc) -> None:
        """Open the signal dialog on it."""
        self._screen.acting.kill([proc])

    def said(self, width: int) -> Line | None:
        """What the main screen says now, which a page would hide."""
        return self._screen.said_line(width)

    def hush(self) -> None:
        """Let the keys come back."""
        self._screen.hush()

    def close(self) -> None:
        """End the reader."""
        if self._details is not None:
            self._details.close()


def _now(proc: Proc, snapshot: Snapshot) -> Proc:
    """The record of a process in the newest sample; the one held where it is gone."""
    identity = proc.identity
    return next((p for p in snapshot.procs if p.pid == proc.pid and p.identity == identity), proc)
