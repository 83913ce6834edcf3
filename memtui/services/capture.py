"""A captured tree: a tar with what memtui reads here, to be looked at elsewhere with --root.

Written as a stream, one file at a time: memtui may be inside a small quota. No environment, no
arguments unless asked for, no host name; users are numbers. Names of processes and cgroups stay.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple, Protocol

from memtui import __version__
from memtui.kernel import capture as kernel
from memtui.kernel.capture import MOST_GROUPS, Entry
from memtui.kernel.roots import LIVE, Roots, read_optional

MOST_BYTES = 64 << 20
"""Of the tar before it is compressed; processes beyond that are left out, the smallest first."""

MARKER = "memtui-capture.json"
_BLOCK = tarfile.BLOCKSIZE


class Exists(Exception):
    """The file is there already, and is not overwritten."""


class Captured(NamedTuple):
    """What was written."""

    bytes: int  # of the tar, before it is compressed
    processes: int
    groups: int
    left_out: tuple[str, ...]  # for lack of room, in words


class Sink(Protocol):
    """Where the tar goes: a file, a pipe, a compressor."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`. Raises OSError."""


class _Tar:
    """Writes members to a stream and forgets them."""

    def __init__(self, out: Sink) -> None:
        self.written = 0
        self._out = out
        self._time = int(time.time())

    def add(self, entries: Iterable[Entry]) -> int:
        """Write entries; return how many of them are directories."""
        directories = 0
        for path, data in entries:
            info = tarfile.TarInfo(path)
            info.mtime = self._time
            info.mode = 0o644 if data is not None else 0o755
            info.type = tarfile.REGTYPE if data is not None else tarfile.DIRTYPE
            info.size = len(data or b"")
            directories += data is None
            self._put(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
            self._put(data or b"")
        return directories

    def end(self) -> None:
        """Write the two empty blocks that end a tar."""
        self._put(bytes(2 * _BLOCK))

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._out.write(bytes(-len(data) % _BLOCK))
        self.written += len(data) + -len(data) % _BLOCK


def write_tar(
    out: Sink, roots: Roots = LIVE, arguments: bool = False, most_bytes: int = MOST_BYTES
) -> Captured:
    """Write the tar to `out`. Raises OSError; a KernelError where /proc cannot be listed."""
    pids = kernel.biggest_first(roots)
    tar = _Tar(out)
    tar.add(kernel.read_machine(roots))
    tar.add(kernel.read_self(roots, arguments))
    tar.add(kernel.read_mounts(roots))
    groups = tar.add(kernel.read_cgroups(roots))
    processes, skipped = 0, 0
    for pid in pids:
        if tar.written >= most_bytes:
            skipped += 1
            continue
        entries = kernel.read_process(roots, pid, arguments)
        tar.add(entries)
        processes += bool(entries)
    left_out = tuple(_left_out(skipped, groups))
    made = Captured(tar.written, processes, groups, left_out)
    tar.add([Entry(MARKER, _marker(made, arguments))])
    tar.end()
    return made._replace(bytes=tar.written)


def _left_out(skipped: int, groups: int) -> Iterator[str]:
    if skipped:
        yield f"{skipped} processes, those with the least resident memory"
    if groups >= MOST_GROUPS:
        yield f"cgroups after the first {MOST_GROUPS}"


def _marker(made: Captured, arguments: bool) -> bytes:
    told = {
        "schema": "memtui.capture/1",
        "memtui": __version__,
        "time": int(time.time()),
        "uid": os.geteuid(),
        "arguments": arguments,
        "processes": made.processes,
        "left_out": list(made.left_out),
    }
    return json.dumps(told, indent=1).encode() + b"\n"


def read_marker(roots: Roots) -> dict[str, Any] | None:
    """Return what a captured tree says of itself; None where the root holds no such word."""
    data = None if roots.live else read_optional(roots.at("/" + MARKER))
    with contextlib.suppress(ValueError):
        told = json.loads(data or b"null")
        return told if isinstance(told, dict) else None
    return None


def capture(
    path: str, roots: Roots = LIVE, arguments: bool = False, most_bytes: int = MOST_BYTES
) -> Captured:
    """Write the tar to `path`, readable by its owner only; compressed if it ends in `gz`.

    It appears under its name when it is complete. Raises Exists, OSError, KernelError.
    """
    if os.path.lexists(path):
        raise Exists(path)
    fd, temporary = tempfile.mkstemp(".part", ".memtui-", os.path.dirname(path) or ".")
    try:
        with open(fd, "wb") as raw:
            made = _write(raw, path.endswith((".gz", ".tgz")), roots, arguments, most_bytes)
            raw.flush()
            os.fsync(fd)
        _publish(temporary, path)
        return made
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _write(
    raw: IO[bytes], compress: bool, roots: Roots, arguments: bool, most_bytes: int
) -> Captured:
    if not compress:
        return write_tar(raw, roots, arguments, most_bytes)
    with gzip.GzipFile("", "wb", fileobj=raw) as out:
        return write_tar(out, roots, arguments, most_bytes)


def _publish(temporary: str, path: str) -> None:
    """Give the file its name, unless somebody took it meanwhile."""
    try:
        os.link(temporary, path)  # refuses to overwrite, unlike rename
    except FileExistsError:
        raise Exists(path) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise Exists(path) from None
        os.rename(temporary, path)
