"""A saved log as bytes, piece by piece: plain or compressed by gzip, bzip2 or xz, or stdin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from types import TracebackType
from typing import BinaryIO

_CHUNK = 1 << 20
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}
_JOURNAL = b"LPKSHHRH"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
STDIN = "-"


def _recoder() -> Callable[[bytes], bytes]:
    """From UTF-16, in which Windows tools save what they are shown."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    return lambda data: decoder.decode(data).encode("utf-8", "replace")


class NotALog(ValueError):
    """The file cannot be a log; says what it is in words."""


class LogFile:
    """One log, to be read once."""

    def __init__(self, path: str) -> None:
        """Open `path`, or stdin for `-`. Raises OSError, NotALog."""
        self.written: float | None = None
        """When the file was last written, in seconds since the epoch; None: it is no file."""
        descriptor = 0 if path == STDIN else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._raw: BinaryIO = os.fdopen(descriptor, "rb", closefd=descriptor != 0)
        self._file: BinaryIO = self._raw
        try:
            if path != STDIN:
                self.written = os.fstat(self._raw.fileno()).st_mtime
                self._file = self._unpacked(path)
        except BaseException:
            self.close()
            raise

    def _unpacked(self, path: str) -> BinaryIO:
        head = self._raw.peek(8)[:8] if hasattr(self._raw, "peek") else b""
        if head == _JOURNAL:
            raise NotALog(
                "is a binary journal: journalctl --file=FILE -k -o json | memtui oom --log -"
            )
        for magic, module in _PACKED.items():
            if head.startswith(magic):
                unpacked: BinaryIO = import_module(module).open(self._raw, "rb")
                return unpacked
        return self._raw

    def chunks(self) -> Iterator[bytes]:
        """Yield the log's bytes as they come. Raises OSError; EOFError where it is cut short."""
        read = getattr(self._file, "read1", self._file.read)
        recode: Callable[[bytes], bytes] | None = None
        first = True
        while data := read(_CHUNK):
            if first and data[:2] in _UTF16:
                recode = _recoder()
            first = False
            yield recode(data) if recode else data

    def close(self) -> None:
        """Close the file; stdin stays open."""
        for file in {id(f): f for f in (getattr(self, "_file", None), self._raw) if f}.values():
            file.close()

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
