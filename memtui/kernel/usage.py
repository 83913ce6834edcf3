"""Memory usage of a few cgroups, read many times a second: a few microseconds each."""

from __future__ import annotations

from collections.abc import Collection

from memtui.kernel.files import Files, parse_number
from memtui.kernel.roots import Roots

_FILES = {1: "memory.usage_in_bytes", 2: "memory.current"}


class UsageReader:
    """Reads `memory.current` (v2) or `memory.usage_in_bytes` (v1) through kept descriptors."""

    def __init__(self, roots: Roots) -> None:
        self._files = Files(roots)

    def read(self, version: int, directory: str) -> int | None:
        """Return the group's usage in bytes, caches included; None where it is not told."""
        return parse_number(self._files.read(f"{directory}/{_FILES[version]}"))

    def keep_only(self, directories: Collection[str]) -> None:
        """Close what was kept of any group but these."""
        self._files.keep_only(tuple(directories))

    def close(self) -> None:
        """Close every kept descriptor."""
        self._files.close()
