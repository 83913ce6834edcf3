"""Limits of a memory cgroup of ours: written, read back, changed while it runs.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. Sizes are bytes.
Everything raises a KernelError that names the file which refused.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from memtui.kernel.errors import KernelError, Malformed, classify
from memtui.kernel.files import find_field, parse_number
from memtui.kernel.procfs import PAGE
from memtui.kernel.roots import read_optional


class Wanted(NamedTuple):
    """What a group is to be limited to."""

    limit: int
    high: int | None = None  # v2: from here on the kernel slows it down and reclaims
    swap: int = 0  # beyond the limit
    oom_group: bool = False  # v2: an OOM kill takes everybody in it
    soft: bool = False  # nobody is killed for the limit: v2 slows down, v1 holds still
    hold: bool = False  # v1: who meets the limit waits, until somebody has freed memory


class Group(NamedTuple):
    """A cgroup that we made, with the limits that the kernel says it has."""

    version: int
    directory: str
    limit: int  # as read back
    swap: int | None  # allowed beyond the limit; None: the kernel does not limit it
    high: int | None = None
    oom_group: bool = False
    soft: bool = False


def write(path: str, text: str) -> None:
    """Write to a file of the kernel's."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as e:
        raise classify(e, path) from e


def number(path: str) -> int | None:
    """Return the number in a file; None where it is absent, unreadable or `max`."""
    return parse_number(read_optional(path))


def field(path: str, key: bytes) -> int | None:
    """Return the number behind `key` in a file of lines `KEY N`."""
    return find_field(read_optional(path) or b"", key, whole=False)


def _set(path: str, limit: int) -> int:
    """Write a limit; return what the kernel made of it (whole pages)."""
    write(path, str(limit))
    got = number(path)
    if got is None or not limit - PAGE < got <= limit:
        raise Malformed(path, f"reads {got} after {limit} was written")
    return got


def _set_swap(path: str, most: int) -> int | None:
    """Limit swap where the kernel counts it."""
    return _set(path, most) if os.path.exists(path) else None


def _set_v2(directory: str, w: Wanted) -> Group:
    got = _set(f"{directory}/memory.{'high' if w.soft else 'max'}", w.limit)
    high = None if w.high is None or w.soft else _set(directory + "/memory.high", w.high)
    swap = _set_swap(directory + "/memory.swap.max", w.swap)
    if w.oom_group:
        _set(directory + "/memory.oom.group", 1)
    return Group(2, directory, got, swap, high, w.oom_group, w.soft)


def _set_v1(directory: str, w: Wanted) -> Group:
    """In this order: memory and swap together may not be less than memory."""
    got = _set(directory + "/memory.limit_in_bytes", w.limit)
    both = _set_swap(directory + "/memory.memsw.limit_in_bytes", got + w.swap)
    if w.soft or w.hold:
        set_hold(directory, True)
    return Group(1, directory, got, None if both is None else both - got, soft=w.soft)


def set_limits(version: int, directory: str, wanted: Wanted) -> Group:
    """Limit the cgroup in `directory`; return what is in force, as read back."""
    return _set_v2(directory, wanted) if version == 2 else _set_v1(directory, wanted)


def read_limits(directory: str) -> Group:
    """Return a group that was made before, with its limits; 0 stands for none."""
    if os.path.exists(directory + "/memory.max"):
        swap = number(directory + "/memory.swap.max")
        return Group(2, directory, number(directory + "/memory.max") or 0, swap)
    limit = number(directory + "/memory.limit_in_bytes") or 0
    both = number(directory + "/memory.memsw.limit_in_bytes")
    return Group(1, directory, limit, None if both is None else both - limit)


def lift(group: Group) -> None:
    """Take the limits of a group away: swap first on v1, where it may not be the smaller."""
    d = group.directory
    if group.version == 2:
        write(d + "/memory.max", "max")
        with contextlib.suppress(KernelError):  # a kernel without swap accounting
            write(d + "/memory.swap.max", "max")
        return
    with contextlib.suppress(KernelError):
        write(d + "/memory.memsw.limit_in_bytes", "-1")
    write(d + "/memory.limit_in_bytes", "-1")


def set_hold(directory: str, on: bool) -> None:
    """v1: let who meets the limit wait in place of being killed, or no longer."""
    path = directory + "/memory.oom_control"
    write(path, str(int(on)))
    if field(path, b"oom_kill_disable") != int(on):
        raise Malformed(path, "does not keep what was written")


def set_high(directory: str, high: int | None) -> None:
    """v2: set or take away the mark from which on the kernel slows it down."""
    write(directory + "/memory.high", "max" if high is None else str(high))


def change_limit(group: Group, limit: int) -> Group:
    """Give a group of ours another limit, with as much swap as before; return it as read back.

    v1 refuses (EBUSY) what it cannot reclaim down to; v2 kills until it fits. Raises a
    KernelError, and then the old limit holds.
    """
    d = group.directory
    if group.version == 2:
        return group._replace(limit=_set(f"{d}/memory.{'high' if group.soft else 'max'}", limit))
    memory = d + "/memory.limit_in_bytes"
    if group.swap is None:
        return group._replace(limit=_set(memory, limit))
    both = d + "/memory.memsw.limit_in_bytes"  # may never be less than the memory limit
    old = (memory, group.limit), (both, group.limit + group.swap)
    new = (memory, limit), (both, limit + group.swap)
    order = (1, 0) if limit > group.limit else (0, 1)
    _set(*new[order[0]])
    try:
        _set(*new[order[1]])
    except KernelError:
        with contextlib.suppress(KernelError):
            _set(*old[order[0]])
        raise
    return group._replace(limit=number(memory) or limit)
