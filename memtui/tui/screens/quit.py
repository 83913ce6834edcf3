"""What is to become of commands that still run when memtui ends."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from memtui.model.job import JobView
from memtui.render.spans import Line, cut, fitted, spread
from memtui.text import elide
from memtui.tui.widgets.lines import Lines
from memtui.units import duration, size

END, LEAVE, STAY = "end", "leave", ""
_MOST = 5  # commands that are named


class _Answers(Lines):
    """The commands and the answers; a click on an answer gives it."""

    def __init__(self, views: Sequence[JobView]) -> None:
        super().__init__(id="answers")
        self._views = views
        self.answers: list[str | None] = []

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return them, and remember which line is which answer."""
        them = "it" if len(self._views) == 1 else "them"
        made: list[tuple[Line, str | None]] = [(line, None) for line in _named(self._views, width)]
        for key, words, answer in (
            ("e", f"end {them}, and quit", END),
            ("l", f"leave {them} running, and quit", LEAVE),
            ("n", "stay here", STAY),
        ):
            made.append(([(f" {key} ", "key"), (f" {words}", "label")], answer))
            if answer == LEAVE:
                made += [([("    " + t, "head")], answer) for t in _left(self._views, width - 5)]
        self.answers = [answer for _, answer in made]
        return [fitted(line, width, "label") for line, _ in made], None

    def on_click(self, event: events.Click) -> None:
        """Give the answer clicked."""
        answer = self.answers[event.y] if event.y < len(self.answers) else None
        if answer is not None and isinstance(self.screen, QuitDialog):
            self.screen.action_answer(answer)


def _named(views: Sequence[JobView], width: int) -> list[Line]:
    """Say how many run, and which."""
    what = "A command still runs" if len(views) == 1 else f"{len(views)} commands still run"
    lines: list[Line] = [[(f"{what} under a limit of memtui's:", "label")]]
    for view in views[-_MOST:]:
        now = f"{size(view.usage)} / {size(view.limit)}  {duration(view.seconds):>7} "
        right: Line = [(f"  {now}", "head")]
        command = elide(view.command, max(8, width - len(now) - 6))
        left: Line = [("  ▶ ", "key"), (command, "label")]
        lines.append(cut(spread(left, right, width, "label"), width))
    return [*lines, []]


def _left(views: Sequence[JobView], width: int) -> list[str]:
    """Say what leaving means."""
    one = len(views) == 1
    its, it = ("its", "it") if one else ("their", "they")
    words = f"{its.capitalize()} limit{'' if one else 's'} stay{'s' if one else ''} in force. "
    if alone := [v for v in views if not v.outlives]:
        who = "it" if one else f"{len(alone)} of them"
        words = f"Nobody holds {who} to a limit then: memtui itself did. "
    words += f"{its.capitalize()} output goes on into a file, which is named when memtui is gone. "
    words += f"Nobody learns how {it} end{'s' if one else ''}: the next memtui tells whether {it} "
    words += f"still run{'s' if one else ''}, and removes {its} cgroup{'' if one else 's'}."
    return wrap(words, max(20, width))


class QuitDialog(ModalScreen[str]):
    """End them, leave them, or stay. Enter does nothing: it may have been meant for the table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e,y", "answer('end')", "end them and quit", id="quit.end"),
        Binding("l", "answer('leave')", "leave them running and quit", id="quit.leave"),
        Binding("n,escape", "answer('')", "stay", id="quit.stay"),
    ]

    def __init__(self, views: Sequence[JobView]) -> None:
        super().__init__()
        self._views = views

    def compose(self) -> ComposeResult:
        """Show the commands and the answers."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Quit"
            yield _Answers(self._views)

    def on_mount(self) -> None:
        """Be as high as the answers are."""
        answers = self.query_one(_Answers)
        answers.styles.height = len(answers.make(min(68, self.app.size.width - 6), 99)[0])

    def action_answer(self, answer: str) -> None:
        """Close with the answer."""
        self.dismiss(answer)
