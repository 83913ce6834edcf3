"""The threads of a process: /proc/PID/task (proc(5))."""

from __future__ import annotations

import os

from memtui.kernel.errors import KernelError, classify
from memtui.kernel.procfs import Stat, read_stat
from memtui.kernel.roots import Roots


def list_tasks(roots: Roots, pid: int) -> list[str]:
    """Return the thread ids of a process, its own among them. Raises a KernelError."""
    path = f"{roots.proc}/{pid}/task"
    try:
        return [n for n in os.listdir(path) if n.isdigit()]
    except OSError as e:
        raise classify(e, path) from e


def read_tasks(roots: Roots, pid: int, most: int) -> list[Stat]:
    """Return `stat` of at most `most` threads beside the first; those that end are left out."""
    try:
        names = list_tasks(roots, pid)
    except KernelError:
        return []
    found = []
    for name in names[: most + 1]:
        if name == str(pid):
            continue
        try:
            found.append(read_stat(roots, f"{pid}/task/{name}"))
        except KernelError:
            continue
    return found[:most]
