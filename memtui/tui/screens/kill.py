"""The signal dialog: its target is frozen from the moment it opens."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from memtui.services.actions import needs_confirmation
from memtui.services.signals import Sig, parse_signal, signals
from memtui.services.target import Target
from memtui.text import elide
from memtui.tui.widgets.choices import Choices
from memtui.units import size

_LISTED = 5  # targets named one by one


class Signal(NamedTuple):
    """What to send to whom; `confirmed` where a second yes was asked for and given."""

    targets: list[Target]
    number: int
    confirmed: bool


class KillDialog(ModalScreen[Signal]):
    """Names the target, lets its PID be typed over, and takes a signal by list, number or name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="kill.leave"),
        Binding("tab,shift+tab", "other", "PID or signal", id="kill.other", priority=True),
    ]

    def __init__(self, targets: list[Target]) -> None:
        super().__init__()
        self._targets = targets
        self._signals = signals()
        self._typed = ""
        self._unknown = ""  # why what was typed is no signal
        self._asking: Sig | None = None  # the signal that waits for a second confirmation

    # -- layout

    def compose(self) -> ComposeResult:
        """Show the target above the list of signals."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Send signal"
            box.border_subtitle = "Enter send   Tab PID/signal   Esc leave"
            yield Static(id="target")
            with Horizontal(classes="row"):
                yield Static("PID ")
                yield Input(str(self._targets[0].pid), restrict=r"\d{0,9}", id="pid")
                yield Static(id="facts")
            yield Static(id="problem", classes="problem")
            yield Choices(*(self._option(s) for s in self._signals))

    @staticmethod
    def _option(sig: Sig) -> Option:
        name = (f"{sig.number:>3} {sig.name:<12}", "bold")
        return Option(Content.assemble(name, (sig.meaning, "dim")), id=str(sig.number))

    def on_mount(self) -> None:
        """Start at SIGTERM, the first of the list."""
        many = len(self._targets) > 1
        self.query_one("#pid", Input).display = not many
        self.query_one(".row Static").display = not many
        options = self.query_one(OptionList)
        options.highlighted = 0
        options.focus()
        self._show_target()

    def _show_target(self) -> None:
        width = max(20, min(68, self.app.size.width - 8))
        lines = [Content.styled(elide(t.command, width), "bold") for t in self._targets[:_LISTED]]
        if len(self._targets) > _LISTED:
            lines.append(Content(f"and {len(self._targets) - _LISTED} more"))
        self.query_one("#target", Static).update(Content("\n").join(lines))
        self.query_one("#facts", Static).update(Content(self._facts()))
        self._problem(self._refusal())

    def _facts(self) -> str:
        if not self._targets:
            return "  whose? type a PID"
        if len(self._targets) > 1:
            return f"{len(self._targets)} processes, RES {size(sum(t.rss for t in self._targets))}"
        target = self._targets[0]
        return f"  user {target.user}   RES {size(target.rss)}"

    def _refusal(self) -> str:
        refusals = [t.refusal.text for t in self._targets if t.refusal is not None]
        return refusals[0] if refusals else ""

    def _problem(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(Content(sentence))
        problem.display = bool(sentence)

    # -- typing

    def on_input_changed(self, event: Input.Changed) -> None:
        """Take the PID that was typed over: whoever has it now is the target, and is named."""
        if self._targets and event.value == str(self._targets[0].pid):
            return
        self._close_targets()
        self._targets = [Target.open_pid(int(event.value))] if event.value else []
        self._asking = None
        self._show_target()

    def on_key(self, event: events.Key) -> None:
        """Choose a signal by typing its number or name; `y` is the second confirmation."""
        if self._asking is not None:
            if event.character in ("y", "Y"):
                self._finish(self._asking, confirmed=True)  # a click may have chosen another
            if event.key not in ("escape", "f10"):  # stopped here they would not leave
                event.stop()
            return
        if self.focused is self.query_one("#pid"):
            return
        if event.key == "backspace":
            self._type(self._typed[:-1])
        elif event.character and (event.character.isalnum() or event.character in "+-"):
            self._type(self._typed + event.character.upper())
            event.stop()
        elif event.key != "enter":
            self._type("")

    def _type(self, word: str) -> None:
        """Choose the signal that `word` means or begins; say so where it is none."""
        self._typed, self._unknown = word, ""
        self.query_one(".dialog").border_title = Content(f"Send signal {word}".rstrip())
        try:
            numbers = [parse_signal(word)] if word else []
        except ValueError as e:
            numbers = [s.number for s in self._signals if _begins(s, word)][:1]
            self._unknown = "" if numbers else str(e)
        for number in numbers:
            at = [s.number for s in self._signals].index(number)
            self.query_one(OptionList).highlighted = at
        self._problem(self._unknown or self._refusal())

    def action_other(self) -> None:
        """Go from the list to the PID, and back."""
        pid = self.query_one("#pid", Input)
        if self.focused is pid or not pid.display:
            self.set_focus(self.query_one(OptionList))
        else:
            self.set_focus(pid)  # at once: focus() would come after keys typed ahead

    # -- the end

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Send, by Enter; a click only chooses."""
        self._send()

    def on_input_submitted(self) -> None:
        """Send, by Enter in the PID."""
        self._send()

    def _send(self) -> None:
        if not self._targets or self._unknown:
            return  # it is on the screen what is missing
        why = [w for t in self._targets if (w := needs_confirmation(t)) is not None]
        if why:
            self._asking = self._chosen()
            name = self._asking.name
            reasons = "; ".join(why)
            self._problem(f"{reasons}. Press y to send {name} all the same, Esc to leave.")
            self.query_one(OptionList).focus()
            return
        self._finish(self._chosen(), confirmed=False)

    def _chosen(self) -> Sig:
        at = self.query_one(OptionList).highlighted
        return self._signals[at or 0]

    def _finish(self, sig: Sig, confirmed: bool) -> None:
        self.dismiss(Signal(self._targets, sig.number, confirmed))

    def action_leave(self) -> None:
        """Send nothing."""
        self._close_targets()
        self.dismiss(None)

    def _close_targets(self) -> None:
        for target in self._targets:
            target.close()


def _begins(sig: Sig, word: str) -> bool:
    return sig.name.removeprefix("SIG").startswith(word.removeprefix("SIG"))
