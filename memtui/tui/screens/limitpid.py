"""Ask for a limit on a process that runs already; what it covers is said before it is set."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from memtui.model.limits import Room, parse_limit
from memtui.services.limitpid import METHODS, preview
from memtui.services.target import Target
from memtui.text import elide


class Asked(NamedTuple):
    """What is to be done to the process."""

    limit: int | None  # bytes; None: take the limit away
    method: str
    tree: bool


class LimitPidDialog(ModalScreen[Asked]):
    """One field, checked as it is typed; Tab changes the way, Enter sets the limit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="limitpid.leave"),
        Binding("tab", "method", "the other way", id="limitpid.method", priority=True),
        Binding("ctrl+t", "tree", "all below it, too", id="limitpid.tree", priority=True),
    ]

    def __init__(self, target: Target, room: Room) -> None:
        """`room` is what shares are of."""
        super().__init__()
        self._target = target
        self._room = room
        self._method = METHODS[0]
        self._tree = False

    def compose(self) -> ComposeResult:
        """Show whom it is about, the field, and what the limit would do."""
        with Vertical(classes="dialog") as box:
            box.border_title = Content(f"A memory limit for {elide(self._target.label, 40)}")
            box.border_subtitle = "Enter set   Tab way   Ctrl-T tree   Esc leave"
            yield Static(Content(elide(self._target.command, 72)), classes="muted")
            with Horizontal(classes="row"):
                yield Static("Limit    ")
                yield Input(placeholder="500M, 2G, 50% or free-10%; none takes it away", id="limit")
            yield Static(id="way")
            yield Static(id="meaning", classes="muted")

    def on_mount(self) -> None:
        """Say what is missing."""
        self._check()

    def on_input_changed(self) -> None:
        """Say what the limit typed so far means, or what is wrong with it."""
        self._check()

    def action_method(self) -> None:
        """Go by the other way."""
        at = METHODS.index(self._method)
        self._method = METHODS[(at + 1) % len(METHODS)]
        self._check()

    def action_tree(self) -> None:
        """Limit all processes below it as well, or it alone."""
        self._tree = not self._tree
        self._check()

    def _check(self) -> Asked | None:
        word, meaning = self.query_one(Input).value.strip(), self.query_one("#meaning", Static)
        whom = "it and all below it" if self._tree else "it alone"
        self.query_one("#way", Static).update(Content(f"Way      {self._method}, {whom}"))
        meaning.remove_class("problem")
        try:
            limit = None if word.lower() == "none" else parse_limit(word, *self._room)
        except ValueError as e:
            meaning.set_class(bool(word), "problem")
            meaning.update(Content(str(e)))
            return None
        lines = preview(self._target, limit, self._method, self._tree)
        meaning.update(Content("\n".join(f"· {line}" for line in lines)))
        return Asked(limit, self._method, self._tree)

    def on_input_submitted(self) -> None:
        """Set the limit."""
        if (asked := self._check()) is not None:
            self.dismiss(asked)

    def action_leave(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)
