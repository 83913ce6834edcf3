"""Where the memory cgroups are: /proc/self/mountinfo and /proc/self/cgroup (proc(5)).

Memory sits on v1 or on v2; a hybrid machine mounts both, and only one of them has the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from memtui.kernel.roots import Roots, read_optional
from memtui.text import decode

_OCTAL = frozenset(b"01234567")


class Mount(NamedTuple):
    """One line of mountinfo."""

    root: str  # the directory of the file system that is mounted
    point: str
    fstype: str
    options: tuple[str, ...]  # of the super block: v1 names its controllers here
    device: str = ""  # "0:27", as st_dev of whatever lies there


class Membership(NamedTuple):
    """One line of /proc/PID/cgroup."""

    hierarchy: int  # 0 is v2
    controllers: tuple[str, ...]
    path: str


def unescape(raw: bytes) -> bytes:
    r"""Return `raw` with the kernel's octal escapes undone: `\040` is a blank."""
    first, *rest = raw.split(b"\\")
    for part in rest:
        code = part[:3]
        if len(code) == 3 and code[0] < ord("4") and _OCTAL.issuperset(code):
            first += bytes((int(code, 8),)) + part[3:]
        else:
            first += b"\\" + part
    return first


def parse_mountinfo(data: bytes, *fstypes: bytes) -> list[Mount]:
    """Return the mounts of mountinfo, those of `fstypes` if given; lines not like it are left out.

    Later mounts hide earlier ones at the same point, so only the last of each is returned.
    """
    found: dict[bytes, Mount] = {}
    for line in data.split(b"\n"):
        left, _, right = line.partition(b" - ")
        before, after = left.split(b" "), right.split(b" ")
        if len(before) < 5 or len(after) < 3 or (fstypes and after[0] not in fstypes):
            continue
        root, point = decode(unescape(before[3])), decode(unescape(before[4]))
        options = tuple(decode(o) for o in after[2].split(b","))
        found.pop(before[4], None)
        found[before[4]] = Mount(root, point, decode(after[0]), options, decode(before[2]))
    return list(found.values())


def parse_cgroup(data: bytes) -> list[Membership]:
    """Return the lines of /proc/PID/cgroup; unit names may hold `:`, so only two of them split."""
    lines = []
    for line in data.split(b"\n"):
        number, _, rest = line.partition(b":")
        names, _, path = rest.partition(b":")
        if number.isdigit() and len(number) < 10 and path.startswith(b"/"):
            controllers = tuple(decode(n) for n in names.split(b",") if n)
            lines.append(Membership(int(number), controllers, decode(path)))
    return lines


def membership(lines: Iterable[Membership], version: int) -> str | None:
    """Return the path of a process in the memory hierarchy of v1, or in v2."""
    for line in lines:
        if ("memory" in line.controllers) if version == 1 else (line.hierarchy == 0):
            return line.path
    return None


def memory_cgroup(data: bytes) -> str | None:
    """Return the path of a process in the memory hierarchy, from its /proc/PID/cgroup."""
    unified = None  # one pass and no records: it is asked for every new process
    for line in data.split(b"\n"):
        number, _, rest = line.partition(b":")
        names, _, path = rest.partition(b":")
        if not path.startswith(b"/"):
            continue
        if b"memory" in names.split(b","):
            return decode(path)
        if number == b"0":
            unified = decode(path)
    return unified


def memory_mounts(mounts: Iterable[Mount], version: int) -> list[Mount]:
    """Return the mounts that may hold memory cgroups of `version`."""
    if version == 2:
        return [m for m in mounts if m.fstype == "cgroup2"]
    return [m for m in mounts if m.fstype == "cgroup" and "memory" in m.options]


def relative(path: str, root: str) -> str | None:
    """Return `path` below the mounted directory `root`: "" or "/a/b"; None where it is outside.

    A path with `..` lies outside of our cgroup namespace: it can be followed only where as much
    of the outside is mounted.
    """
    root, path = root.rstrip("/"), path.rstrip("/")
    if path.split("/").count("..") != root.split("/").count(".."):
        return None
    if path == root or path.startswith(root + "/"):
        return path[len(root) :]
    return None


def choose(mounts: list[Mount], path: str) -> Mount | None:
    """Return the mount that shows most of the way up from `path`."""
    inside = [m for m in mounts if relative(path, m.root) is not None]
    return min(inside or mounts, key=lambda m: len(m.root), default=None)


def chain(mount: Mount, path: str) -> list[tuple[str, str]]:
    """Return (cgroup path, directory) of every level from `path` up to the mount point.

    Where `path` is not below what is mounted, the mount point alone can be seen.
    """
    rest = relative(path, mount.root) or ""
    root, point = mount.root.rstrip("/"), mount.point.rstrip("/")
    levels = []
    while True:
        levels.append((root + rest or "/", point + rest or "/"))
        if not rest:
            return levels
        rest = rest.rpartition("/")[0]


class Tmpfs(NamedTuple):
    """A mounted file system whose files are memory. It belongs to no process."""

    point: str
    used: int  # bytes, of files that are deleted but still open too
    size: int  # bytes that it may grow to
    device: int  # st_dev of what lies there


def tmpfs_mounts(roots: Roots) -> list[Mount]:
    """Return the mounts whose files are memory, from our own mountinfo; empty elsewhere than live.

    devtmpfs (/dev) is one too: what is written there by mistake stays in memory.
    """
    if not roots.live:
        return []
    data = read_optional(roots.proc + "/self/mountinfo") or b""
    return parse_mountinfo(data, b"tmpfs", b"devtmpfs")


def read_tmpfs(mounts: Iterable[Mount]) -> list[Tmpfs]:
    """Return what is in each of `mounts` now (statvfs(3)), each file system once, none empty.

    One that is hidden below another mount is left out: it is not what lies at its path.
    """
    found: dict[int, Tmpfs] = {}
    for mount in mounts:
        try:
            device = os.stat(mount.point).st_dev
            if device in found or f"{os.major(device)}:{os.minor(device)}" != mount.device:
                continue
            told = os.statvfs(mount.point)
        except OSError:  # gone, or not for us to look at
            continue
        block = told.f_frsize or told.f_bsize
        used = (told.f_blocks - told.f_bfree) * block
        if used > 0:
            found[device] = Tmpfs(mount.point, used, told.f_blocks * block, device)
    return list(found.values())
