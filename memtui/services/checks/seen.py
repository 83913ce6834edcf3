"""What every check is given, and the answer where files cannot tell."""

from __future__ import annotations

from typing import Any, NamedTuple

from memtui.kernel.place import Place
from memtui.kernel.roots import Roots
from memtui.model.finding import UNKNOWN, Finding
from memtui.model.snapshot import Quota


class Seen(NamedTuple):
    """The machine, or the files of one, as read once."""

    roots: Roots
    quota: Quota
    place: Place
    marker: dict[str, Any] | None  # what a captured tree says of itself

    @property
    def live(self) -> bool:
        """Whether it is the running machine, which can be asked more than files can tell."""
        return self.roots.live


def not_in_files(name: str, what: str) -> Finding:
    """Return the answer where only the running machine could tell."""
    return Finding(name, UNKNOWN, f"not known from files: {what}")
