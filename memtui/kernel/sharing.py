"""Who holds which memory that is nobody's own: mapped files, open ones, SysV segments.

Sources: proc(5) for maps and fd, ipc/shm.c (`sysvipc_shm_proc_show`) for /proc/sysvipc/shm.
Readers raise Gone, Denied or another KernelError; maps and fd need ptrace-read permission.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from memtui.kernel.errors import classify
from memtui.kernel.procfs import path_of
from memtui.kernel.roots import Roots, read_bytes, read_optional

Node = tuple[int, int]
"""(st_dev, st_ino) of a file."""

_UNMOUNTED = (b"/memfd:", b"/SYSV", b"/dev/zero")
_SIGKILL = 1 << 8


class Mapped(NamedTuple):
    """What a process maps."""

    nodes: frozenset[Node]
    paths: frozenset[bytes]


def parse_maps(data: bytes) -> Mapped:
    """Return the files of /proc/PID/maps; lines that are not as the kernel's count for nothing."""
    nodes, paths = set(), set()
    for line in data.splitlines():
        words = line.split(None, 5)
        if len(words) < 6 or not words[5].startswith(b"/"):
            continue
        major, _, minor = words[3].partition(b":")
        try:
            nodes.add((os.makedev(int(major, 16), int(minor, 16)), int(words[4])))
        except ValueError:
            continue
        paths.add(words[5])
    return Mapped(frozenset(nodes), frozenset(paths))


def read_maps(roots: Roots, pid: int) -> Mapped:
    """Return what a process maps; about 1 us for each mapping, and no walk over its pages."""
    return parse_maps(read_bytes(path_of(roots, pid, "maps")))


class OpenInMemory(NamedTuple):
    """An open file that lies in memory."""

    path: bytes  # as the link says, without " (deleted)"
    node: Node
    taken: int  # bytes
    deleted: bool


def read_open(roots: Roots, pid: int, points: Iterable[bytes]) -> list[OpenInMemory]:
    """Return the open files of a process below the mount points of tmpfs, and memfds, each once.

    No other file is asked for anything: one on a dead server would not answer.
    """
    path = path_of(roots, pid, "fd")
    leads = tuple(p.rstrip(b"/") + b"/" for p in points) + _UNMOUNTED
    try:
        names = os.listdir(path)
    except OSError as e:
        raise classify(e, path) from e
    opened = (_read_open(os.fsencode(f"{path}/{name}"), leads) for name in names)
    return list({o.node: o for o in opened if o is not None}.values())


def _read_open(path: bytes, leads: tuple[bytes, ...]) -> OpenInMemory | None:
    try:
        link = os.readlink(path)
        if not link.startswith(leads):
            return None
        told = os.stat(path)
    except OSError:  # closed meanwhile
        return None
    name, node = link.removesuffix(b" (deleted)"), (told.st_dev, told.st_ino)
    return OpenInMemory(name, node, told.st_blocks * 512, told.st_nlink == 0)


class Segment(NamedTuple):
    """A SysV shared memory segment."""

    id: int
    size: int  # as it was asked for
    resident: int  # bytes in RAM or swap
    attached: int  # processes
    uid: int
    changed: int  # seconds since the epoch: the last of attach, detach and change


def parse_segments(data: bytes) -> list[Segment]:
    """Return the segments of /proc/sysvipc/shm, by the names in its first line."""
    head, *rows = data.splitlines() or [b""]
    names = head.split()
    found = (_segment(dict(zip(names, row.split(), strict=False))) for row in rows)
    return [segment for segment in found if segment is not None]


def _segment(told: dict[bytes, bytes]) -> Segment | None:
    try:
        n = {k: int(v) for k, v in told.items() if k not in (b"key", b"perms")}
        changed = max(n[b"atime"], n[b"dtime"], n[b"ctime"])
        resident = n[b"rss"] + n.get(b"swap", 0)
        return Segment(n[b"shmid"], n[b"size"], resident, n[b"nattch"], n[b"uid"], changed)
    except (KeyError, ValueError):
        return None


def read_segments(roots: Roots) -> list[Segment]:
    """Return the SysV segments of our IPC namespace; none where it is not told."""
    return parse_segments(read_optional(roots.proc + "/sysvipc/shm") or b"")


def parse_dying(status: bytes) -> bool | None:
    """Whether SIGKILL waits for a process (SigPnd, ShdPnd of `status`); None: not told."""
    masks = [
        line.partition(b":")[2].strip()
        for line in status.splitlines()
        if line.startswith((b"SigPnd:", b"ShdPnd:"))
    ]
    try:
        return any(int(mask, 16) & _SIGKILL for mask in masks) if masks else None
    except ValueError:
        return None


def read_dying(roots: Roots, pid: int) -> bool | None:
    """Whether SIGKILL waits for a process. Raises a KernelError."""
    return parse_dying(read_bytes(path_of(roots, pid, "status")))
