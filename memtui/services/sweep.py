"""The next start removes what a memtui left that was killed."""

from __future__ import annotations

import contextlib

from memtui.kernel import cgroupmake
from memtui.services import cgrouplimit


class Sweep:
    """Groups without processes, whose maker has ended: looked for once, in the sampler's thread."""

    def __init__(self) -> None:
        self._done = False

    def look(self) -> None:
        """Remove them, the first time. Never raises."""
        if self._done:
            return
        self._done = True
        with contextlib.suppress(OSError):
            if place := cgroupmake.read_place():
                cgrouplimit.sweep(cgrouplimit.bases(place))
