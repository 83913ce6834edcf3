"""The rows for memory that belongs to no process, again and again: about 30 us a tick."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter

from memtui.kernel.levels import at_or_below
from memtui.kernel.mounts import Mount, read_tmpfs, tmpfs_mounts
from memtui.kernel.roots import Roots
from memtui.model.badness import level_of
from memtui.model.pools import own_memory, pools
from memtui.model.snapshot import Proc, Quota

_CGROUP = itemgetter(Proc._fields.index("cgroup"))
_LIST_TURNS = 10  # ticks in which the mounts are listed again


class _Members(dict["str | None", bool]):
    """Whether a cgroup belongs to the level that binds, each path decided once."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __missing__(self, cgroup: str | None) -> bool:
        held = cgroup is not None and at_or_below(cgroup, self.path)
        self[cgroup] = held
        return held


class Pools:
    """Looks at tmpfs mounts and at what the processes of the level that binds have; one thread."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._mounts: list[Mount] = []
        self._members = _Members("/")
        self._turn = -1

    def look(self, procs: Sequence[Proc], quota: Quota) -> list[Proc]:
        """Return the rows of this moment."""
        self._turn += 1
        if self._turn % _LIST_TURNS == 0:
            self._mounts = tmpfs_mounts(self._roots)
        level = level_of(quota)
        own: int | None = None
        if level is None:
            own = own_memory(procs)
        elif None not in (cgroups := [*map(_CGROUP, procs)]):  # else somebody's is not known yet
            if self._members.path != level.path:
                self._members = _Members(level.path)
            own = own_memory([*compress(procs, map(self._members.__getitem__, cgroups))])
        return pools(quota, read_tmpfs(self._mounts), own)
