"""Entries of several lines: `journalctl -o export` and `json-pretty`, `dmesg -J`."""

from __future__ import annotations

from typing import Any

from memtui.kernel.logentry import LogLine, from_entry, from_json

_FIELDS = 256
_BYTES = 1 << 16


class Exported:
    """The Journal Export Format: a field a line, an empty line after each entry."""

    separator = b"\n\n"

    def __init__(self) -> None:
        self._entry: dict[str, Any] = {}
        self._binary: tuple[bytes, bytes] | None = None  # the field, and its bytes so far

    @property
    def inside(self) -> bool:
        """Whether the last line was in the middle of an entry."""
        return bool(self._entry) or self._binary is not None

    def read(self, line: bytes) -> LogLine | None:
        """Take one line; return the entry that it ends."""
        if self._binary is not None:
            self._more(*self._binary, line)
            return None
        line = line.rstrip(b"\n")
        if not line:
            entry, self._entry = self._entry, {}
            return from_entry(entry) if entry else None
        name, equals, value = line.partition(b"=")
        if not equals:
            self._binary = (name, b"")
        elif len(self._entry) < _FIELDS:
            self._entry.setdefault(name.decode("latin-1"), value)
        return None

    def _more(self, name: bytes, data: bytes, line: bytes) -> None:
        """Collect a field with newlines or control characters: its length, then its bytes."""
        data += line.removesuffix(b"\n") + b"\n"
        size = int.from_bytes(data[:8], "little") if len(data) >= 8 else _BYTES
        self._binary = (name, data)
        if len(data) > min(size + 8, _BYTES):
            self._entry.setdefault(name.decode("latin-1"), data[8 : 8 + size])
            self._binary = None


class Pretty:
    """JSON objects, one field a line; those of `dmesg -J` are within another."""

    separator = b"{\n"

    def __init__(self) -> None:
        self._lines: list[bytes] | None = None
        self._size = 0

    @property
    def inside(self) -> bool:
        """Whether the last line was in the middle of an entry."""
        return self._lines is not None

    def read(self, line: bytes) -> LogLine | None:
        """Take one line; return the entry that it ends."""
        word = line.strip()
        told = None
        if word[:1] == b"}" and self._lines is not None:
            told = from_json(b"\n".join([*self._lines, b"}"]))
            self._lines = None
        if word[-1:] == b"{":
            self._lines, self._size = [b"{"], 0
        elif self._lines is not None and word[:1] != b"}":
            self._size += len(word)
            if self._size < _BYTES:
                self._lines.append(word)
        return told
