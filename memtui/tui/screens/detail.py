"""The page of one process: details, environment, open files, mappings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from memtui.model.snapshot import Proc
from memtui.render.detail import as_text, page
from memtui.render.detailviews import environment_page, files_page, mappings_page
from memtui.render.spans import Line, fitted
from memtui.text import elide
from memtui.tui.screens.pages import Page, keys_of

if TYPE_CHECKING:
    from memtui.tui.detailing import Detailing

SUMMARY, ENVIRONMENT, FILES, MAPPINGS = "details", "environment", "open files", "mappings"
VIEWS = (SUMMARY, ENVIRONMENT, FILES, MAPPINGS)
_SAID_S = 8.0
_ROOMY = 84  # cells that all keys need
_KEYS = (
    ("Esc", "back"), ("s", "details"), ("e", "env"), ("l", "files"), ("m", "mappings"),
    ("k", "kill"), ("y", "copy"), ("F5", "again"),
)  # fmt: skip


class DetailScreen(Page):
    """All that is known of one process, which stays when it has ended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "view('details')", "details", id="detail.summary"),
        Binding("e", "view('environment')", "environment", id="detail.environment"),
        Binding("l", "view('open files')", "open files", id="detail.files"),
        Binding("m", "view('mappings')", "mappings by size", id="detail.mappings"),
        Binding("tab", "turn(1)", "next view", id="detail.next"),
        Binding("shift+tab", "turn(-1)", "view before", id="detail.before"),
        Binding("k,f9", "kill", "send a signal", id="detail.kill"),
        Binding("f5,ctrl+l", "again", "read again", id="detail.again"),
        Binding("y", "copy", "copy as text", id="detail.copy"),
    ]

    def __init__(self, detailing: Detailing, proc: Proc, view: str = SUMMARY) -> None:
        super().__init__()
        self._detailing = detailing
        self.proc = proc
        self.view = view
        self._said = "", 0.0
        self._head()

    def _head(self) -> None:
        self.HEADING = f"{elide(self.proc.name, 40)} {self.proc.pid}: {self.view}"

    def on_mount(self) -> None:
        """Ask for what the first view shows."""
        self._begin()

    def on_unmount(self) -> None:
        """Let go of what only this page shows."""
        self._detailing.left()

    def _begin(self) -> None:
        self._detailing.environment = None  # kept for as long as it is shown
        if self.view == ENVIRONMENT:
            self._detailing.ask_environment(self.proc)
        elif self.view == MAPPINGS and self._detailing.mappings is None:
            self._detailing.ask_mappings(self.proc)

    def on_screen_resume(self) -> None:
        """Draw what happened while a dialog stood before this."""
        self.call_after_refresh(self.show_state)

    def show_state(self) -> None:
        """Draw it; answers may come before there is anything to draw on, and after."""
        if self.is_mounted and self.app.screen is self:
            super().show_state()

    def keys(self) -> Line:
        """Return the keys, or what was said just now."""
        said, until = self._said
        width = self.size.width
        if time.monotonic() < until:
            return fitted([(" " + elide(said, width - 2), "accent")], width)
        return self._detailing.said(width) or keys_of(
            _KEYS if width >= _ROOMY else _KEYS[:-1], width
        )

    def lines(self, width: int) -> list[Line]:
        """Return the view that is open."""
        known = self._detailing
        if self.view == ENVIRONMENT:
            return environment_page(known.environment, width)
        if self.view == MAPPINGS:
            return mappings_page(known.mappings, width)
        detail = known.detail(self.proc)
        if self.view == FILES:
            return files_page(detail, width)
        return page(detail, known.history(self.proc), width)

    # -- actions

    def action_view(self, view: str) -> None:
        """Show another view, from its top."""
        if view != self.view:
            self.view = view
            self._head()
            self._begin()
            self.show_state()
            self.action_go(False)

    def action_turn(self, step: int) -> None:
        """Go to the next view, or to the one before."""
        self.action_view(VIEWS[(VIEWS.index(self.view) + step) % len(VIEWS)])

    def action_again(self) -> None:
        """Read again what is shown."""
        if self.view == MAPPINGS:
            self._detailing.ask_mappings(self.proc)
        elif self.view == ENVIRONMENT:
            self._detailing.ask_environment(self.proc)
        self._detailing.ask()

    def action_kill(self) -> None:
        """Send it a signal."""
        self._detailing.kill(self.proc)

    def action_copy(self) -> None:
        """Copy the view as text; not the environment, which may hold secrets."""
        words = "not copied: an environment may hold secrets"
        if self.view != ENVIRONMENT:
            text = as_text(self.lines(100))
            self.app.copy_to_clipboard(text)
            words = f"{text.count(chr(10))} lines sent to the terminal's clipboard (OSC 52)"
        self._said = words, time.monotonic() + _SAID_S
        self.show_state()

    def on_key(self) -> None:
        """Let the keys come back."""
        self._said = "", 0.0
        self._detailing.hush()
        self.call_after_refresh(self.show_state)
