"""Ask for a command and the memory limit to run it under."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from memtui.model.job import Request
from memtui.model.limits import Room, parse_limit
from memtui.services.foresee import foresee
from memtui.services.history import History, Past, matching
from memtui.text import safe
from memtui.tui.widgets.methods import MethodField, PastList
from memtui.units import percent, size, size_long


class _Completion(Suggester):
    """The newest command of before that begins with what is typed."""

    def __init__(self, past: Sequence[Past]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._past = past

    async def get_suggestion(self, value: str) -> str | None:
        """Return the whole command."""
        return next((p.command for p in self._past if p.command.startswith(value)), None)


class RunDialog(ModalScreen[Request]):
    """All fields are checked as they are typed; Enter starts the command."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="run.leave"),
        # before the field sees them: keys typed ahead go where they were meant to go
        Binding("tab", "app.focus_next", "next field", id="run.next", priority=True),
        Binding("shift+tab", "app.focus_previous", "field before", id="run.back", priority=True),
        Binding("up,ctrl+p", "recall(1)", "command before", id="run.older", priority=True),
        Binding("down,ctrl+n", "recall(-1)", "command after", id="run.newer", priority=True),
        Binding("enter", "start", "run", id="run.start"),
    ]

    class Foreseen(Message):
        """What a method means here is known."""

        def __init__(self, method: str, words: tuple[str, str]) -> None:
            super().__init__()
            self.method = method
            self.words = words

    def __init__(
        self,
        room: Room,
        history: History,
        begin: Request | None = None,
        heading: str = "Run under a memory limit",
    ) -> None:
        """`room` is what shares are of; `begin` stands in the fields at first."""
        super().__init__()
        self._room = room
        self._past: Sequence[Past] = history.past
        self._problem = history.problem
        self._begin = begin
        self._heading = heading
        self._shown = matching(self._past, "")
        self._chosen: int | None = None
        self._draft = Past("", self._past[0].limit if self._past else "")
        self._proposed = self._draft.limit
        self._told: dict[str, tuple[str, str]] = {}

    def compose(self) -> ComposeResult:
        """Show the fields, what they mean, and what was run before."""
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = "Enter run   ↑ ↓ recent   → complete   Tab next   Esc leave"
            with Horizontal(classes="row"):
                yield Static("Command  ")
                yield Input(
                    placeholder="python3 train.py",
                    id="command",
                    suggester=_Completion(self._past),
                    select_on_focus=False,
                )
            with Horizontal(classes="row"):
                yield Static("Limit    ")
                yield Input(placeholder="500M, 2G, 50% or free-10%", id="limit")
            yield Static(id="meaning", classes="muted")
            with Horizontal(classes="row"):
                yield Static("Method   ")
                yield MethodField()
            yield Static(id="way", classes="muted")
            yield PastList()
            if self._problem:
                yield Static(Content(safe(self._problem)), classes="muted")

    def on_mount(self) -> None:
        """Begin with the command; propose the last limit."""
        command, limit = self._field("command"), self._field("limit")
        limit.value = self._draft.limit
        if self._begin is not None:
            command.value = self._begin.command
            limit.value = self._begin.typed or size(self._begin.limit)
            self.query_one(MethodField).choose(self._begin.method)
            self._draft = self._typed
        recent = self.query_one(PastList)
        recent.styles.height = min(6, 1 + len(self._past)) if self._past else 0
        recent.set_past(self._shown, None)
        self.set_focus(limit if self._begin is not None else command)
        self._check()
        self._foresee()

    def _field(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)

    @property
    def _typed(self) -> Past:
        """What stands in the fields."""
        method = self.query_one(MethodField).method
        return Past(self._field("command").value, self._field("limit").value, method)

    # -- commands of before

    def action_recall(self, by: int) -> None:
        """Take an older command into the fields, or a newer one, or what was typed."""
        at = (-1 if self._chosen is None else self._chosen) + by
        self._take(None if at < 0 else min(at, len(self._shown) - 1))

    def on_past_list_clicked(self, message: PastList.Clicked) -> None:
        """Take the command that was clicked."""
        self._take(message.index)

    def _take(self, index: int | None) -> None:
        if not self._shown:
            return
        self._chosen = index
        self._fill(self._draft if index is None else self._shown[index])
        self.query_one(PastList).set_past(self._shown, index)

    def _fill(self, past: Past) -> None:
        command = self._field("command")
        command.value, self._field("limit").value = past.command, past.limit
        command.cursor_position = len(past.command)
        self.query_one(MethodField).choose(past.method)

    def _type(self) -> None:
        """Follow what a person typed: other commands match; a known one brings its limit."""
        typed = self._typed
        if self._chosen is not None and typed == self._shown[self._chosen]:
            return
        if self._chosen is None and typed == self._draft:
            return
        known = next((p for p in self._past if p.command == typed.command), None)
        if known is not None and typed.command != self._draft.command:
            self._propose(known)
        self._draft, self._chosen = self._typed, None
        self._shown = matching(self._past, typed.command)
        self.query_one(PastList).set_past(self._shown, None)

    def _propose(self, known: Past) -> None:
        """Take a known command's limit, unless a person wrote another."""
        limit = self._field("limit")
        if self._begin is None and limit.value == self._proposed:
            limit.value = self._proposed = known.limit
            self.query_one(MethodField).choose(known.method)

    # -- what the fields mean

    def on_input_changed(self) -> None:
        """Say what the limit typed so far means, or what is wrong with it."""
        self._type()
        self._check()

    def _check(self) -> Request | None:
        typed = self._typed
        meaning = self.query_one("#meaning", Static)
        meaning.remove_class("problem")
        try:
            limit = parse_limit(typed.limit, *self._room)
        except ValueError as e:
            meaning.set_class(bool(typed.limit.strip()), "problem")
            meaning.update(Content(str(e)))
            return None
        meaning.update(Content(self._meaning(limit)))
        if not typed.command.strip():
            return None
        return Request(typed.command.rstrip(), limit, typed.limit.strip(), typed.method)

    def _meaning(self, limit: int) -> str:
        words = [size_long(limit)]
        if (share := percent(limit, self._room.quota)) is not None:
            words.append(f"{share:.0f}% of the quota")
        if (free := self._room.free) is None:
            return ", ".join(words)
        more = "more than the " if limit > free else ""
        return f"{', '.join(words)}; {more}{size(free)} {'that ' if more else ''}are free now"

    def on_method_field_changed(self) -> None:
        """Say what the method means here."""
        self._type()
        self._foresee()

    def _foresee(self) -> None:
        method = self.query_one(MethodField).method
        if method in self._told:
            self._tell_way()
            return

        def work() -> None:
            self.post_message(self.Foreseen(method, foresee(method)))

        Thread(target=work, name="memtui-foresee", daemon=True).start()

    def on_run_dialog_foreseen(self, message: Foreseen) -> None:
        """Show what a method means here."""
        self._told[message.method] = message.words
        self._tell_way()

    def _tell_way(self) -> None:
        words, why = self._told.get(self.query_one(MethodField).method, ("…", ""))
        text = f"{words}; {why}" if why else words
        self.query_one("#way", Static).update(Content(safe(text)))

    # -- the end

    def action_start(self) -> None:
        """Start the command, or go to the field that is still missing."""
        request = self._check()
        if request is not None:
            self.dismiss(request)
        elif not self._typed.command.strip():
            self._field("command").focus()
        else:
            self._field("limit").focus()

    def on_input_submitted(self) -> None:
        """Start the command."""
        self.action_start()

    def action_leave(self) -> None:
        """Run nothing."""
        self.dismiss(None)
