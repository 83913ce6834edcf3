"""The highest usage since the last look, where the kernel lets it be asked for.

cgroup v2, Linux 6.12: a write to `memory.peak` resets the peak that this descriptor reads, and no
other's (Documentation/admin-guide/cgroup-v2.rst). v1's max_usage_in_bytes is everybody's: it is
not reset here.
"""

from __future__ import annotations

import contextlib
import os

from memtui.kernel.files import parse_number


class IntervalPeak:
    """`memory.peak` of one group at a time, read and reset again and again."""

    def __init__(self) -> None:
        self._directory = ""
        self._fd: int | None = None

    def read(self, directory: str) -> int | None:
        """Return the highest usage in bytes since the last call for the same `directory`.

        None at the first call, and where it cannot be had: a file that is not ours to write
        (it needs the group's owner), an older kernel, no v2.
        """
        if directory != self._directory:
            self.close()
            self._directory = directory
            self._open(directory.rstrip("/") + "/memory.peak")
            return None
        if self._fd is None:
            return None
        try:
            peak = parse_number(os.pread(self._fd, 64, 0))
            os.write(self._fd, b"reset\n")
        except OSError:  # the group is gone
            self.close()
            return None
        return peak

    def close(self) -> None:
        """Close the descriptor; the peak that others see was never changed."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._directory = None, ""

    def _open(self, path: str) -> None:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.write(fd, b"reset\n")  # EINVAL before 6.12
            except OSError:
                os.close(fd)
                return
            self._fd = fd
