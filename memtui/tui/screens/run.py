"""Ask for a command and the memory limit to run it under."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from memtui.model.limits import parse_limit
from memtui.units import size_long


class RunRequest(NamedTuple):
    """A shell command and its limit in bytes."""

    command: str
    limit: int


class RunDialog(ModalScreen[RunRequest]):
    """Both fields are checked as they are typed; Enter starts the command."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="run.leave"),
        # before the field sees them: keys typed ahead go where they were meant to go
        Binding("tab", "app.focus_next", "next field", id="run.next", priority=True),
        Binding("shift+tab", "app.focus_previous", "field before", id="run.back", priority=True),
    ]

    def __init__(self, quota: int | None) -> None:
        """`quota` is the limit that binds, in bytes: what a percentage is of."""
        super().__init__()
        self._quota = quota

    def compose(self) -> ComposeResult:
        """Show the two fields and what the limit means."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Run under a memory limit"
            box.border_subtitle = "Enter run   Tab next   Esc leave"
            with Horizontal(classes="row"):
                yield Static("Command  ")
                yield Input(placeholder="python3 train.py", id="command")
            with Horizontal(classes="row"):
                yield Static("Limit    ")
                yield Input(placeholder="500M, 2G or 50%", id="limit")
            yield Static(id="meaning", classes="muted")

    def on_mount(self) -> None:
        """Begin with the command."""
        self.query_one("#command", Input).focus()
        self._check()

    def on_input_changed(self) -> None:
        """Say what the limit typed so far means, or what is wrong with it."""
        self._check()

    def _check(self) -> RunRequest | None:
        command = self.query_one("#command", Input).value.strip()
        word = self.query_one("#limit", Input).value
        meaning = self.query_one("#meaning", Static)
        meaning.remove_class("problem")
        try:
            limit = parse_limit(word, self._quota)
        except ValueError as e:
            meaning.set_class(bool(word.strip()), "problem")
            meaning.update(Content(str(e)))
            return None
        meaning.update(Content(f"{size_long(limit)}: in the background, output in the panel"))
        return RunRequest(command, limit) if command else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start the command, or go to the field that is still missing."""
        request = self._check()
        if request is not None:
            self.dismiss(request)
        elif not self.query_one("#command", Input).value.strip():
            self.set_focus(self.query_one("#command", Input))
        else:
            self.set_focus(self.query_one("#limit", Input))

    def action_leave(self) -> None:
        """Run nothing."""
        self.dismiss(None)
