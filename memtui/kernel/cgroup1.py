"""One level of cgroup v1 (Documentation/admin-guide/cgroup-v1/memory.rst). Sizes are bytes."""

from __future__ import annotations

from memtui.kernel.files import Files, find_field, limit_known, parse_number
from memtui.kernel.levels import Activity, Level, Parts, fill_other

NO_LIMIT = 1 << 62
"""LONG_MAX rounded down to a page means no limit; so does whatever else is this big."""


def parse_limit(data: bytes | None) -> int | None:
    """Return a limit file's number, or None where there is no limit."""
    return _finite(parse_number(data))


def _finite(number: int | None) -> int | None:
    return None if number is None or number >= NO_LIMIT else number


def parse_oom_control(data: bytes) -> int | None:
    """Return `oom_kill` of `memory.oom_control`: kills in this very group (4.13+)."""
    return find_field(data, b"oom_kill", whole=False)


def parse_hierarchical(data: bytes) -> tuple[int | None, int | None]:
    """Return the smallest memory limit and memory+swap limit over all ancestors (memory.stat)."""
    limit = find_field(data, b"hierarchical_memory_limit")
    memsw = find_field(data, b"hierarchical_memsw_limit")
    return _finite(limit), _finite(memsw)


def _shmem(data: bytes, rss: int | None) -> int | None:
    """Shared memory; kernels before 4.12 show it only as what is on the anon lists beside rss."""
    shmem = find_field(data, b"total_shmem")
    if shmem is not None:
        return shmem
    inactive = find_field(data, b"total_inactive_anon")
    active = find_field(data, b"total_active_anon")
    if rss is None or inactive is None or active is None:
        return None
    return max(0, inactive + active - rss)


def parse_stat(data: bytes, kmem: int | None = None) -> Parts:
    """Return what `memory.stat` says of the contents, with the descendants'.

    `kmem` is memory.kmem.usage_in_bytes: v1 tells neither slab nor sockets apart.
    """
    rss = find_field(data, b"total_rss")
    return Parts(
        anon=rss,
        shmem=_shmem(data, rss),
        cache_active=find_field(data, b"total_active_file"),
        cache_inactive=find_field(data, b"total_inactive_file"),
        kernel=kmem,
    )


def parse_activity(data: bytes, failcnt: int | None = None) -> Activity:
    """Return what `memory.stat` says of reclaim, with the descendants'; v1 counts no scans.

    `failcnt` is memory.failcnt or memory.memsw.failcnt. Kernels before 5.9 do not tell file and
    anon refaults apart.
    """
    refault = find_field(data, b"total_workingset_refault_file")
    return Activity(
        refault_file=find_field(data, b"total_workingset_refault") if refault is None else refault,
        refault_anon=find_field(data, b"total_workingset_refault_anon"),
        majfault=find_field(data, b"total_pgmajfault"),
        failcnt=failcnt,
    )


def _failcnt(files: Files, base: str, swap_first: bool) -> int | None:
    """How often the limit was hit: memory and swap together are charged before memory.

    Newer kernels (seen on 6.18) do not count the former: a 0 there says nothing.
    """
    if not swap_first:
        return parse_number(files.read(base + "failcnt"))
    return parse_number(files.read(base + "memsw.failcnt")) or None


def read_level(files: Files, path: str, directory: str, shown: str) -> Level:
    """Return the level at `directory`, which the machine looked at calls `shown`.

    `events` are left out: on v1 they are a sum over the subtree.
    """
    read, base = files.read, directory.rstrip("/") + "/memory."
    usage = parse_number(read(base + "usage_in_bytes"))
    told = read(base + "limit_in_bytes")
    limit = parse_limit(told)
    memsw = parse_limit(read(base + "memsw.limit_in_bytes"))
    stat = read(base + "stat") or b""
    kmem = parse_number(read(base + "kmem.usage_in_bytes"))
    failcnt = None if limit is None else _failcnt(files, base, memsw is not None and memsw <= limit)
    return Level(
        path=path,
        directory=shown,
        limit=limit,
        limit_file=shown.rstrip("/") + "/memory.limit_in_bytes",
        usage=usage,
        peak=parse_number(read(base + "max_usage_in_bytes")),
        swap_limit=None if memsw is None or limit is None else max(0, memsw - limit),
        swap_usage=find_field(stat, b"total_swap"),
        parts=fill_other(parse_stat(stat, kmem), usage),
        memsw_limit=memsw,
        limit_known=limit_known(told, usage is None and files.absent(base + "limit_in_bytes")),
        activity=parse_activity(stat, failcnt),
    )


def read_hierarchical(files: Files, directory: str) -> tuple[int | None, int | None]:
    """Return the limits that hold for the group at `directory`, hidden ancestors' included."""
    return parse_hierarchical(files.read(directory.rstrip("/") + "/memory.stat") or b"")
