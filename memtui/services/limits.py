"""Which way to hold a command to a memory limit can be had here, and why not a better one."""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.model.limits import AS, CGROUP, DATA, SYSTEMD, WATCH, Limits, Room, derive_room
from memtui.services.cgrouplimit import CgroupLimiter
from memtui.services.limiter import Evidence, Limiter, Unavailable
from memtui.services.managers import is_there
from memtui.services.manners import apply_manners
from memtui.services.rlimits import RlimitLimiter
from memtui.text import safe

__all__ = [
    "CgroupLimiter",
    "Chosen",
    "Evidence",
    "Limiter",
    "RlimitLimiter",
    "Unavailable",
    "choose",
    "limiter_of",
    "read_room",
]


class Chosen(NamedTuple):
    """A limiter that is prepared, and why it is not a better one."""

    limiter: Limiter
    limits: Limits
    fallback: str = ""  # "no cgroup: …", empty where it is the best or the one asked for

    def admit(self, pid: int) -> int:
        """Bring `pid`, which waits, under its limits before it runs; return the one read back.

        Raises Unavailable when one of them cannot be had.
        """
        self.limiter.adopt(pid)
        limit = self.limiter.confirm(pid)
        apply_manners(pid, self.limits)
        return limit

    def words(self) -> str:
        """Say what is in force, what is not, and why it is nothing better; safe to display."""
        words = [self.limiter.describe()]
        if self.limiter.unmet:
            words.append(f"not in force: {', '.join(self.limiter.unmet)}")
        return safe("; ".join([*words, self.fallback] if self.fallback else words))

    def describe(self) -> str:
        """Say so in one line."""
        return f"limit: {self.words()}"


def _prepared(limiter: Limiter, limits: Limits) -> Limiter:
    if error := limiter.probe():
        raise error
    limiter.prepare(limits)
    return limiter


def limiter_of(method: str) -> Limiter:
    """Return the limiter of a method; one that is not needed is not imported."""
    if method in (DATA, AS):
        return RlimitLimiter(method)
    if method == WATCH:
        from memtui.services.watching import WatchLimiter

        return WatchLimiter()
    if method == SYSTEMD:
        from memtui.services.systemdlimit import SystemdLimiter

        return SystemdLimiter()
    return CgroupLimiter()


def order() -> tuple[str, ...]:
    """Return what `auto` tries, the best first.

    A group made by hand costs a few ms, a scope some tens and a helper. But where systemd runs
    and we are root, groups beside ours are systemd's: it may take the memory controller away
    from them at any time. An ordinary user can make groups only where they were delegated.
    """
    named = os.environ.get("MEMTUI_CGROUP_BASE")
    if os.geteuid() == 0 and not named and is_there():
        return SYSTEMD, CGROUP, WATCH
    return (CGROUP, SYSTEMD, WATCH) if is_there() else (CGROUP, WATCH)


def _attempt(method: str, limits: Limits) -> Limiter | Unavailable:
    try:
        return _prepared(limiter_of(method), limits)
    except Unavailable as e:
        return e


def choose(method: str, limits: Limits) -> Chosen:
    """Return the limiter for `method`, prepared for `limits`.

    `auto` takes a cgroup, else the watchdog: both count all processes together, and what is
    used, not what is reserved. Raises Unavailable when the method asked for cannot be had. The
    caller must close() the limiter.
    """
    if method != "auto":
        return Chosen(_prepared(limiter_of(method), limits), limits)
    reasons: list[str] = []
    for each in order():
        found = _attempt(each, limits)
        if not isinstance(found, Unavailable):
            return Chosen(found, limits, "; ".join(reasons) if each == WATCH else "")
        reasons.append(f"no {each}: {found}")
    raise Unavailable("; ".join(reasons))


def read_room() -> Room:
    """Return what `50%` and `free-10%` are shares of, as the quota bar shows it now."""
    from memtui.services.quota import QuotaSource  # only a percentage needs it

    source = QuotaSource()
    binding = source.read().binding
    source.close()
    return derive_room(binding)
