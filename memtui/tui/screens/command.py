"""The whole command line of one process, wrapped, as htop's `w` shows it."""

from __future__ import annotations

from memtui.model.snapshot import Proc
from memtui.render.spans import Line
from memtui.text import cells, clip, show
from memtui.tui.screens.pages import Page


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` cells, broken at blanks where there are any."""
    lines = []
    while cells(text) > width:
        part = clip(text, width)
        at = part.rfind(" ")
        cut = at + 1 if at > width // 2 else max(1, len(part))
        lines.append(text[:cut].rstrip())
        text = text[cut:]
    return [*lines, text]


class CommandScreen(Page):
    """Every argument of a command line, numbered as the program counts them."""

    def __init__(self, proc: Proc) -> None:
        super().__init__()
        self._proc = proc
        self.HEADING = f"Command line of {proc.pid}, {proc.name}"

    def lines(self, width: int) -> list[Line]:
        """Return the command line as one, then argument by argument."""
        out: list[Line] = [[(line, "")] for line in wrapped(self._proc.command, width)]
        argv = self._proc.argv.rstrip(b"\0").split(b"\0")
        if len(argv) < 2:
            return out
        out += [[], [("Arguments", "bold")]]
        for number, word in enumerate(argv):
            first, *rest = wrapped(show(word), max(10, width - 6))
            out.append([(f"{number:>4}  ", "muted"), (first, "")])
            out += [[("      ", ""), (line, "")] for line in rest]
        return out
