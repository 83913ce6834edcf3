"""How much a cgroup may use, asked of any group that is visible, now and then.

The levels above ourselves are read every second by `cgroup`; this is for everybody else's.
"""

from __future__ import annotations

from memtui.kernel import cgroup1
from memtui.kernel.files import parse_number
from memtui.kernel.roots import read_optional

_FILES = {1: "/memory.limit_in_bytes", 2: "/memory.max"}


def read_limit(directory: str, version: int) -> int | None:
    """Return the limit in bytes of the group at `directory`; None: none, or it is not told."""
    data = read_optional(directory.rstrip("/") + _FILES[version])
    return cgroup1.parse_limit(data) if version == 1 else parse_number(data)
