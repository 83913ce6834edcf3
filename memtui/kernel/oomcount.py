"""How often the OOM killer struck in each visible cgroup, and whose limit was hit.

v1: `memory.oom_control` counts kills in the victim's own group alone, `memory.failcnt` how often
a group's own limit was hit. v2: `memory.events.local` (5.2+) counts both; before that, what
`memory.events` has beyond the children's.
"""

from __future__ import annotations

import os
from collections import deque
from typing import NamedTuple

from memtui.kernel.cgroup1 import parse_oom_control
from memtui.kernel.cgroup2 import parse_events
from memtui.kernel.files import parse_number
from memtui.kernel.roots import read_optional


class Kills(NamedTuple):
    """The counters of one cgroup itself since it was made."""

    inode: int  # of its directory: a new group of the same name has another
    number: int | None  # processes of it that the OOM killer took
    hits: int | None = None  # v2: OOMs by its own limit; v1: failcnt, reclaim at the limit included
    groups: int | None = None  # v2: memory.oom.group kills


def _own_count(version: int, directory: str) -> tuple[Kills, bool]:
    """The counters, and whether the children's are part of them; the inode is left out."""
    if version == 1:
        number = parse_oom_control(read_optional(directory + "/memory.oom_control") or b"")
        hits = parse_number(read_optional(directory + "/memory.failcnt"))
        return Kills(0, number, hits), False
    local = read_optional(directory + "/memory.events.local")
    found = parse_events(local or read_optional(directory + "/memory.events") or b"")
    if local is None:
        return Kills(0, found.oom_kill), True
    return Kills(0, found.oom_kill, found.oom, found.oom_group_kill), False


def children(path: str, directory: str) -> list[tuple[str, str, int]]:
    """Return (path, directory, inode) of the groups right below one."""
    try:
        with os.scandir(directory.rstrip("/") + "/") as entries:
            return [
                (f"{path.rstrip('/')}/{e.name}", f"{directory.rstrip('/')}/{e.name}", e.inode())
                for e in entries
                if e.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def read_kills(version: int, path: str, directory: str, most: int = 4096) -> dict[str, Kills]:
    """Return the kills in the cgroup at `directory` and in each below it, by cgroup path.

    Breadth first, at most `most` groups: about 30 us each, on v1 twice that.
    """
    directory = directory.rstrip("/")
    try:
        queue = deque([(path, directory, os.stat(directory + "/").st_ino)])
    except OSError:
        return {}
    found: dict[str, Kills] = {}
    sums: list[str] = []
    while queue and len(found) < most:
        path, directory, inode = queue.popleft()
        count, with_children = _own_count(version, directory)
        found[path] = count._replace(inode=inode)
        if with_children and count.number is not None:
            sums.append(path)
        queue.extend(children(path, directory))
    return _without_children(found, sums) if sums else found


def _without_children(found: dict[str, Kills], sums: list[str]) -> dict[str, Kills]:
    """Take the children's counts off those that hold them."""
    own = dict(found)
    for path in sums:
        parent = path.rpartition("/")[0] or "/"
        count, child = own.get(parent, Kills(0, None)).number, found[path].number
        if parent != path and parent in sums and count is not None and child is not None:
            own[parent] = own[parent]._replace(number=max(0, count - child))
    return own


_LIMITS = {
    1: ("memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    2: ("memory.max", "memory.peak"),
}
_NO_LIMIT = 1 << 60  # v1 writes nearly 2^63 for none


def read_limit_and_peak(version: int, directory: str) -> tuple[int | None, int | None]:
    """Return a group's limit and highest usage in bytes; None where there is none, or not told."""
    base = directory.rstrip("/") + "/"
    limit, peak = (parse_number(read_optional(base + name)) for name in _LIMITS[version])
    return (None if limit is None or limit >= _NO_LIMIT else limit), peak


def read_members(directory: str) -> list[int]:
    """Return the PIDs in one group, from `cgroup.procs`; those not visible to us are left out."""
    data = read_optional(directory.rstrip("/") + "/cgroup.procs") or b""
    return [int(word) for word in data.split() if word.isdigit() and word != b"0"]
