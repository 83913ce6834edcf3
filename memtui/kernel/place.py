"""Where the memory cgroups of a process are, on whichever version holds the controller.

Light on purpose: `memtui run` needs this and nothing of what reads the levels.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel.mounts import (
    Membership,
    Mount,
    chain,
    choose,
    membership,
    memory_mounts,
    parse_cgroup,
    parse_mountinfo,
    relative,
)
from memtui.kernel.roots import Roots, read_optional

_USUAL = (
    Mount("/", "/sys/fs/cgroup/memory", "cgroup", ("memory",)),
    Mount("/", "/sys/fs/cgroup", "cgroup2", ()),
)
_MOST_GROUPS = 4096  # looked through


class Place(NamedTuple):
    """Where the memory cgroups of one process are."""

    version: int | None
    hybrid: bool
    cgroup: str | None
    chain: tuple[tuple[str, str], ...] = ()  # (path, directory) from our own up to the mount point


def _mounts(roots: Roots) -> list[Mount]:
    """The cgroup mounts: our own, else those of process 1, else the usual places.

    With another root, our own mount table may be of this machine's container.
    """
    for pid in ("self", "1"):
        data = read_optional(f"{roots.proc}/{pid}/mountinfo") or b""
        mounts = parse_mountinfo(data, b"cgroup", b"cgroup2")
        if any(os.path.isdir(roots.at(m.point)) for m in mounts):
            return mounts
        if data and roots.live:
            return mounts
    return [m for m in _USUAL if _has_memory(roots, m, [("/", m.point)])]


def _has_memory(roots: Roots, mount: Mount, levels: list[tuple[str, str]]) -> bool:
    """Whether the memory controller is really there: a hybrid's cgroup2 has none of its files."""
    if mount.fstype == "cgroup":
        return os.path.isdir(roots.at(mount.point))
    controllers = read_optional(roots.at(mount.point.rstrip("/")) + "/cgroup.controllers") or b""
    if b"memory" in controllers.split():
        return True
    return any(os.path.exists(roots.at(d.rstrip("/")) + "/memory.current") for _, d in levels)


def _asked_path(asked: str, mount: Mount) -> str:
    """A cgroup as somebody wrote it: with or without the first /, or as a directory."""
    below = relative(asked, mount.point)
    if below is not None and mount.point != "/":
        return mount.root.rstrip("/") + below or "/"
    return "/" + asked.strip("/")


def _try_version(
    version: int, mounts: list[Mount], lines: list[Membership], roots: Roots, asked: str | None
) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """The path and levels in one version's hierarchy, or None where its controller is absent.

    None, too, where the group is not below what is mounted: the mount point is not ours then.
    """
    own = membership(lines, version)
    mount = choose(memory_mounts(mounts, version), own or "/")
    if own is None or mount is None:
        return None
    path = _from_above(mount, own, roots) if asked is None else _asked_path(asked, mount)
    if path is None or relative(path, mount.root) is None:
        return None
    levels = chain(mount, path)
    if not _has_memory(roots, mount, levels):
        return None
    while len(levels) > 1 and not os.path.isdir(roots.at(levels[0][1])):
        del levels[0]
    return path, tuple(levels)


def _from_above(mount: Mount, own: str, roots: Roots) -> str | None:
    """Our path as it is seen from the mount point; None where that is not known.

    A new cgroup namespace without a new mount sees `/../..` mounted: so many groups lie between
    the mount point and us, and their names are told nowhere. The kernel lists us in one of them.
    """
    climbs = mount.root.split("/")[1:]
    if set(climbs) != {".."} or not roots.live or relative(own, "/") is None:
        return own
    me = str(os.getpid()).encode()
    for below in _groups(mount.point, len(climbs)):
        group = below + own.rstrip("/")
        if me in (read_optional(f"{mount.point}{group}/cgroup.procs") or b"").split():
            return mount.root + group
    return None


def _groups(top: str, depth: int) -> list[str]:
    """The groups `depth` levels below the directory `top`, as paths from there."""
    found = [""]
    for _ in range(depth):
        found = [f"{path}/{name}" for path in found for name in _names(top + path)]
        del found[_MOST_GROUPS:]
    return found


def _names(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def find_place(roots: Roots, cgroup: str | None = None) -> Place:
    """Return where the memory cgroups of this process are, or of the group `cgroup`.

    A group that does not exist is replaced by the nearest one above it that does; `chain`
    then begins with another path than `cgroup`.
    """
    lines = parse_cgroup(read_optional(roots.proc + "/self/cgroup") or b"")
    mounts = _mounts(roots)
    hybrid = {m.fstype for m in mounts} == {"cgroup", "cgroup2"}
    for version in (1, 2):
        found = _try_version(version, mounts, lines, roots, cgroup)
        if found:
            return Place(version, hybrid, *found)
    return Place(None, hybrid, None)
