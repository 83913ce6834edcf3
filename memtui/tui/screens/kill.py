"""The signal dialog: its target is frozen from the moment it opens."""

from __future__ import annotations

from collections.abc import Sequence
from signal import SIGTERM
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from memtui.services.actions import needs_confirmation
from memtui.services.kernels import HALT, Kernels, Offer, advice, meant, offers
from memtui.services.killtree import Herd, now_ticks
from memtui.services.signals import Sig, parse_signal, signals
from memtui.services.target import Target
from memtui.services.worth import Worth, price
from memtui.tui.widgets.choices import Choices
from memtui.tui.widgets.targets import TargetList
from memtui.units import size

_SIGNALS = 9  # lines of the list, where there is room


class Signal(NamedTuple):
    """What to send to whom; `confirmed` where a second yes was asked for and given."""

    targets: list[Target]
    number: int
    confirmed: bool
    whole: bool = False  # to those born of them since the moment `since`, too
    since: int = 0  # clock ticks since boot
    verb: str = ""  # of kernels, in place of a signal: "halt", "restart", "interrupt"


class Read(Message):
    """What was read beside the screen: what killing frees, and who else is below."""

    def __init__(self, turn: int, each: list[Worth], total: Worth, below: int) -> None:
        super().__init__()
        self.turn = turn
        self.each = each
        self.total = total
        self.below = below


class Grown(Message):
    """Descendants that were found, to be listed too."""

    def __init__(self, turn: int, found: list[Target]) -> None:
        super().__init__()
        self.turn = turn
        self.found = found


