"""Being told of OOMs by the kernel at once, in place of reading counters again and again.

v2: `memory.events` raises POLLPRI when it changes, for the group and all below it
(Documentation/admin-guide/cgroup-v2.rst, "file modified event"; joined within 10 ms). v1: an
eventfd, registered in `cgroup.event_control`, tells of `memory.oom_control` in the group whose
limit was hit and in each group below it, and of `memory.usage_in_bytes` passing a threshold
(cgroup-v1/memory.rst, sections 9 and 10). Who may not write that file is not told.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import NamedTuple

from memtui.kernel.errors import KernelError, classify

OOM, USAGE = "oom", "usage"


class Notice(NamedTuple):
    """One descriptor to poll for `events` of select.poll, and what it tells of."""

    fd: int
    events: int
    cgroup: str
    directory: str
    what: str  # OOM: an OOM, or (v2) anything that memory.events counts; USAGE: a threshold


def _eventfd(directory: str, file: str, argument: str = "") -> int:
    """Register an eventfd for a file of a v1 group. Raises a KernelError."""
    control = f"{directory}/cgroup.event_control"
    if not hasattr(os, "eventfd"):
        raise KernelError(control, "no eventfd on this system")
    event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        watched = os.open(f"{directory}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            written = os.open(control, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(written, f"{event} {watched} {argument}".rstrip().encode())
            finally:
                os.close(written)
        finally:
            os.close(watched)  # the kernel keeps its own reference
    except OSError as e:
        os.close(event)
        raise classify(e, control) from e
    return event


def open_oom_notice(version: int, path: str, directory: str) -> Notice:
    """Return what tells of OOMs in the group at `directory`. Raises a KernelError.

    The group's own counter may still stand when it tells: the kill comes next.
    """
    directory = directory.rstrip("/")
    if version == 1:
        fd = _eventfd(directory, "memory.oom_control")
        return Notice(fd, select.POLLIN, path, directory, OOM)
    name = f"{directory}/memory.events"
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        os.pread(fd, 4096, 0)  # what has changed since this reading is told
    except OSError as e:
        raise classify(e, name) from e
    return Notice(fd, select.POLLPRI, path, directory, OOM)


def open_usage_notice(path: str, directory: str, threshold: int) -> Notice:
    """Return what tells when a v1 group's usage passes `threshold` bytes. Raises a KernelError."""
    fd = _eventfd(directory.rstrip("/"), "memory.usage_in_bytes", str(threshold))
    return Notice(fd, select.POLLIN, path, directory, USAGE)


def take_notice(notice: Notice) -> bool:
    """Make the descriptor ready to tell again; False where the group is gone.

    v1 tells of a group's end, too.
    """
    try:
        if notice.events == select.POLLIN:
            with contextlib.suppress(BlockingIOError):
                os.read(notice.fd, 8)
        else:
            os.pread(notice.fd, 4096, 0)
    except OSError:  # ENODEV
        return False
    return os.path.isdir(notice.directory)
