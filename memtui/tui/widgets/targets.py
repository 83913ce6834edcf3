"""The processes that a signal is meant for, as the kill dialog lists them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from memtui.services.target import Target
from memtui.services.worth import Worth
from memtui.text import elide
from memtui.units import size

_WIDTH = 68  # cells of the dialog's inside, at most
_NARROW = 50  # cells below which there is no room for the user


def worth_cell(worth: Worth | None) -> str:
    """Return what killing one frees, in a column: `1.2G`, `≤1.2G`, `?`; `…` while it is read."""
    if worth is None:
        return "…"
    if worth.most is None:
        return "?"
    return f"{'' if worth.least == worth.most else '≤'}{size(worth.most)}"


def row(target: Target, worth: Worth | None, width: int) -> Content:
    """Return the line of one target."""
    lead = f"{target.pid:>7} {size(target.rss):>5} {worth_cell(worth):>7} "
    lead += "" if width < _NARROW else f"{elide(target.user, 8):<9} "
    style = "" if target.refusal is None else "dim"
    command = elide(target.command, max(1, width - len(lead)))
    return Content.assemble((lead, style), (command, f"bold {style}"))


class TargetList(VerticalScroll):
    """Every target in a line of its own; Tab goes there, and the arrows scroll."""

    DEFAULT_CSS = """
    TargetList {
        height: auto;
        background: $surface;
        scrollbar-background: $surface;
    }
    TargetList:focus { background: $surface; }
    """

    def compose(self) -> ComposeResult:
        """The lines are one text."""
        yield Static(id="target")

    def show(self, targets: Sequence[Target], worths: Sequence[Worth | None], width: int) -> None:
        """List `targets`, each with what killing it alone would free."""
        width = max(20, min(_WIDTH, width * 96 // 100 - 5))
        text = self.query_one("#target", Static)
        if len(targets) < 2:
            text.update(Content("\n").join(
                Content.styled(elide(t.command, width), "bold") for t in targets
            ))  # fmt: skip
            return
        user = "" if width < _NARROW else f"{'USER':<9} "
        head = Content.styled(f"{'PID':>7} {'RES':>5} {'FREES':>7} {user}COMMAND", "dim")
        rows = [row(t, w, width - 1) for t, w in zip(targets, worths, strict=True)]
        text.update(Content("\n").join([head, *rows]))
