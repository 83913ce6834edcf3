"""What a program maps before its first line runs: itself and the libraries that it names.

An address-space limit below this lets nothing start, whatever the program would do then. The
dynamic loader is asked (`ld.so --list`), which maps the libraries and runs none of the program.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess

_PT_LOAD, _PT_INTERP = 1, 3
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FOUND = re.compile(rb"(/\S+) \(0x[0-9a-f]+\)")
_HOPS = 3  # scripts whose interpreter is a script
_PATIENCE_S = 5.0


def _headers(data: bytes) -> list[tuple[int, int, int, int, int]]:
    """Return (type, offset, address, bytes in the file, bytes in memory) of a 64-bit ELF file."""
    if data[:5] != b"\x7fELF\x02" or len(data) < 64:
        return []
    order = "<" if data[5] == 1 else ">"
    start, size, count = (
        *struct.unpack_from(order + "Q", data, 32),
        *struct.unpack_from(order + "HH", data, 54),
    )
    found = []
    for at in range(start, start + size * min(count, 64), size):
        if at + 56 <= len(data):
            kind, _, offset, address, _, stored, held, _ = struct.unpack_from(
                order + "IIQQQQQQ", data, at
            )
            found.append((kind, offset, address, stored, held))
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8192)
    except OSError:
        return b""


def _span(path: str) -> int:
    """Return from where to where a file's segments are mapped; 0 where that is not known."""
    parts = [(a, a + held) for kind, _, a, _, held in _headers(_read(path)) if kind == _PT_LOAD]
    if not parts:
        return 0
    low, high = min(parts)[0] // _PAGE * _PAGE, max(end for _, end in parts)
    return -(-(high - low) // _PAGE) * _PAGE


def _program(path: str) -> str:
    """Return the file that is run in the end for a script."""
    for _ in range(_HOPS):
        data = _read(path)
        if not data.startswith(b"#!"):
            break
        words = data[2:].partition(b"\n")[0].split()
        path = os.fsdecode(words[0]) if words else path
    return path


def _loader(data: bytes) -> str | None:
    for kind, offset, _, stored, _ in _headers(data):
        if kind == _PT_INTERP:
            return os.fsdecode(data[offset : offset + stored].rstrip(b"\0"))
    return None


def _libraries(loader: str, path: str) -> list[str]:
    try:
        done = subprocess.run(
            [loader, "--list", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [os.fsdecode(name) for name in _FOUND.findall(done.stdout)]


def mapped_at_start(path: str) -> int | None:
    """Return the bytes of address space that starting `path` takes at least; None: not known."""
    program = os.path.realpath(_program(path))
    loader = _loader(_read(program))
    own = _span(program)
    if not own:
        return None
    if loader is None:
        return own
    files = {os.path.realpath(f) for f in (loader, *_libraries(loader, program))}
    return own + sum(map(_span, files))
