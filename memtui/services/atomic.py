"""Replacing a file in one step: whoever reads it sees the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import os


def replace(target: str, data: bytes, mode: int | None = 0o600, beside: str = "") -> None:
    """Put a new file with `data` in place of `target`, also where the machine stops meanwhile.

    `mode` is its permission bits; None: as any new file's. `beside` is where it is written
    before, by default a name of this process's own. Raises OSError, and then leaves nothing.
    """
    beside = beside or f"{target}.{os.getpid()}.new"
    with contextlib.suppress(OSError):  # of a process that was killed
        os.unlink(beside)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(beside, flags, 0o666 if mode is None else mode)
    try:
        with open(fd, "wb") as out:
            if mode is not None:
                os.fchmod(fd, mode)
            out.write(data)
            out.flush()
            os.fsync(fd)
        os.replace(beside, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
