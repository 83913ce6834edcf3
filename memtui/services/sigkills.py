"""Big processes that ended by SIGKILL though no OOM killer took them: a person's, a program's."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

from memtui.model.snapshot import Identity
from memtui.model.victims import STATUS, Departed, OomEvent, killed_by_9, victim_of

SETTLED_S = 1.5
"""How long an OOM counter may lag behind the end of a victim."""
BIG = 32 << 20
"""Smaller ones are not worth an event, unless they are a 20th of the limit."""
_NEAR_S = 8.0  # between a killer's line in a log and the end


class OtherKiller(NamedTuple):
    """A program said that it kills, or just did."""

    time: float  # seconds since the epoch
    who: str  # "earlyoom", "systemd-oomd", ...
    pid: int | None
    comm: bytes | None
    cgroup: str | None


class Sigkills:
    """Finds them among the departed; each is told once."""

    def __init__(self) -> None:
        self.expected: set[Identity] = set()  # memtui itself sent the signal
        self._told: deque[Identity] = deque(maxlen=256)

    def find(
        self, time: float, departed: Sequence[Departed], named: Collection[Identity], least: int
    ) -> list[Departed]:
        """Return who ended so some time ago and is no event's victim, `least` bytes and more."""
        found = [
            d
            for d in departed
            if killed_by_9(d.status)
            and d.weight >= least
            and time - d.missed >= SETTLED_S
            and d.proc[:2] not in named
            and d.proc[:2] not in self.expected
            and d.proc[:2] not in self._told
        ]
        self._told.extend(d.proc[:2] for d in found)
        return found


def sigkill_event(
    event: OomEvent, gone: Departed, said: Sequence[OtherKiller], place: str | None
) -> OomEvent:
    """Return `event` as one that tells of a process ended by SIGKILL, and by whom if that is told.

    `place`: the process's cgroup.
    """
    near = [k for k in said if abs(k.time - gone.missed) <= _NEAR_S]
    proc = gone.proc
    who = [k.who for k in near if k.pid == proc.pid or k.comm == proc.comm]
    who += [k.who for k in near if k.cgroup and place and place.endswith(k.cgroup)]
    return event._replace(
        kind="sigkill",
        killer=who[0] if who else "",
        victims=(victim_of(gone, STATUS),),
        evidence=STATUS,
    )
