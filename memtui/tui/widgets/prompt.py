"""One line of input in place of the key bar: what is asked, the text, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

from textual import events

from memtui.render.spans import Line, spread, width_of
from memtui.text import cells, clip, clip_left, elide, safe
from memtui.tui.widgets.lines import Lines

_MOST = 2000  # characters


_EDIT = {
    "left": ("go", -1), "ctrl+b": ("go", -1), "right": ("go", 1), "ctrl+f": ("go", 1),
    "home": ("go", -_MOST), "ctrl+a": ("go", -_MOST), "end": ("go", _MOST), "ctrl+e": ("go", _MOST),
    "backspace": ("erase", -1), "delete": ("erase", 1), "ctrl+u": ("erase", -_MOST),
    "ctrl+k": ("erase", _MOST),
}  # fmt: skip


class Prompt(Lines):
    """Takes the keys that its screen feeds it, at once: it never waits for the focus.

    Messages would let a key that is hard on the heels of Enter still come here.
    """

    def __init__(self, changed: Callable[[], None], answered: Callable[[bool], None]) -> None:
        """`answered` is told whether it was Enter."""
        super().__init__(id="prompt")
        self.text = ""
        self._told_changed, self._answered = changed, answered
        self._label = ""
        self._keys = ""
        self._at = 0
        self._note: tuple[str, str] = ("", "")
        self._wrong: int | None = None

    def ask(self, label: str, text: str, keys: str) -> None:
        """Begin with `text`; `keys` says what Enter and Esc do."""
        self._label, self._keys = label, keys
        self.text, self._at = text, len(text)
        self.note("")

    def note(self, text: str, role: str = "accent", wrong: int | None = None) -> None:
        """Say what came of the text, and from which character on it is wrong."""
        self._note, self._wrong = (text, role), wrong
        self.draw()

    @property
    def wrong(self) -> bool:
        """Whether something of the text is said to be wrong."""
        return self._wrong is not None

    # -- drawing

    def make(self, width: int, height: int) -> tuple[list[Line], int | None]:
        """Return the one line."""
        text, role = self._note
        label: Line = [(f" {self._label} ", "key")]
        wrong = self._wrong is not None
        told = text if wrong else ""
        right: Line = [] if wrong else [(text, role), ("  ", "label")]
        if width >= 70 and not told:
            right.append((f"{self._keys} ", "label"))
        # what is wrong is said right behind the text, which may be cut at its beginning
        room = max(10, width - width_of(label) - width_of(right) - min(cells(told) + 4, width // 2))
        line = [*label, *self._typed(room)]
        if told:
            left = width - width_of(line) - width_of(right) - 3
            line += [(" ▲ " + elide(told, max(0, left)), role)]
        return [spread(line, right, width)], None

    def _typed(self, room: int) -> Line:
        """The text with its cursor, what is wrong marked; a long one is scrolled."""
        at, text = self._at, self.text
        before = clip_left(safe(text[:at]), max(1, room - 2))
        here = safe(text[at : at + 1]) or " "
        after = clip(safe(text[at + 1 :]), max(0, room - cells(before) - cells(here)))
        wrong = self._wrong
        if wrong is None or wrong >= len(text):
            return [(before, "label"), (here, "cursor"), (after, "label")]
        cut = max(0, len(before) - max(0, at - wrong))
        first, second = before[:cut], before[cut:]
        return [(first, "label"), (second, "crit"), (here, "cursor"), (after, "crit")]

    # -- editing

    def feed(self, event: events.Key) -> bool:
        """Take a key; return False for one that means nothing here."""
        if event.is_printable and event.character:
            self._insert(event.character)
        elif event.key in ("enter", "escape"):
            self._answered(event.key == "enter")
        elif event.key == "ctrl+w":
            self._erase_word()
        elif event.key in _EDIT:
            what, by = _EDIT[event.key]
            self._go(by) if what == "go" else self._erase(by)
        else:
            return False
        return True

    def paste(self, text: str) -> None:
        """Type what was pasted, as one line."""
        self._insert(" ".join(text.split()))

    def _insert(self, text: str) -> None:
        if len(self.text) + len(text) <= _MOST:
            self.text = self.text[: self._at] + text + self.text[self._at :]
            self._at += len(text)
            self._changed()

    def _changed(self) -> None:
        self.draw()
        self._told_changed()

    def _go(self, by: int) -> None:
        self._at = min(max(0, self._at + by), len(self.text))
        self.draw()

    def _erase(self, by: int) -> None:
        """Erase characters before (below 0) or behind the cursor."""
        to = min(max(0, self._at + by), len(self.text))
        first, last = sorted((self._at, to))
        if first < last:
            self.text = self.text[:first] + self.text[last:]
            self._at = first
            self._changed()

    def _erase_word(self) -> None:
        kept = self.text[: self._at].rstrip()
        start = kept.rfind(" ") + 1
        self._erase(start - self._at)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where it was clicked, as long as all of the text is visible."""
        x = event.x - len(self._label) - 2
        if 0 <= x <= len(self.text) and self.text.isascii():
            self._at = x
            self.draw()
