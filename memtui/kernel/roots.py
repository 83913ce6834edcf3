"""Where the kernel's files are: `/`, or a directory with another machine's `/proc` and `/sys`.

Every reader takes a `Roots`, so that tests, captured trees and a host mounted into a container
are read by the same code as the live machine.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel.errors import classify

_CHUNK = 1 << 16
_LINE = 1024


class Roots(NamedTuple):
    """The directory under which `/proc` and `/sys` lie; "" is the running machine itself."""

    root: str = ""

    @property
    def live(self) -> bool:
        """Whether these are the running kernel's own files."""
        return not self.root

    @property
    def proc(self) -> str:
        """The directory that is `/proc`."""
        return self.root + "/proc"

    def at(self, path: str) -> str:
        """Return where the absolute `path` of the machine looked at lies for us."""
        return self.root + path

    def shown(self, path: str) -> str:
        """Return `path` as the machine looked at calls it: without our root."""
        return path[len(self.root) :] or "/"


LIVE = Roots()


def read_bytes(path: str) -> bytes:
    """Return the whole of a (small) kernel file. Raises a KernelError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(fd, _CHUNK)
            while data and (more := os.read(fd, _CHUNK)):
                data += more
            return data
        finally:
            os.close(fd)
    except OSError as e:
        raise classify(e, path) from e


def read_line(path: str) -> bytes:
    """Return a kernel file that holds one short record, by a single read. Raises a KernelError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _LINE)
        finally:
            os.close(fd)
    except OSError as e:
        raise classify(e, path) from e


def read_optional(path: str) -> bytes | None:
    """Return the file's bytes, or None where it is absent or the kernel will not tell."""
    try:
        return read_bytes(path)
    except OSError:
        return None
