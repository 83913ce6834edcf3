"""Which limited groups grew since somebody looked: new processes may be at it.

A process that fills a limit within half a second is in no sample. Where the kernel does not tell
of thresholds and of reclaim (v1 without the right to ask, v2 far below the limit), the usage of
the groups is compared twenty times a second, which costs less than a thousandth of one CPU.
"""

from __future__ import annotations

from collections.abc import Iterable

from memtui.kernel.roots import Roots
from memtui.kernel.usage import UsageReader

PAUSE_S = 0.05
"""Between two comparisons."""
_SHARE = 24  # of the limit: growth by this part is worth a look
_MOST = 8  # groups


class Growth:
    """`watch` limited groups, then ask which `grown`."""

    def __init__(self, roots: Roots) -> None:
        self._reader = UsageReader(roots)
        self._version = 2
        self._groups: dict[str, tuple[str, int]] = {}  # by directory: path, limit in bytes
        self._seen: dict[str, int] = {}  # usage when it was told last, or the lowest since

    def __bool__(self) -> bool:
        """Whether anything is watched."""
        return bool(self._groups)

    def watch(self, version: int, groups: Iterable[tuple[str, str, int]]) -> None:
        """Watch these groups and none other: (path, directory, limit in bytes) each."""
        self._version = version
        self._groups = {d: (p, limit) for p, d, limit in list(groups)[:_MOST]}
        self._seen = {d: n for d, n in self._seen.items() if d in self._groups}
        self._reader.keep_only(self._groups)

    def grown(self) -> list[str]:
        """Return the paths of the groups that grew enough since they were told last."""
        found = []
        for directory, (path, limit) in self._groups.items():
            usage = self._reader.read(self._version, directory)
            if usage is None:
                continue
            seen = self._seen.get(directory)
            if seen is not None and usage - seen > limit // _SHARE:
                found.append(path)
                seen = usage
            self._seen[directory] = usage if seen is None else min(seen, usage)
        return found

    def close(self) -> None:
        """Give back every descriptor."""
        self._reader.close()
