"""Every visible memory cgroup with what it uses, its limit, its OOM kills and its stalls.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. Five files a group.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from memtui.kernel import cgroup1, cgroup2
from memtui.kernel.files import find_field, parse_number
from memtui.kernel.meminfo import parse_pressure
from memtui.kernel.oomcount import children
from memtui.kernel.roots import read_optional


class GroupUse(NamedTuple):
    """One cgroup as read once; bytes. None: not told, or no limit."""

    path: str  # as /proc/PID/cgroup writes it
    usage: int | None = None
    limit: int | None = None
    limit_known: bool = True  # False: the limit's file is not for us to read
    swap: int | None = None
    oom_kill: int | None = None
    local_count: bool = False  # v1: `oom_kill` leaves the groups below out
    some_avg10: float | None = None  # PSI of memory; v1 has none


def read_group(version: int, path: str, directory: str) -> GroupUse:
    """Return one group; what cannot be read is None."""
    base = directory.rstrip("/") + "/memory."
    if version == 1:
        told = read_optional(base + "limit_in_bytes")
        stat = read_optional(base + "stat") or b""
        return GroupUse(
            path,
            parse_number(read_optional(base + "usage_in_bytes")),
            cgroup1.parse_limit(told),
            told is not None,
            find_field(stat, b"total_swap"),
            cgroup1.parse_oom_control(read_optional(base + "oom_control") or b""),
            True,
        )
    usage = parse_number(read_optional(base + "current"))
    told = read_optional(base + "max")
    return GroupUse(
        path,
        usage,
        parse_number(told),
        told is not None or usage is None,
        parse_number(read_optional(base + "swap.current")),
        cgroup2.parse_events(read_optional(base + "events") or b"").oom_kill,
        False,
        parse_pressure(read_optional(base + "pressure") or b"").some_avg10,
    )


def read_groups(version: int, path: str, directory: str, most: int) -> tuple[list[GroupUse], bool]:
    """Return the group at `directory` and all below it, breadth first; and whether that is all."""
    found: list[GroupUse] = []
    queue = deque([(path, directory)])
    while queue and len(found) < most:
        path, directory = queue.popleft()
        found.append(read_group(version, path, directory))
        queue.extend((p, d) for p, d, _ in children(path, directory))
    return found, not queue
