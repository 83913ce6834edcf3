"""The tree of cgroups, read in the sampler's thread, and only while it is shown."""

from __future__ import annotations

import time
from collections.abc import Sequence

from memtui.kernel.grouptree import GroupUse, read_groups
from memtui.kernel.place import find_place
from memtui.kernel.roots import Roots

_MOST = 2000  # groups
_SHARE = 10  # a walk may take a tenth of the time: it is put off until then


class Cgroups:
    """Every visible memory cgroup; `wanted` turns it on and off from any thread."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self.wanted = False
        self.found: Sequence[GroupUse] = ()
        self.whole = True  # False: there are more groups than are read
        self._not_before = 0.0

    def look(self) -> None:
        """Walk the tree from the mount point down; not where it is not wanted, or just was."""
        if not self.wanted:
            self.found, self._not_before = (), 0.0
            return
        began = time.monotonic()
        if began < self._not_before:
            return
        place = find_place(self._roots)
        if place.version is None:
            self.found = ()
            return
        path, directory = place.chain[-1]
        found, self.whole = read_groups(place.version, path, self._roots.at(directory), _MOST)
        self.found = found
        self._not_before = began + _SHARE * (time.monotonic() - began)
