"""One line of input in place of the key bar: what is asked, the text, and what came of it."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.message import Message

from memtui.render.spans import Line, spread, width_of
from memtui.text import cells, clip, clip_left, elide, safe
from memtui.tui.widgets.lines import Lines

_MOST = 2000  # characters


class Prompt(Lines, can_focus=True):
    """Takes every printable key while it has the focus; other keys stay the screen's."""

    BINDINGS = [  # noqa: RUF012 - as Textual has it
        Binding("enter", "answer(True)", "keep", show=False, id="prompt.keep"),
        Binding("escape", "answer(False)", "leave", show=False, id="prompt.leave"),
        Binding("left,ctrl+b", "go(-1)", "left", show=False, id="prompt.left"),
        Binding("right,ctrl+f", "go(1)", "right", show=False, id="prompt.right"),
        Binding("home,ctrl+a", "go(-100000)", "begin", show=False, id="prompt.home"),
        Binding("end,ctrl+e", "go(100000)", "end", show=False, id="prompt.end"),
        Binding("backspace", "erase(-1)", "erase", show=False, id="prompt.backspace"),
        Binding("delete", "erase(1)", "erase", show=False, id="prompt.delete"),
        Binding("ctrl+w", "erase_word", "erase a word", show=False, id="prompt.word"),
        Binding("ctrl+u", "erase(-100000)", "erase to the left", show=False, id="prompt.clear"),
        Binding("ctrl+k", "erase(100000)", "erase to the right", show=False, id="prompt.cut"),
    ]

    class Changed(Message):
        """The text is another."""

    class Answered(Message):
        """Enter (`kept`) or Esc was pressed."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self.text = ""
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

    def on_key(self, event: events.Key) -> None:
        """Type a character."""
        if event.is_printable and event.character:
            event.stop()
            event.prevent_default()
            self._insert(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Type what was pasted, as one line."""
        event.stop()
        self._insert(" ".join(event.text.split()))

    def _insert(self, text: str) -> None:
        if len(self.text) + len(text) <= _MOST:
            self.text = self.text[: self._at] + text + self.text[self._at :]
            self._at += len(text)
            self._changed()

    def _changed(self) -> None:
        self.draw()
        self.post_message(self.Changed())

    def action_go(self, by: int) -> None:
        """Move the cursor."""
        self._at = min(max(0, self._at + by), len(self.text))
        self.draw()

    def action_erase(self, by: int) -> None:
        """Erase characters before (below 0) or behind the cursor."""
        to = min(max(0, self._at + by), len(self.text))
        first, last = sorted((self._at, to))
        if first < last:
            self.text = self.text[:first] + self.text[last:]
            self._at = first
            self._changed()

    def action_erase_word(self) -> None:
        """Erase the word before the cursor."""
        kept = self.text[: self._at].rstrip()
        start = kept.rfind(" ") + 1
        self.action_erase(start - self._at)

    def action_answer(self, kept: bool) -> None:
        """End the input."""
        self.post_message(self.Answered(kept))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where it was clicked, as long as all of the text is visible."""
        x = event.x - len(self._label) - 2
        if 0 <= x <= len(self.text) and self.text.isascii():
            self._at = x
            self.draw()
