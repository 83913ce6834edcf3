"""Commands that were run under a limit before, with their limits: kept for the next time.

They lie in the state directory, for the user alone. Nothing here raises OSError: without a place
to write nothing is remembered beyond this run, and `problem` says why. As in a shell, a command
that begins with a blank is not written down.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import NamedTuple

from memtui.model.checked import as_doc, items
from memtui.model.limits import METHODS
from memtui.services.store import StateDir

RUNS = "runs.json"
MOST = 200
"""Commands that are remembered."""
_LONGEST = 4000  # characters of one command
_SCHEMA = "memtui.runs/1"
_PATIENCE_S = 2.0


class Past(NamedTuple):
    """One command as it was asked for; the limit as it was written."""

    command: str
    limit: str
    method: str = "auto"


class History:
    """What was run, the newest first. For one thread; only the writing is done in another."""

    def __init__(self, directory: StateDir | None = None) -> None:
        self._directory = directory or StateDir()
        self._writing: threading.Thread | None = None
        self.past: list[Past] = []

    @property
    def problem(self) -> str:
        """Why it is not kept, in a sentence; "" where it is."""
        return self._directory.problem

    def load(self) -> None:
        """Read what is kept; what makes no sense is left out, and replaced at the next run."""
        self.past = _merged([], _parsed(self._directory.read(RUNS)))

    def add(self, past: Past) -> None:
        """Remember a command that was started; it is written at once, beside the caller."""
        self.past = _merged([past], self.past)
        if past.command.startswith(" ") or len(past.command) > _LONGEST:
            return
        self._writing = threading.Thread(target=self._write, args=(past,), name="memtui-history")
        self._writing.daemon = True
        self._writing.start()

    def _write(self, past: Past) -> None:
        """Others may have written meanwhile: theirs is kept."""
        try:
            with self._directory.locked():
                known = _merged([past], _parsed(self._directory.read(RUNS)))
                runs = [p._asdict() for p in known if not p.command.startswith(" ")]
                document = {"schema": _SCHEMA, "runs": runs}
                self._directory.replace(RUNS, json.dumps(document, indent=1).encode())
        except OSError as e:
            self._directory.fail("commands are", e)

    def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            self._writing.join(_PATIENCE_S)


def matching(past: Iterable[Past], typed: str) -> list[Past]:
    """Return those whose command begins with what was typed, then those that hold it."""
    known = [p for p in past if p.command != typed]
    first = [p for p in known if p.command.startswith(typed)]
    return first + [p for p in known if typed in p.command and not p.command.startswith(typed)]


def _merged(newer: Iterable[Past], older: Iterable[Past]) -> list[Past]:
    """Every command once, as it was asked for last."""
    each: dict[str, Past] = {}
    for past in (*newer, *older):
        each.setdefault(past.command, past)
    return list(each.values())[:MOST]


def _parsed(data: bytes) -> list[Past]:
    try:
        document = as_doc(json.loads(data or b"{}"))
        found = items(document, "runs", MOST) if document else []
    except (ValueError, RecursionError):
        return []
    return [past for item in found if (past := _past(item)) is not None]


def _past(item: object) -> Past | None:
    """One entry, or None where somebody wrote something else: it is typed into a line of text."""
    if not isinstance(item, dict):
        return None
    words = [item.get(key, "") for key in Past._fields]
    if not all(isinstance(w, str) and len(w) <= _LONGEST for w in words):
        return None
    command, limit, method = words
    if not command.strip() or not command.isprintable() or not limit.isprintable():
        return None
    return Past(command, limit, method if method in METHODS else "auto")
