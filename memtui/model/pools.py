"""Rows for memory that belongs to no process: tmpfs, page cache, kernel, and what is left over.

With them the table adds up to the bar. What processes have of their own is their anonymous
memory: Pss_Anon where it was read, else RES less SHR, which counts what forks share in each.
The rest of the level that binds is said by its memory.stat: shmem, cache, kernel. RES and PSS
cannot be summed with these rows: RES counts mapped files and shared memory, which stand in the
cache's and the tmpfs rows as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from memtui.kernel.levels import Parts
from memtui.kernel.mounts import Tmpfs
from memtui.model.snapshot import Proc, Quota
from memtui.text import decode, show

KINDS = ("tmpfs", "shared", "cache", "kernel", "rest")
"""What `Proc.pool` may say."""

_WORDS = {
    "shared": "[shared memory] memfd, SysV, deleted files: in no mounted tmpfs",
    "cache": "[page cache] files; given back on demand",
    "kernel": "[kernel] slab, page tables, stacks, sockets",
    "rest": "[unexplained] in use, and nobody's that can be seen from here",
    "twice": "[counted twice] memory that forks share, or tmpfs of other groups",
}

_RSS, _SHR, _PSS_ANON = (itemgetter(Proc._fields.index(f)) for f in ("rss", "shr", "pss_anon"))


def _row(number: int, kind: str, n: int, command: str, path: bytes = b"") -> Proc:
    """Pools have PID 0, which no signal can be sent to, and a `start` of their own."""
    return Proc(
        pid=0, start=number, ppid=0, uid=None, user="", state="", threads=0, nice=0,
        kernel_thread=False, virt=0, rss=n, shr=0, cpu_time=0.0, cpu_pct=None, majflt=0,
        comm=b"", argv=path, name=kind, command=command, cgroup=None, pool=kind,
    )  # fmt: skip


def own_memory(procs: Sequence[Proc]) -> int:
    """Return the anonymous memory of processes in bytes; see above how exact that is."""
    if not any(map(_PSS_ANON, procs)):  # nobody asked for it: at C speed, as in every tick
        anonymous: int = sum(map(_RSS, procs)) - sum(map(_SHR, procs))
        return anonymous
    return sum(p.rss - p.shr if p.pss_anon is None else p.pss_anon for p in procs)


def _sum(*values: int | None) -> int | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _cache(parts: Parts) -> int | None:
    return _sum(parts.cache_active, parts.cache_inactive, parts.kernel_reclaimable)


def pools(quota: Quota, tmpfs: Sequence[Tmpfs], own: int | None) -> list[Proc]:
    """Return a row for each pool that holds something, of the level that binds.

    `own` is `own_memory` of its processes, in bytes; without it, or where the kernel does not
    say what fills the level, nothing is said of a rest.
    """
    parts = quota.parts
    mounted = sum(t.used for t in tmpfs)
    if parts.shmem is not None and mounted > parts.shmem and not _is_host(quota):
        rows, mounted = _charged(tmpfs, parts.shmem), parts.shmem
    else:
        rows = [_mounted(t) for t in tmpfs]
    cache, kernel = _cache(parts), _sum(parts.kernel, parts.sock)
    unmounted = None if parts.shmem is None else parts.shmem - mounted
    found = {"shared": max(0, unmounted or 0), "cache": cache, "kernel": kernel}
    rows += [_row(KINDS.index(k), k, n, _WORDS[k]) for k, n in found.items() if n]
    if own is not None and None not in (parts.anon, parts.shmem, cache):
        # all that the bar draws: of a machine, MemTotal - MemFree
        rest = sum(n for n in parts if n is not None) - own - sum(row.rss for row in rows)
        words = _WORDS["rest" if rest > 0 else "twice"]
        rows += [_row(KINDS.index("rest"), "rest", rest, words)] if rest else []
    return rows


def _is_host(quota: Quota) -> bool:
    return quota.binding is None or quota.binding.is_host


def _charged(tmpfs: Sequence[Tmpfs], charged: int) -> list[Proc]:
    """One row: the files are other groups' too, and which are charged here is not told."""
    biggest = max(tmpfs, key=lambda t: t.used)
    row = _mounted(biggest)
    more = f" and {len(tmpfs) - 1} more" if len(tmpfs) > 1 else ""
    words = f"{row.command}{more}: as far as it is charged here"
    return [row._replace(rss=charged, command=words)] if charged else []


def _mounted(mount: Tmpfs) -> Proc:
    path = mount.point.encode("utf-8", "surrogateescape")
    return _row(len(KINDS) + mount.device, "tmpfs", mount.used, f"[tmpfs] {show(path)}", path)


def mount_point(pool: Proc) -> str | None:
    """Return where the tmpfs of a row is mounted; None for other rows."""
    return decode(pool.argv) if pool.pool == "tmpfs" else None


_WHY_NOT = {
    "tmpfs": "these are files in memory; deleting them frees it, and Enter lists the biggest",
    "shared": "it lives on without a process: ipcs -m lists SysV segments, lsof deleted files",
    "cache": "the kernel gives the page cache back when memory is asked for",
    "kernel": "it is the kernel's own, on behalf of all processes",
    "rest": "it is what the kernel's sum and what is visible from here differ by",
}


def why_not(pool: Proc) -> str:
    """Return in a clause why a row can be neither killed nor tagged, and what would help."""
    return f"no process owns this memory: {_WHY_NOT[pool.pool]}"