class KillDialog(ModalScreen[Signal]):
    """Names the target, lets its PID be typed over, and takes a signal by list, number or name."""

    DEFAULT_CSS = """
    KillDialog OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "leave", "leave", id="kill.leave"),
        Binding("tab,shift+tab", "other", "PID or signal", id="kill.other", priority=True),
        Binding("f5", "whole", "with or without descendants", id="kill.whole", priority=True),
    ]

    def __init__(
        self,
        targets: list[Target],
        whole: bool = False,
        kernels: Kernels | None = None,
        signal: int = SIGTERM,
    ) -> None:
        """`whole`: the targets are trees; who is born of them meanwhile is meant, too.

        `kernels`: who of them belongs to a notebook. `signal` is the one that is chosen at first.
        """
        super().__init__()
        self._first = signal
        self._kernels = kernels or {}
        self._targets = targets
        self._whole = whole
        self._since = now_ticks()
        self._below: list[Target] = []  # who was added by F5
        self._turn = 0  # of reading; what an earlier one brings is not shown
        self._each: list[Worth] = []
        self._total: Worth | None = None
        self._more = 0  # descendants that are not among the targets
        self._signals = signals()
        self._offers: list[Offer] = []  # as they are listed
        self._typed = ""
        self._unknown = ""  # why what was typed is no signal
        self._asking: Sig | Offer | None = None  # the signal that waits for a second confirmation

    # -- layout

    def compose(self) -> ComposeResult:
        """Show the target above the list of signals."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Send signal"
            box.border_subtitle = "Enter send   Tab PID/list/signal   F5 tree   Esc leave"
            yield TargetList(id="targets")
            with Horizontal(classes="row"):
                yield Static("PID ")
                yield Input(str(self._targets[0].pid), restrict=r"\d{0,9}", id="pid")
                yield Static(id="facts")
            yield Static(id="worth")
            yield Static(id="problem", classes="problem")
            yield Choices()

    @property
    def _lines(self) -> list[Offer | Sig]:
        """What is to choose from, as it is listed."""
        return [*self._offers, *self._signals]

    @staticmethod
    def _option(line: Offer | Sig) -> Option:
        number = f"{line.number:>3}" if isinstance(line, Sig) else "  ›"
        name = (f"{number} {line.name:<12}", "bold")
        return Option(Content.assemble(name, (line.meaning, "dim")), id=line.name)

    def _list(self) -> None:
        """List what can be done; kernels can be halted where nobody else is meant, too."""
        options = self.query_one(OptionList)
        held = self._chosen().name if options.option_count else ""
        self._offers = offers(meant(self._targets, self._kernels))
        options.clear_options()
        options.add_options([self._option(line) for line in self._lines])
        names = [line.name for line in self._lines]
        options.highlighted = names.index(held if held in names else self._begin(names))

    def _begin(self, names: Sequence[str]) -> str:
        """Where to stand at first: at halting a kernel, else at the signal asked for."""
        if HALT in names and self._first == SIGTERM:
            return HALT
        return next(s.name for s in self._signals if s.number == self._first)

    def on_mount(self) -> None:
        """Start at what is done most."""
        self._list()
        self.query_one(OptionList).focus()
        self._arrange()
        self._show_target()
        self._read()

    def on_resize(self) -> None:
        """Share the height out anew."""
        self._arrange()
        self._show_rows()

    def _arrange(self) -> None:
        """Give the list of targets what the list of signals can spare."""
        many, height = len(self._targets) > 1, self.app.size.height
        self.query_one("#pid", Input).display = not many
        self.query_one(".row Static").display = not many
        signals = max(3, min(_SIGNALS, height - 15)) if many else _SIGNALS
        self.query_one(OptionList).styles.max_height = signals
        self.query_one(TargetList).styles.max_height = max(3, height - signals - 7) if many else 1

    def _show_target(self) -> None:
        self._show_rows()
        self.query_one("#facts", Static).update(Content(self._facts()))
        self._problem(self._refusal())

    def _show_rows(self) -> None:
        known = len(self._each) == len(self._targets)
        worths = self._each if known else [None] * len(self._targets)
        self.query_one(TargetList).show(self._targets, worths, self.app.size.width)
        self.query_one("#worth", Static).update(Content(self._worth()))
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Keep what is chosen in sight: give the list what the lines above it leave."""
        if not self.is_attached:  # it was left meanwhile
            return
        options = self.query_one(OptionList)
        if len(self._targets) < 2:
            rows = self.query_one(".dialog").children
            above = sum(r.outer_size.height for r in rows if r.display and r is not options)
            left = self.app.size.height * 96 // 100 - 2 - above
            options.styles.max_height = max(2, min(_SIGNALS, left))
        self.call_after_refresh(options.scroll_to_highlight)

    def _facts(self) -> str:
        if not self._targets:
            return "  whose? type a PID"
        if len(self._targets) > 1:
            return f"{len(self._targets)} processes, RES {size(sum(t.rss for t in self._targets))}"
        target = self._targets[0]
        return f"  user {target.user}   RES {size(target.rss)}"

    def _worth(self) -> str:
        """What killing frees, and who else would be meant."""
        if not self._targets:
            return ""
        which = "it" if len(self._targets) == 1 else "all"
        frees = "…" if self._total is None else self._total.text
        words = f"killing {which} frees {frees}"
        if self._whole:
            words += "; with who is born meanwhile (F5: not)"
        elif self._more:
            words += f"; F5: {self._more} below too"
        if why := advice(meant(self._targets, self._kernels)):
            words += f"\n{why}"
        if self._total is not None and self._total.unread:
            count = f"{self._total.unread} of {len(self._targets)} " if which == "all" else ""
            words += f"\n{count}not readable: {self._total.why}"
        return words

    # -- what is read beside the screen

    def _read(self) -> None:
        self._turn += 1
        self._each, self._total, self._more = [], None, 0
        turn, targets, since = self._turn, list(self._targets), self._since

        def work() -> None:
            each, total = price(targets)
            below = 0 if not targets else len(Herd(targets, since).find_below())
            self.post_message(Read(turn, each, total, below))

        if targets:
            self.run_worker(work, thread=True, group="read", exit_on_error=False)

    def on_read(self, message: Read) -> None:
        """Show what killing would free."""
        if message.turn == self._turn:
            self._each, self._total, self._more = message.each, message.total, message.below
            self._show_rows()

    def action_whole(self) -> None:
        """Mean the descendants too, those born meanwhile included; or not any more."""
        if self._asking is not None or not self._targets:
            return
        self._whole = not self._whole
        if not self._whole:
            added, self._below = self._below, []
            self._targets = [t for t in self._targets if t not in added]
            for target in added:
                target.close()
            self._show_anew()
            return
        self._turn += 1
        turn, targets, since = self._turn, list(self._targets), self._since

        def work() -> None:
            found = Herd(targets, since).find_born()
            if not self.post_message(Grown(turn, found)):
                for target in found:
                    target.close()

        self.run_worker(work, thread=True, group="read", exit_on_error=False)

    def on_grown(self, message: Grown) -> None:
        """List the descendants too."""
        if message.turn != self._turn or not self._whole:
            for target in message.found:
                target.close()
            return
        self._below = message.found
        self._targets = [*self._targets, *message.found]
        self._show_anew()

    def _show_anew(self) -> None:
        self._list()
        self._read()
        self._arrange()
        self._show_target()

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
        self._asking, self._whole, self._below = None, False, []
        self._list()
        self._read()
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
            self.query_one(OptionList).highlighted = at + len(self._offers)
        self._problem(self._unknown or self._refusal())

    def action_other(self) -> None:
        """Go from the signals to the PID or the list of processes, and back."""
        pid, rows = self.query_one("#pid", Input), self.query_one(TargetList)
        if self.focused is pid or self.focused is rows:
            self.set_focus(self.query_one(OptionList))
        elif not pid.display:
            self.set_focus(rows)
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

    def _chosen(self) -> Sig | Offer:
        return self._lines[self.query_one(OptionList).highlighted or 0]

    def _finish(self, chosen: Sig | Offer, confirmed: bool) -> None:
        number, verb = (0, chosen.name) if isinstance(chosen, Offer) else (chosen.number, "")
        self.dismiss(Signal(self._targets, number, confirmed, self._whole, self._since, verb))

    def action_leave(self) -> None:
        """Send nothing."""
        self._close_targets()
        self.dismiss(None)

    def _close_targets(self) -> None:
        for target in self._targets:
            target.close()


def _begins(sig: Sig, word: str) -> bool:
    return sig.name.removeprefix("SIG").startswith(word.removeprefix("SIG"))
