"""Small kernel files that are read every second, and the two shapes that they have."""

from __future__ import annotations

import errno
import os

from memtui.kernel.roots import Roots, read_optional

_CHUNK = 1 << 14


def parse_number(data: bytes | None) -> int | None:
    """Return the one number of a file; None for anything else (`max`, cut short, absent)."""
    word = data.strip() if data else b""
    return int(word) if word.isdigit() and len(word) < 21 else None


def find_field(data: bytes, key: bytes, whole: bool = True) -> int | None:
    """Return the number of the line `key N`, or None where there is no such line.

    A last line without its newline was cut short, and is not believed if `whole` is asked for.
    """
    lead = key + b" "
    i = 0 if data.startswith(lead) else data.find(b"\n" + lead) + 1
    if not i and not data.startswith(lead):
        return None
    end = data.find(b"\n", i)
    if end < 0 and whole:
        return None
    return parse_number(data[i + len(lead) : end if end >= 0 else None])


def limit_known(data: bytes | None, absent: bool) -> bool:
    """Whether a limit file's contents say what limit holds: a number, or `max`.

    `absent`: there is no such file, and no usage that it could limit.
    """
    if data is None:
        return absent
    return data.strip() == b"max" or parse_number(data) is not None


class Files:
    """Reads kernel files again and again through descriptors that it keeps.

    `os.pread` at 0 of a kept descriptor is fresh on procfs and cgroupfs. A captured tree may
    have its files replaced, so there each read opens anew. Paths are the reader's own ones.
    """

    def __init__(self, roots: Roots) -> None:
        self._keep = roots.live
        self._fds: dict[str, int] = {}

    def read(self, path: str) -> bytes | None:
        """Return a file of one record (all of cgroupfs), or None where it cannot be read."""
        fd = self._fds.get(path)
        if fd is None:
            return self._open(path)
        try:
            return os.pread(fd, _CHUNK, 0)
        except OSError:  # ENODEV: the cgroup is gone, though one of that name may be there now
            os.close(self._fds.pop(path))
            return self._open(path)

    def absent(self, path: str) -> bool:
        """Whether there is no such file; False where that cannot be told."""
        try:
            os.stat(path)
        except OSError as e:
            return e.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)
        return False

    def read_until(self, path: str, key: bytes) -> bytes | None:
        """Return a file of many records up to the one that holds `key` (or to the end)."""
        data = self.read(path)
        fd = self._fds.get(path)
        if data is None or fd is None:
            return data
        try:
            while key not in data and (more := os.pread(fd, _CHUNK, len(data))):
                data += more
            if not data.endswith(b"\n") and (more := os.pread(fd, _CHUNK, len(data))):
                data += more
        except OSError:
            return None
        return data

    def keep_only(self, directories: tuple[str, ...]) -> None:
        """Close what was kept of any directory but these."""
        for path in [p for p in self._fds if p.rpartition("/")[0] not in directories]:
            os.close(self._fds.pop(path))

    def close(self) -> None:
        """Close every kept descriptor."""
        self.keep_only(())

    def _open(self, path: str) -> bytes | None:
        if not self._keep:
            return read_optional(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.pread(fd, _CHUNK, 0)
        except OSError:
            os.close(fd)
            return None
        self._fds[path] = fd
        return data
