"""How often the OOM killer struck in each visible cgroup.

v1: `memory.oom_control` counts in the victim's own group alone. v2: `memory.events.local`
(5.2+) does; before that, what `memory.events` has beyond the children's.
"""

from __future__ import annotations

import os
from collections import deque
from typing import NamedTuple

from memtui.kernel.cgroup1 import parse_oom_control
from memtui.kernel.cgroup2 import parse_events
from memtui.kernel.roots import read_optional


class Kills(NamedTuple):
    """The kills in one cgroup itself since it was made."""

    inode: int  # of its directory: a new group of the same name has another
    number: int | None


def _own_count(version: int, directory: str) -> tuple[int | None, bool]:
    """The count, and whether the children's are part of it."""
    if version == 1:
        return parse_oom_control(read_optional(directory + "/memory.oom_control") or b""), False
    local = read_optional(directory + "/memory.events.local")
    if local is not None:
        return parse_events(local).oom_kill, False
    return parse_events(read_optional(directory + "/memory.events") or b"").oom_kill, True


def _children(path: str, directory: str) -> list[tuple[str, str, int]]:
    try:
        with os.scandir(directory + "/") as entries:
            return [
                (f"{path.rstrip('/')}/{e.name}", f"{directory}/{e.name}", e.inode())
                for e in entries
                if e.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def read_kills(version: int, path: str, directory: str, most: int = 4096) -> dict[str, Kills]:
    """Return the kills in the cgroup at `directory` and in each below it, by cgroup path.

    Breadth first, at most `most` groups: about 30 us each.
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
        found[path] = Kills(inode, count)
        if with_children and count is not None:
            sums.append(path)
        queue.extend(_children(path, directory))
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
