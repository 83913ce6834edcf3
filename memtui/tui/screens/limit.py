"""Ask for another limit of a command that runs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from memtui.model.job import JobView
from memtui.model.limits import Room, parse_limit
from memtui.text import elide
from memtui.units import percent, size, size_long


class LimitDialog(ModalScreen[int]):
    """One field, checked as it is typed; Enter sets the limit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="limit.leave"),
    ]

    def __init__(self, view: JobView, room: Room) -> None:
        """`room` is what shares are of."""
        super().__init__()
        self._view = view
        self._room = room

    def compose(self) -> ComposeResult:
        """Show what it has, the field, and what the limit would mean."""
        view = self._view
        with Vertical(classes="dialog") as box:
            box.border_title = "Another limit while it runs"
            box.border_subtitle = "Enter set   Esc leave it"
            yield Static(Content(elide(view.command, 66)))
            each = " in its largest process" if view.per_process else ""
            now = f"uses {size(view.usage)}{each}, at most {size(view.peak)} so far"
            yield Static(Content(f"limit {size(view.limit)}; {now}"), classes="muted")
            with Horizontal(classes="row"):
                yield Static("Limit    ")
                # the present limit is proposed, to be written over: what has the focus is selected
                yield Input(size(view.limit), placeholder="500M, 2G, 50% or free-10%", id="limit")
            yield Static(id="meaning", classes="muted")

    def on_mount(self) -> None:
        """Say what the present limit means; take what is typed at once."""
        self.set_focus(self.query_one(Input))
        self._check()

    def on_input_changed(self) -> None:
        """Say what the limit typed so far means, or what is wrong with it."""
        self._check()

    def _check(self) -> int | None:
        word, meaning = self.query_one(Input).value, self.query_one("#meaning", Static)
        meaning.remove_class("problem")
        try:
            limit = parse_limit(word, *self._room)
        except ValueError as e:
            meaning.set_class(bool(word.strip()), "problem")
            meaning.update(Content(str(e)))
            return None
        meaning.update(Content(self._meaning(limit)))
        return limit

    def _meaning(self, limit: int) -> str:
        share = percent(self._view.usage, limit)
        if share is None:
            return size_long(limit)
        low = self._view.usage is not None and limit < self._view.usage
        more = ": less than it uses now, so it is asked again" if low else ""
        return f"{size_long(limit)}, of which it uses {share:.0f}% now{more}"

    def on_input_submitted(self) -> None:
        """Set the limit."""
        if (limit := self._check()) is not None:
            self.dismiss(limit)

    def action_leave(self) -> None:
        """Leave the limit as it is."""
        self.dismiss(None)
