"""The biggest files of a tmpfs, which is to say: what in it takes memory."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

_MOST = 50_000  # entries looked at
_DIRECTORIES = 10_000


class Big(NamedTuple):
    """One file."""

    path: str  # as the file system has it: not safe to display
    bytes: int  # what it takes, not how long it is (stat.st_blocks)
    uid: int
    modified: float  # seconds since the epoch
    device: int = 0
    inode: int = 0


class Listing(NamedTuple):
    """What was found below a mount point."""

    files: list[Big]  # the biggest first
    total: int  # bytes of all files that were seen
    seen: int
    unreadable: int  # directories that are not for us to look into
    whole: bool  # False: there are more entries than were looked at


def biggest(point: str, count: int) -> Listing:
    """Return the `count` biggest files below `point`, on its own file system only.

    A file with several names counts once. Deleted files that are still open have no name, so
    they are not found. Costs about 5 us for each entry; nothing is raised.
    """
    found: dict[int, Big] = {}
    queue, seen, walked, unreadable = [point], 0, 0, 0
    try:
        device = os.stat(point).st_dev
    except OSError:
        return Listing([], 0, 0, 1, True)
    while queue and seen < _MOST and walked < _DIRECTORIES:
        walked += 1
        try:
            with os.scandir(queue.pop()) as entries:
                for entry in entries:
                    seen += 1
                    _look(entry, device, found, queue)
        except OSError:
            unreadable += 1
    files = sorted(found.values(), key=lambda f: f.bytes, reverse=True)
    total = sum(f.bytes for f in files)
    return Listing(files[:count], total, len(files), unreadable, not queue)


def _look(entry: os.DirEntry[str], device: int, found: dict[int, Big], queue: list[str]) -> None:
    try:
        told = entry.stat(follow_symlinks=False)
    except OSError:  # gone meanwhile
        return
    if told.st_dev != device:
        return
    if stat.S_ISDIR(told.st_mode):
        queue.append(entry.path)
    elif stat.S_ISREG(told.st_mode):
        taken = told.st_blocks * 512
        found[told.st_ino] = Big(
            entry.path, taken, told.st_uid, told.st_mtime, told.st_dev, told.st_ino
        )
