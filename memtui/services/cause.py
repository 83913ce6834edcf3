"""Finding out why a limited run ended: the kernel log, limits around ours, full tmpfs.

All of it is asked only after an end that gives reason to, and what may not be read says nothing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from memtui.kernel import cgroupfacts, mounts
from memtui.kernel.cgroupset import Group
from memtui.kernel.meminfo import read_oom_kill
from memtui.kernel.proctree import read_sizes
from memtui.kernel.roots import LIVE
from memtui.model.limits import AS
from memtui.model.runlimit import Clues, Ending, Victim
from memtui.services.cgrouplimit import PREFIX
from memtui.text import safe, show

if TYPE_CHECKING:
    from memtui.kernel.oomlog import LogKill
    from memtui.services.launch import Started

_SLACK_S = 1.0  # between the kernel log's clock and ours
_FULL = 1 << 16  # a tmpfs with less than this left is full
_SIGKILL, _SIGBUS = 9, 7


class Before(NamedTuple):
    """How things stood when the command was about to run."""

    time: float  # seconds since the epoch
    kills: int | None  # by the OOM killer since boot
    ceilings: dict[str, int]  # directory: how often that group's limit was reached


def note(group: Group | None) -> Before:
    """Note how things stand now."""
    around = cgroupfacts.read_ceilings(group.version, group.directory) if group else []
    return Before(time.time(), read_oom_kill(LIVE), {c.directory: c.hits for c in around})


def find(end: Ending, before: Before, group: Group | None, started: Started) -> Ending:
    """Return `end` with what can be found out about it."""
    clues = end.clues
    if end.oom_kills or end.signal == _SIGKILL:
        end, clues = _killed(end, before, group, started.pid)
    elif end.signal == _SIGBUS or end.status == 128 + _SIGBUS:
        clues = clues._replace(full=full_tmpfs())
    elif end.method == AS and (end.signal or end.status):
        from memtui.services.startsize import mapped_at_start

        clues = clues._replace(start=mapped_at_start(started.program))
    return end._replace(clues=clues)


def name_sender(pid: int) -> str:
    """Name who sent a signal, while they are there to be asked."""
    seen = read_sizes(pid) if pid else None
    return f"{show(seen.name)} ({pid})" if seen else f"process {pid}" if pid else ""


def full_tmpfs() -> tuple[int, str] | None:
    """Return (size, where) of a tmpfs in which nothing more fits."""
    for found in mounts.read_tmpfs(mounts.tmpfs_mounts(LIVE)):
        if found.size - found.used < _FULL:
            return found.size, safe(found.point)
    return None


def _killed(end: Ending, before: Before, group: Group | None, pid: int) -> tuple[Ending, Clues]:
    clues = end.clues
    told = _logged(before, group, pid)
    if told:
        victims = tuple(Victim(k.pid, show(k.comm), k.rss) for k in told)
        clues = clues._replace(victims=victims)
        own = _own(told[-1], group)
        end = end._replace(own=own)
        if not own:
            clues = clues._replace(outer=_whose(told[-1]))
    elif end.oom_kills and not end.own and group is not None:
        clues = clues._replace(outer=_reached(before, group))
    after = read_oom_kill(LIVE)
    if after is not None and before.kills is not None:
        clues = clues._replace(others=max(0, after - before.kills))
    return end, clues


def _logged(before: Before, group: Group | None, pid: int) -> list[LogKill]:
    """Return the kernel log's records of kills of this run's processes."""
    from memtui.kernel.oomlog import LogKill
    from memtui.services.kernellog import read_kmsg

    return [
        kill
        for kill in read_kmsg()
        if isinstance(kill, LogKill)
        and (kill.time or 0.0) >= before.time - _SLACK_S
        and (_within(kill.task_memcg, group) if group else kill.pid == pid)
    ]


def _within(path: bytes | None, group: Group) -> bool:
    """Whether a path of the log is our group or below it; a mount may hide where that lies."""
    parts = os.fsencode(group.directory).split(b"/")
    ours = parts[-1:] if parts[-1].startswith(PREFIX.encode()) else parts[-2:]  # SCOPE/payload
    return path is not None and b"/" + b"/".join(ours) + b"/" in path + b"/"


def _own(kill: LogKill, group: Group | None) -> bool:
    return group is not None and _within(kill.oom_memcg, group)


def _whose(kill: LogKill) -> tuple[int | None, str]:
    """Return (limit, name) of what ran out; the machine has no name."""
    if kill.oom_memcg is None:
        return None, ""
    limits = [x.limit for x in kill.limits if x.kind == "memory"]
    return (limits[0] if limits else None), show(kill.oom_memcg)


def _reached(before: Before, group: Group) -> tuple[int | None, str] | None:
    """Return the nearest limit around the group that was reached since, by its counter."""
    for each in cgroupfacts.read_ceilings(group.version, group.directory):
        if each.hits > before.ceilings.get(each.directory, each.hits):
            return each.limit, safe(each.directory)
    return None
