"""Looking at a command's processes from outside, where no cgroup keeps their peak."""

from __future__ import annotations

from collections.abc import Iterable

from memtui.kernel.proctree import Sizes, read_sizes

_FIRST_S, _FAST_S, _LAST_S = 0.002, 0.001, 0.05
_GROWTH = 1.3


class Peaks:
    """The largest sizes that any one process was seen to have, in bytes: lower bounds.

    `hwm` is exact for a process up to the last look at it (VmHWM); what a process did after
    that, and processes that lived between two looks, are missed.
    """

    def __init__(self, watched_limit: int | None = None) -> None:
        self.hwm = 0
        self.data = 0
        self.virt = 0
        self.shared = 0
        self.pause_s = _FIRST_S
        self.near = False  # it grows towards its limit
        self._hot = watched_limit // 2 if watched_limit else None

    def look(self, pids: Iterable[int]) -> dict[int, Sizes]:
        """Look at `pids`; about 40 us for each."""
        before = self.data
        found = {}
        for each in pids:
            if sizes := read_sizes(each):
                found[each] = sizes
                self.hwm = max(self.hwm, sizes.hwm)
                self.data = max(self.data, sizes.data)
                self.virt = max(self.virt, sizes.virt_peak)
                self.shared = max(self.shared, sizes.shared)
        self._pace(self.data > before)
        return found

    def add_exact(self, rss: int) -> None:
        """Take in the kernel's own peak RSS: what of it is not shared was private memory."""
        self.hwm = max(self.hwm, rss)
        if self.shared:
            self.data = max(self.data, rss - self.shared)

    def _pace(self, growing: bool) -> None:
        """Look often at first and while it grows towards a limit, else 20 times a second."""
        self.near = growing and self._hot is not None and self.data > self._hot
        self.pause_s = _FAST_S if self.near else min(self.pause_s * _GROWTH, _LAST_S)
