"""Whether numbers and paths that the kernel writes for everybody are the same as ours."""

from __future__ import annotations

import os

from memtui.kernel.roots import Roots

_INITIAL = {"pid": 0xEFFFFFFC, "cgroup": 0xEFFFFFFB}  # include/linux/proc_ns.h


def is_initial(roots: Roots, kind: str) -> bool | None:
    """Whether we are in the machine's own namespace of that kind: "pid" or "cgroup".

    The kernel log has PIDs and cgroup paths as seen from there. None: not told (a captured tree,
    a kernel without such namespaces).
    """
    if not roots.live:
        return None
    try:
        return os.stat(f"{roots.proc}/self/ns/{kind}").st_ino == _INITIAL[kind]
    except OSError:
        return None


def is_shared(roots: Roots, pid: int, kind: str) -> bool | None:
    """Whether `pid` is in the same namespace as we are: "mnt", "net"; None: it is not told."""
    if not roots.live:
        return None
    try:
        ours = os.stat(f"{roots.proc}/self/ns/{kind}")
        theirs = os.stat(f"{roots.proc}/{pid}/ns/{kind}")
    except OSError:
        return None
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
