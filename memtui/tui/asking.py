"""One line of input on the main screen: the filter, the search, PIDs, the delay."""

from __future__ import annotations

import time

from textual import events

from memtui.model.filter import ALL as EVERYBODY
from memtui.model.filter import Filter, FilterError, parse_filter
from memtui.model.listing import Narrowing
from memtui.model.query import Order
from memtui.model.scopes import ALL, SUMMED
from memtui.render.frame import Shown
from memtui.services.settings import MAX_DELAY_S, MIN_DELAY_S
from memtui.text import safe
from memtui.tui.listed import Listed
from memtui.tui.state import State
from memtui.tui.widgets.prompt import Prompt

_PID_S = 3.0  # seconds after which a digit begins another PID
_KEYS = {
    "search": "F3 next   Enter done   Esc back",
    "filter": "Enter keep   Esc clear",
    "delay": "Enter set   Esc leave",
}


class Asking(Listed):
    """What is typed, and where it leads."""

    def __init__(
        self, state: State, order: Order, shown: Shown | None, narrowing: Narrowing
    ) -> None:
        super().__init__(state, order, shown, narrowing)
        self.prompt = Prompt(self._typed_on, self._answered)
        self._asking = ""
        self._start = 0  # the row at which the search began
        self._sought = EVERYBODY
        self._pid = ""
        self._typed = 0.0  # when the last digit was

    # -- asking for a text

    def _ask(self, what: str, label: str, text: str = "") -> None:
        self._asking = what
        self.set_class(True, "-asking")
        self.prompt.ask(label, text, _KEYS[what])

    def _done(self) -> None:
        self._asking = ""
        self.set_class(False, "-asking")
        self.show_words()

    def typed(self, event: events.Key) -> bool:
        """Take a key that asks, or is part of an answer; return False for all others.

        Bindings run later than the keys that follow in one go: those would be lost.
        """
        if self._asking:
            return self.prompt.feed(event)
        if event.character and event.character in "0123456789":
            self.action_digit(event.character)
            return True
        self._pid = ""
        if event.key in ("f3", "slash"):
            self.action_search()
        elif event.key in ("f4", "backslash"):
            self.action_filter()
        else:
            return False
        return True

    def on_paste(self, event: events.Paste) -> None:
        """Type what was pasted."""
        if self._asking:
            event.stop()
            self.prompt.paste(event.text)

    def _typed_on(self) -> None:
        """Follow the text while it is typed."""
        if self._asking == "filter":
            self._filter()
        elif self._asking == "search":
            self._seek(self._start, 1)

    def _answered(self, kept: bool) -> None:
        """Keep what was typed, or leave all as it was."""
        asking = self._asking
        if asking == "filter" and not kept:
            self.narrow(self.table.narrowing._replace(filter=EVERYBODY))
        elif asking == "filter" and self._filter() is None:
            return  # what is wrong stays on the screen until it is mended, or left by Esc
        elif asking == "search" and not kept:
            self.rows_shown.move_to(self._start)
        elif asking == "delay" and kept and not self._set_delay():
            return
        self._done()

    def _parsed(self) -> Filter | None:
        """The text as a filter; None where it is none, and then the prompt says where."""
        text = self.prompt.text
        try:
            return parse_filter(text)
        except FilterError as e:
            # at the very end it is only not finished
            role = "muted" if e.position >= len(text) else "crit"
            self.prompt.note(e.message, role, e.position)
            return None

    # -- the filter

    def action_filter(self) -> None:
        """Ask for a filter; the table follows it while it is typed."""
        if self.scope in SUMMED:
            self.go_scope(ALL)
        if self._asking != "filter":
            self._ask("filter", "Filter:", self.table.narrowing.filter.text)
            self._filter()

    def _filter(self) -> Filter | None:
        wanted = self._parsed()
        if wanted is not None:
            self.narrow(self.table.narrowing._replace(filter=wanted))
            self._count()
        return wanted

    def _count(self) -> None:
        self.prompt.note(f"{self.table.matched} of {self.snapshot.count}")

    def show_rows(self) -> None:
        """Give the newest sample to the tables, and say how many a filter lets through now."""
        super().show_rows()
        if self._asking == "filter" and not self.prompt.wrong:
            self._count()

    # -- the search

    def action_search(self) -> None:
        """Ask for what to look for; again while asking: go to the next match."""
        if self._asking == "search":
            self._seek(self.rows_shown.cursor + 1, 1)
            return
        self._start = self.rows_shown.cursor
        self._ask("search", "Search:")

    def action_search_on(self, step: int) -> None:
        """Go to the next match of what was last looked for, or to the one before."""
        if not self._sought.alternatives and not self._asking:
            self.say("nothing was looked for yet: F3 asks")
            return
        self._seek(self.rows_shown.cursor + step, step)

    def _seek(self, begin: int, step: int) -> None:
        if self._asking == "search":
            sought = self._parsed()
            if sought is None:
                return
            self._sought = sought
        at = self._find(self._sought, begin, step) if self._sought.alternatives else self._start
        if at is not None:
            self.rows_shown.move_to(at)
        if self._asking:
            self.prompt.note("" if at is not None else "not found", "warn")
        elif at is None:
            self.say(f"not found: {safe(self._sought.text)}", "warn")

    def _find(self, sought: Filter, begin: int, step: int) -> int | None:
        rows = self.rows_shown.length
        for i in range(rows):
            at = (begin + i * step) % rows
            if self._matches(at, sought):
                return at
        return None

    def _matches(self, at: int, sought: Filter) -> bool:
        if self.scope in SUMMED:
            words = sought.text.lower().split("|")
            return any(w.strip() in self.groups.name_at(at).lower() for w in words if w.strip())
        return sought.matches(self.table.rows[at], self.state.view)

    def action_digit(self, digit: str = "") -> None:
        """Go to the process whose PID the digits are."""
        now = time.monotonic()
        if now - self._typed > _PID_S or len(self._pid) > 9:
            self._pid = ""
        self._typed = now
        self._pid += digit
        if self.no_process():
            return
        pid = int(self._pid)
        at = next((i for i, p in enumerate(self.table.rows) if p.pid == pid and not p.pool), None)
        if at is not None:
            self.table.move_to(at)
        self.say(f"PID {self._pid}" + ("" if at is not None else " …"))

    # -- the delay

    def action_delay(self) -> None:
        """Ask for the seconds between refreshes."""
        self._ask("delay", "Seconds between refreshes:", f"{self.memtui.sampler.delay_s:g}")

    def _set_delay(self) -> bool:
        try:
            delay = float(self.prompt.text)
        except ValueError:
            delay = 0.0
        if not MIN_DELAY_S <= delay <= MAX_DELAY_S:
            self.prompt.note(f"write {MIN_DELAY_S:g} to {MAX_DELAY_S:g}", "crit", 0)
            return False
        self.memtui.sampler.delay_s = delay
        self.memtui.sampler.refresh()
        return True
