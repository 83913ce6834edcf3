"""A command in the background: what was asked for, and how it stood at the last look.

Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memtui.model.limits import WATCH
from memtui.model.runlimit import Result

RUNS, PAUSED, STOPPING, ENDED = "runs", "paused", "stopping", "ended"


class Request(NamedTuple):
    """A shell command, and what it may have: as it was asked for, to be asked for again."""

    command: str  # lossless: for a shell, not for a screen
    limit: int
    typed: str = ""  # the limit as it was written: a share means another size tomorrow
    method: str = "auto"


class JobView(NamedTuple):
    """One command as it stood at the last tick."""

    id: int
    request: Request
    command: str  # safe to display
    limit: int
    method: str  # what is in force, in words
    usage: int | None
    peak: int | None
    pids: frozenset[int]
    result: Result | None = None  # None while it runs
    per_process: bool = False  # limit, usage and peak are of the largest process
    state: str = RUNS
    seconds: float = 0.0  # wall clock
    output: Sequence[list[tuple[str, str]]] = ()  # last lines, safe to display
    written: tuple[int, int] = (0, 0)  # bytes and lines of output
    limits: tuple[tuple[float, int], ...] = ()  # each limit, from which second on
    term_s: float | None = None  # seconds since it was asked to end, while it has not
    anon: int | None = None  # of usage, what cannot be given back; None: not told apart
    kind: str = ""  # the method, as `model.limits` names it
    held: int | None = (
        None  # what it had when it was stopped near its limit, for a person to decide
    )
    course: tuple[Sequence[float], Sequence[float]] = ((), ())  # seconds, and bytes then

    @property
    def outlives(self) -> bool:
        """Whether its limit stays in force when memtui is gone: a watchdog's does not."""
        return self.kind != WATCH
