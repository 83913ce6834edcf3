"""Deleting one file in memory: exactly the one that was shown, or none. Nothing here raises."""

from __future__ import annotations

import os
import stat

from memtui.model.advice.terms import File
from memtui.services.actions import Actions
from memtui.services.target import Outcome
from memtui.text import elide_left, safe
from memtui.units import size


def delete(actions: Actions, file: File) -> Outcome:
    """Delete `file` if its name still leads to that very file (device and inode)."""
    if (forbidden := actions.forbidden("nothing was deleted")) is not None:
        return forbidden
    name = elide_left(safe(file.path), 48)
    folder, base = os.path.split(file.path)
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        return _refused(e, name)
    try:
        told = os.stat(base, dir_fd=held, follow_symlinks=False)
        if (told.st_dev, told.st_ino) != (file.device, file.inode):
            return Outcome("reused", f"{name} is another file now: not deleted")
        if not stat.S_ISREG(told.st_mode):
            return Outcome("error", f"{name} is no plain file: not deleted")
        os.unlink(base, dir_fd=held)
    except OSError as e:
        return _refused(e, name)
    finally:
        os.close(held)
    return Outcome("sent", f"deleted {name}{_gives(file, told.st_nlink)}")


def _refused(error: OSError, name: str) -> Outcome:
    if isinstance(error, FileNotFoundError):
        return Outcome("gone", f"{name} is already gone")
    return Outcome("denied", f"{name} was not deleted: {error.strerror}")


def _gives(file: File, names: int) -> str:
    """What comes back, and when."""
    if names > 1:
        return "; it has other names, so its memory stays"
    if file.holders:
        who = ", ".join(map(safe, file.holders[:2]))
        return f"; {size(file.bytes)} come back when it is closed by {who}"
    return f": {size(file.bytes)} come back"
