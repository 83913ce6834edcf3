"""Help: every key and every column, from the same tables that make them work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import events
from textual.binding import Binding, BindingType

from memtui.model.badness import describe
from memtui.model.fields import FIELDS
from memtui.model.filter import fields_help
from memtui.render.rows import DOOMED
from memtui.render.spans import Line, fitted, spread
from memtui.text import safe
from memtui.tui.keys import NAMES
from memtui.tui.screens.pages import Page, keys_of

if TYPE_CHECKING:
    from memtui.tui.app import MemtuiApp

_NAMES = {
    "question_mark": "?",
    "comma": ",",
    "full_stop": ".",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "space": "Space",
} | NAMES
_MOUSE = (
    ("click a row", "put the cursor on it; a click never sends a signal"),
    ("click a header", "sort by that column; again: the other way round"),
    ("right click there", "choose the columns"),
    ("click an OOM event", "its post-mortem; a click on the title lists all events"),
    ("drag a border", "left of the details, left of the graph, above the panels: their size"),
    ("double click there", "back as it was; what you chose is kept in the settings"),
    ("click a suggestion", "on the page of x: the same as its key; it asks first"),
    ("wheel", "scroll; the cursor stays on its process"),
    ("click the key bar", "the same as that key"),
)

_SUMS = (
    ("[tmpfs] /dev/shm", "files in memory: deleting them frees it; Enter lists the biggest"),
    ("[shared memory]", "what is in no tmpfs that is mounted here: memfd, SysV, deleted files"),
    ("[page cache]", "files; given back on demand"),
    ("[kernel]", "slab, page tables, stacks, sockets"),
    ("[unexplained]", "the bar less these rows and the processes' own (PSS read, or RES - SHR)"),
    ("[counted twice]", "the same below 0: RES - SHR counts what forks share in each of them"),
    ("bottom line", "the sum of RES is no usage: RES counts shared pages in each process,"),
    ("", "and no cache, tmpfs or kernel. The sum of PSS counts each page once."),
)

_NOTEBOOKS = (
    ("analysis.ipynb", "a kernel, by the name of its notebook: its server says so, else its"),
    ("", "connection file or environment, else its directory; Enter tells which"),
    ("IDLE ≥5m", "for at least so long: memtui did not look before"),
    ("halt", "through its server; after a signal, or an OOM kill, that starts it again"),
    ("restarted, orphaned", "it came back after its end; its server is gone"),
)


def key_name(key: str) -> str:
    """Return a key as keyboards and other tools write it."""
    if key in _NAMES:
        return _NAMES[key]
    if key.startswith(("ctrl+", "alt+", "shift+")):
        modifier, letter = key.split("+", 1)
        if letter in _NAMES or letter[1:].isdigit():
            return f"{modifier.capitalize()}-{_NAMES.get(letter, letter.upper())}"
        return f"{modifier.capitalize()}-{letter.upper() if modifier == 'ctrl' else letter}"
    return key.upper() if key[:1] == "f" and key[1:].isdigit() else key


def found(lines: Sequence[Line], text: str) -> list[Line]:
    """Return the lines that hold `text` in any case, each part under its heading."""
    parts: list[list[Line]] = [[]]
    for line in lines:
        if line:
            parts[-1].append(line)
        else:
            parts.append([])
    out: list[Line] = []
    for heading, *rest in parts:
        kept = [line for line in rest if text.lower() in "".join(t for t, _ in line).lower()]
        out += [heading, *kept, []] if kept else []
    return out or [[(f"nothing here holds {safe(text)!r}", "muted")]]


class HelpScreen(Page):
    """Every key of the main screen with what it does, then the columns and the bar."""

    HEADING = "memtui: keys, columns, colours"

    def __init__(self, bindings: Sequence[BindingType]) -> None:
        super().__init__()
        self._keys = bindings
        self._sought = ""
        self._typing = False

    def lines(self, width: int) -> list[Line]:
        """Return everything, or what holds the text that is sought."""
        return found(self._all(), self._sought) if self._sought else self._all()

    def keys(self) -> Line:
        """Return the page's keys, or what is being sought."""
        width = self.size.width
        if self._typing:
            typed: Line = [(" find ", "key"), (f" {safe(self._sought)}", "label"), (" ", "cursor")]
            return fitted(spread(typed, [("Enter keep  Esc all ", "label")], width), width, "label")
        again = [("Esc", f"all, not only {self._sought!r}")] if self._sought else [("Esc", "back")]
        return keys_of([*again, ("↑ ↓", "scroll"), ("/", "find")], width)

    def on_key(self, event: events.Key) -> None:
        """Take the text that is sought; Esc shows everything again before it leaves."""
        if self._typing:
            if event.is_printable and event.character:
                self._sought += event.character
            elif event.key == "backspace":
                self._sought = self._sought[:-1]
            elif event.key in ("enter", "escape"):
                self._typing = False
                self._sought = self._sought if event.key == "enter" else ""
            else:
                return
        elif event.key in ("slash", "f3", "f4", "backslash"):
            self._typing = True
        elif event.key == "escape" and self._sought:
            self._sought = ""
        else:
            return
        event.stop()
        self.action_go(False)
        self.show_state()

    def _all(self) -> list[Line]:
        out: list[Line] = [[("Keys", "bold")]]
        for binding in self._keys:
            if isinstance(binding, Binding):
                keys = " ".join(dict.fromkeys(key_name(k) for k in binding.key.split(",")))
                out.append([(f"  {keys:<22}", "accent"), (binding.description, "")])
        out.append([(f"  {'F12':<22}", "accent"), ("themes and more, by name", "")])
        out += [[], [("Mouse", "bold")]]
        out += [[(f"  {what:<22}", "accent"), (does, "")] for what, does in _MOUSE]
        out += [[], [("Filter and search", "bold")]]
        out += [[(f"  {what:<26} ", "accent"), (means, "")] for what, means in fields_help()]
        out += [[], [("Columns", "bold")]]
        out += [[(f"  {f.title:<22}", "accent"), (f.help, "")] for f in FIELDS]
        out += [[(f"  {'':<22}", ""), ("dimmed: read before the process last ran; ?: unknown", "")]]
        out += [[], [("Memory of no process, and totals", "bold")]]
        out += [[(f"  {what:<22}", "accent"), (is_, "")] for what, is_ in _SUMS]
        out += [[], [("Notebooks", "bold")]]
        out += [[(f"  {what:<22}", "accent"), (is_, "")] for what, is_ in _NOTEBOOKS]
        out += [[], [("Marks", "bold")], *self._marks()]
        out += [[], [("The quota bar", "bold")]]
        out += [
            [
                ("  █ anon ▓ tmpfs/shm ▒ kernel", "calm"),
                ("  cannot be given back without swap", ""),
            ],
            [("  ░ cache", "muted"), (" is given back on demand: it is no danger by itself", "")],
            [("  ▄ unknown", "muted"), ("  in use, of a kind that cannot be read here", "")],
            [
                ("  │ peak", "bold"),
                ("  the most that was ever used;  ┊ memory.high, throttling begins", ""),
            ],
            [
                ("  colour", "accent"),
                (" follows the hard part: ", ""),
                ("from 75 %", "warn"),
                (", ", ""),
                ("from 90 %", "crit"),
            ],
        ]
        return out

    def _marks(self) -> list[Line]:
        """What stands before a command, and whom the second sign marks now."""
        snapshot = cast("MemtuiApp", self.app).state.snapshot
        doomed = snapshot.doomed
        now = describe(doomed, snapshot.procs) if doomed else "nothing known yet"
        return [
            [("  ▶", "job"), ("  a command that memtui runs", "")],
            [
                (f"  {DOOMED}", "doomed"),
                ("  the OOM killer would take this one if the limit were hit now: the most of", ""),
            ],
            [("     RES + swap + page tables + oom_score_adj thousandths of the limit", "")],
            [(f"     now: {now}", "")],
        ]
