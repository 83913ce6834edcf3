"""A signal to all processes of a run, also to those that are born while it is given out."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

_ROUNDS = 100  # of looking who was born meanwhile; a few are enough where nobody forks
_PAUSE_S = 0.005
GRACE_S = 0.2
"""What a command leaves behind may end by itself in this time (`cmd > >(tee log)`)."""

Members = Callable[[], set[int]]
Left = TypeVar("Left", int, set[int])


def linger(left: Callable[[], Left]) -> Left:
    """Give those who are left a moment to end; return who, or how many, then still are."""
    end = time.monotonic() + GRACE_S
    while (found := left()) and time.monotonic() < end:
        time.sleep(_PAUSE_S)
    return found


def send(pids: Iterable[int], sig: int) -> None:
    """Send `sig` to each; who is gone is passed over."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, sig)


def halt(members: Members) -> set[int]:
    """Stop everybody until nobody new is found: who stands still forks no more."""
    halted: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = members() - halted
        if not fresh:
            break
        send(fresh, signal.SIGSTOP)
        halted |= fresh
    return halted


def kill(members: Members, patience_s: float = 5.0) -> set[int]:
    """SIGKILL everybody until nobody is left; return who that were."""
    end, killed = time.monotonic() + patience_s, set[int]()
    while (doomed := halt(members)) and time.monotonic() < end:
        send(doomed, signal.SIGKILL)
        killed |= doomed
        time.sleep(_PAUSE_S)
    return killed


def end(members: Members) -> None:
    """SIGTERM everybody; who is stopped goes on, to end."""
    pids = members()
    send(pids, signal.SIGTERM)
    send(pids, signal.SIGCONT)
