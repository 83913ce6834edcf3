"""A question that only an explicit y answers with yes: no Enter, and no click."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class ConfirmScreen(ModalScreen[bool]):
    """Yes or no. Enter does nothing, so that a key meant for the table cannot say yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes"),
        Binding("n,escape", "answer(False)", "no", id="confirm.no"),
    ]

    def __init__(self, title: str, question: str, yes: str) -> None:
        super().__init__()
        self._heading = title
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        """Show the question; its two answers stand in the border."""
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = Content(f"y {self._yes}   n leave it")
            yield Static(Content(self._question))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
