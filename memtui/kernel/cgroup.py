"""The memory cgroups above a process, read once or every second.

The records are those of `levels`; `cgroup1` and `cgroup2` read one level each; here is where
they are, and what has changed since. Where a file is absent, unreadable or cut short, its
number is None.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel import cgroup1, cgroup2
from memtui.kernel.files import Files
from memtui.kernel.levels import Events, Hierarchy, Level, Parts, at_or_below
from memtui.kernel.meminfo import Psi, parse_pressure
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
from memtui.kernel.oomcount import read_kills
from memtui.kernel.roots import LIVE, Roots, read_optional
from memtui.text import decode

__all__ = [
    "Events",
    "Hierarchy",
    "HierarchyReader",
    "Level",
    "Parts",
    "Place",
    "at_or_below",
    "find_place",
    "memory_cgroup",
    "read_hierarchy",
]

_USUAL = (
    Mount("/", "/sys/fs/cgroup/memory", "cgroup", ("memory",)),
    Mount("/", "/sys/fs/cgroup", "cgroup2", ()),
)
_RECOUNT = 30  # reads after which v1's kills are summed again: groups come and go


class Place(NamedTuple):
    """Where the memory cgroups of one process are."""

    version: int | None
    hybrid: bool
    cgroup: str | None
    chain: tuple[tuple[str, str], ...] = ()  # (path, directory) from our own up to the mount point


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
    """The path and levels in one version's hierarchy, or None where its controller is absent."""
    own = membership(lines, version)
    mount = choose(memory_mounts(mounts, version), own or "/")
    if own is None or mount is None:
        return None
    path = own if asked is None else _asked_path(asked, mount)
    levels = chain(mount, path)
    if not _has_memory(roots, mount, levels):
        return None
    while len(levels) > 1 and not os.path.isdir(roots.at(levels[0][1])):
        del levels[0]
    return path, tuple(levels)


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


class HierarchyReader:
    """Reads the levels again and again; about 5 us per file, through kept descriptors.

    A move to another cgroup is noticed at the next read, a removed group is left for the one
    above it.
    """

    def __init__(self, roots: Roots = LIVE, cgroup: str | None = None) -> None:
        """Look at our own levels, or at those of `cgroup`, a path as in /proc/self/cgroup."""
        self._roots = roots
        self._asked = cgroup
        self._files = Files(roots)
        self._own: bytes | None = None
        self.place = Place(None, False, None)
        self._kills: tuple[int | None, ...] = ()
        self._gate: int | None = None
        self._recount = 0

    def read(self, host_oom_kill: int | None = None) -> Hierarchy:
        """Return all levels as they are now.

        `host_oom_kill` is /proc/vmstat's count. While it stands, v1's sums over the subtrees
        are not made anew; where it is None they are made each time, over a bounded number of
        groups.
        """
        own = self._files.read(self._roots.proc + "/self/cgroup")
        if own is None:
            own = self._own or b""
        if own != self._own:
            self._own = own
            self._locate()
        levels = self._levels()
        if self._vanished(levels):
            self._locate()
            levels = self._levels()
        place = self.place
        if place.version != 1:
            return Hierarchy(place.version, place.hybrid, place.cgroup, tuple(levels))
        return self._with_v1(levels, host_oom_kill)

    def pressure(self) -> Psi:
        """Return `memory.pressure` of the first level; v1 has none."""
        if self.place.version != 2:
            return Psi()
        directory = self._roots.at(self.place.chain[0][1]).rstrip("/")
        return parse_pressure(self._files.read(directory + "/memory.pressure") or b"")

    def close(self) -> None:
        """Close the kept descriptors."""
        self._files.close()

    def _locate(self) -> None:
        self.place = find_place(self._roots, self._asked)
        directories = tuple(self._roots.at(d) for _, d in self.place.chain)
        self._files.keep_only((*directories, self._roots.proc + "/self"))
        self._recount = 0

    def _levels(self) -> list[Level]:
        read_level = cgroup1.read_level if self.place.version == 1 else cgroup2.read_level
        at = self._roots.at
        return [read_level(self._files, path, at(d), d) for path, d in self.place.chain]

    def _vanished(self, levels: list[Level]) -> bool:
        return any(
            level.usage is None and not os.path.isdir(self._roots.at(level.directory))
            for level in levels
        )

    def _with_v1(self, levels: list[Level], host_oom_kill: int | None) -> Hierarchy:
        """Add what v1 tells in other ways: kills below each level, and hidden limits."""
        if self._recount <= 0 or host_oom_kill is None or host_oom_kill != self._gate:
            # the machine's counter rises a moment before the group's: look twice
            self._recount = _RECOUNT if host_oom_kill == self._gate else 1
            self._gate = host_oom_kill
            self._kills = self._count(levels, host_oom_kill is None)
        self._recount -= 1
        events = [Events(oom_kill=n) for n in self._kills]
        done = tuple(lv._replace(events=e) for lv, e in zip(levels, events, strict=True))
        own = levels[0].directory
        limit, memsw = cgroup1.read_hierarchical(self._files, self._roots.at(own))
        stat = own.rstrip("/") + "/memory.stat"
        place = self.place
        return Hierarchy(1, place.hybrid, place.cgroup, done, limit, stat, memsw)

    def _count(self, levels: list[Level], ungated: bool) -> tuple[int | None, ...]:
        top = levels[-1]
        kills = read_kills(1, top.path, self._roots.at(top.directory), 256 if ungated else 4096)
        sums: list[int | None] = []
        for level in levels:
            below = [
                k.number
                for path, k in kills.items()
                if k.number is not None and at_or_below(path, level.path)
            ]
            sums.append(sum(below) if below else None)
        return tuple(sums)


def read_hierarchy(roots: Roots = LIVE, cgroup: str | None = None) -> Hierarchy:
    """Return the levels of this process, or of the group `cgroup`, read once."""
    reader = HierarchyReader(roots, cgroup)
    try:
        return reader.read()
    finally:
        reader.close()
