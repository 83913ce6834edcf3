"""What the kernel tells of memory cgroups, as records: one interface, v1 and v2 behind it.

A *level* is one cgroup directory from our own up to the mount point. All sizes are bytes.
Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

from typing import NamedTuple


class Events(NamedTuple):
    """Counters since the cgroup was made; None where the kernel has no such counter.

    v2: `memory.events` (own and descendants). v1: `oom_kill` of `memory.oom_control`, summed
    over the subtree, because v1 counts a kill only in the victim's own group.
    """

    oom_kill: int | None = None
    oom: int | None = None
    max: int | None = None
    high: int | None = None
    oom_group_kill: int | None = None


class Parts(NamedTuple):
    """What fills a level, in bytes; None where the kernel does not say.

    `kernel` is the part that cannot be reclaimed; `kernel_reclaimable` is slab that can.
    """

    anon: int | None = None
    shmem: int | None = None
    cache_active: int | None = None
    cache_inactive: int | None = None
    kernel: int | None = None
    kernel_reclaimable: int | None = None
    sock: int | None = None
    other: int | None = None


class Activity(NamedTuple):
    """What reclaim did, as counters since the cgroup was made; None where the kernel tells none.

    All but `failcnt` are pages, descendants' included, from `memory.stat`.
    """

    refault_file: int | None = None  # file pages read again soon after they were evicted
    refault_anon: int | None = None  # the same of swapped pages
    majfault: int | None = None  # faults that had to wait for a disk
    scanned: int | None = None  # pgscan: pages looked at to reclaim them; v2 only
    reclaimed: int | None = None  # pgsteal: pages given back; v2 only
    failcnt: int | None = None  # v1: how often usage hit the limit


class Level(NamedTuple):
    """One cgroup directory, as read once."""

    path: str  # below the mount point, as /proc/self/cgroup would write it: "/a/b"
    directory: str  # as the machine looked at calls it: "/sys/fs/cgroup/a/b"
    limit: int | None = None  # None: no limit, where `limit_known`
    limit_file: str = ""  # "/sys/fs/cgroup/a/b/memory.max"
    high: int | None = None
    usage: int | None = None
    peak: int | None = None
    swap_limit: int | None = None  # swap alone, v1 memsw limit - memory limit
    swap_usage: int | None = None
    parts: Parts = Parts()
    events: Events = Events()
    memsw_limit: int | None = None  # v1: memory and swap together
    limit_known: bool = True  # False: the limit's file is missing, unreadable, or says no number
    activity: Activity = Activity()


class Hierarchy(NamedTuple):
    """The memory controller as seen from one process."""

    version: int | None  # 1, 2, or None where no memory controller is visible
    hybrid: bool  # both versions are mounted
    cgroup: str | None  # own path as in /proc/self/cgroup
    levels: tuple[Level, ...]  # from our own group up to the mount point
    # v1 memory.stat: the minimum over all ancestors, hidden ones too
    hierarchical_limit: int | None = None
    hierarchical_file: str = ""
    hierarchical_memsw: int | None = None


def at_or_below(path: str, group: str) -> bool:
    """Whether the cgroup `path` is `group` or lies below it, both as /proc/PID/cgroup writes them.

    A path that begins with `/..` is outside of our cgroup namespace, so below nothing we see.
    """
    if group == "/":
        return not path.startswith("/..")
    return path == group or path.startswith(group + "/")


def fill_other(parts: Parts, usage: int | None) -> Parts:
    """Return `parts` with `other`: the usage that no named part explains, never below 0.

    It stays unknown where cache may be in it: that is no kernel memory.
    """
    if usage is None or None in (parts.anon, parts.cache_active, parts.cache_inactive):
        return parts
    known = sum(n for n in parts[:7] if n is not None)
    return parts._replace(other=max(0, usage - known))
