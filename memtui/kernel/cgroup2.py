"""One level of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). Sizes are bytes."""

from __future__ import annotations

from memtui.kernel.files import Files, find_field, limit_known, parse_number
from memtui.kernel.levels import Activity, Events, Level, Parts, fill_other

_OLD_KERNEL = (b"kernel_stack", b"pagetables", b"percpu", b"slab_unreclaimable")


def parse_events(data: bytes) -> Events:
    """Return the counters of `memory.events` or `memory.events.local`."""
    return Events(
        oom_kill=find_field(data, b"oom_kill", whole=False),
        oom=find_field(data, b"oom", whole=False),
        max=find_field(data, b"max", whole=False),
        high=find_field(data, b"high", whole=False),
        oom_group_kill=find_field(data, b"oom_group_kill", whole=False),
    )


def _kernel(data: bytes, reclaimable: int | None) -> int | None:
    """Kernel memory that cannot be reclaimed; kernels before 5.18 have no sum of it."""
    total = find_field(data, b"kernel")
    if total is not None:
        return max(0, total - (reclaimable or 0))
    known = [n for key in _OLD_KERNEL if (n := find_field(data, key)) is not None]
    return sum(known) if known else None


def parse_stat(data: bytes) -> Parts:
    """Return what `memory.stat` says of the contents; `other` is left to `fill_other`."""
    reclaimable = find_field(data, b"slab_reclaimable")
    return Parts(
        anon=find_field(data, b"anon"),
        shmem=find_field(data, b"shmem"),
        cache_active=find_field(data, b"active_file"),
        cache_inactive=find_field(data, b"inactive_file"),
        kernel=_kernel(data, reclaimable),
        kernel_reclaimable=reclaimable,
        sock=find_field(data, b"sock"),
    )


def parse_activity(data: bytes) -> Activity:
    """Return what `memory.stat` says of reclaim; kernels before 5.9 count no anon refaults."""
    refault = find_field(data, b"workingset_refault_file")
    return Activity(
        refault_file=find_field(data, b"workingset_refault") if refault is None else refault,
        refault_anon=find_field(data, b"workingset_refault_anon"),
        majfault=find_field(data, b"pgmajfault"),
        scanned=find_field(data, b"pgscan"),
        reclaimed=find_field(data, b"pgsteal"),
    )


def read_level(files: Files, path: str, directory: str, shown: str) -> Level:
    """Return the level at `directory`, which the machine looked at calls `shown`.

    The real root has no memory.current, .max or .events: those are None there.
    """
    read, base = files.read, directory.rstrip("/") + "/memory."
    usage = parse_number(read(base + "current"))
    limit = read(base + "max")
    stat = read(base + "stat") or b""
    return Level(
        path=path,
        directory=shown,
        limit=parse_number(limit),
        limit_file=shown.rstrip("/") + "/memory.max",
        high=parse_number(read(base + "high")),
        usage=usage,
        peak=parse_number(read(base + "peak")),
        swap_limit=parse_number(read(base + "swap.max")),
        swap_usage=parse_number(read(base + "swap.current")),
        parts=fill_other(parse_stat(stat), usage),
        events=parse_events(read(base + "events") or b""),
        limit_known=limit_known(limit, usage is None and files.absent(base + "max")),
        activity=parse_activity(stat),
    )
