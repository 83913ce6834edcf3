"""Which limit holds, which one binds, and how full its level is. Pure; sizes are bytes.

Rules (domain knowledge of cgroup-v2.rst, cgroup-v1/memory.rst): a limit is shown with the
usage of the very level that it belongs to; what reclaim gives back at once is no danger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import Events, Hierarchy, Level, Parts
from memtui.kernel.meminfo import MemInfo, Psi
from memtui.model.snapshot import Host, Limit, Pressure, Quota

MEMINFO = "/proc/meminfo"
SCHEMA = "memtui.quota/1"
_MIB = 1 << 20
_DECLARED = {
    "MEM_LIMIT": 1,  # JupyterHub
    "MEM_GUARANTEE": 1,
    "SLURM_MEM_PER_NODE": _MIB,
    "SLURM_MEM_PER_CPU": _MIB,
}


class _Candidate(NamedTuple):
    """A limit that may hold, and what its headroom is now."""

    limit: Limit
    headroom: int | None


def derive_declared(environ: Mapping[str, str]) -> dict[str, int]:
    """Return the limits that the environment claims, in bytes: labels, nobody enforces them.

    MEM_LIMIT and MEM_GUARANTEE are bytes (JupyterHub), SLURM_MEM_PER_* are MiB (sbatch).
    """
    found = {}
    for name, unit in _DECLARED.items():
        value = environ.get(name, "").strip()
        if value.isdecimal() and value.isascii() and len(value) < 19 and int(value):
            found[name] = int(value) * unit
    return found


def derive_host(info: MemInfo) -> Host:
    """Return the machine's memory from /proc/meminfo."""
    kernel = [info.slab_unreclaimable, info.kernel_stack, info.page_tables, info.percpu]
    known = [n for n in kernel if n is not None]
    parts = Parts(
        anon=info.anon,
        shmem=info.shmem,
        cache_active=info.active_file,
        cache_inactive=info.inactive_file,
        kernel=sum(known) if known else None,
        kernel_reclaimable=info.slab_reclaimable,
    )
    if info.total is not None and info.free is not None and info.anon is not None:
        rest = info.total - info.free - sum(n for n in parts if n is not None)
        parts = parts._replace(other=max(0, rest))
    return Host(info.total, info.available, info.swap_total, info.swap_free, parts)


def _pressure(psi: Psi, scope: str) -> Pressure:
    return Pressure(psi.some_avg10, psi.full_avg10, scope, psi.some_total, psi.full_total)


def derive_pressure(cgroup: Psi, host: Psi) -> Pressure:
    """Return the cgroup's own pressure, else the machine's, else nothing known."""
    if cgroup.some_avg10 is not None:
        return _pressure(cgroup, "cgroup")
    if host.some_avg10 is not None:
        return _pressure(host, "host")
    return Pressure()


def working_set(level: Level) -> int | None:
    """Return usage - inactive file cache, as kubelet counts."""
    inactive = level.parts.cache_inactive
    if level.usage is None or inactive is None:
        return None
    return max(0, level.usage - inactive)


def hard_usage(level: Level) -> int | None:
    """Return usage - file cache - reclaimable slab: what reclaim cannot give back.

    v1 does not tell reclaimable slab: there it counts as hard.
    """
    p = level.parts
    if level.usage is None or p.cache_inactive is None or p.cache_active is None:
        return None
    soft = p.cache_inactive + p.cache_active + (p.kernel_reclaimable or 0)
    return max(0, level.usage - soft)


def _of_level(size: int, path: str, index: int, level: Level) -> _Candidate:
    hard = hard_usage(level)
    limit = Limit(size, path, level.usage, working_set(level), hard, index)
    used = level.usage if hard is None else hard
    return _Candidate(limit, None if used is None else size - used)


def _of_host(host: Host) -> _Candidate | None:
    """RAM itself. What is available is what reclaim can give, so the rest is hard."""
    if host.total is None:
        return None
    used = None if host.available is None else max(0, host.total - host.available)
    limit = Limit(host.total, MEMINFO, used, used, used, None)
    return _Candidate(limit, None if used is None else host.total - used)


def _candidates(hierarchy: Hierarchy, host: Host) -> list[_Candidate]:
    """Every limit, outermost group first, then a hidden one, then the host."""
    levels = list(enumerate(hierarchy.levels))
    found = [
        _of_level(lv.limit, lv.limit_file, i, lv)
        for i, lv in reversed(levels)
        if lv.limit is not None
    ]
    hidden = hierarchical_limit(hierarchy)
    if hidden is not None:
        found.append(_of_level(hidden, hierarchy.hierarchical_file, 0, hierarchy.levels[0]))
    ram = _of_host(host)
    return [*found, ram] if ram else found


def hierarchical_limit(hierarchy: Hierarchy) -> int | None:
    """Return v1's limit of an ancestor that is hidden from us: smaller than all visible ones.

    Its own level's usage is not known; ours is a lower bound.
    """
    limit = hierarchy.hierarchical_limit
    visible = [lv.limit for lv in hierarchy.levels if lv.limit is not None]
    if limit is None or not hierarchy.levels or (visible and min(visible) <= limit):
        return None
    return limit


def _binding(found: Sequence[_Candidate]) -> Limit | None:
    """The limit with the least headroom; the smallest where no headroom is known."""
    ranked = [c for c in found if c.headroom is not None]
    if not ranked:
        return _smallest(found)
    return min(ranked, key=lambda c: c.headroom or 0).limit


def _smallest(found: Sequence[_Candidate]) -> Limit | None:
    return min((c.limit for c in found), key=lambda limit: limit.bytes, default=None)


def _least(values: Sequence[int | None]) -> int | None:
    return min((v for v in values if v is not None), default=None)


def _swap(hierarchy: Hierarchy, limit: Limit | None, host: Host) -> tuple[int | None, int | None]:
    """The swap limit, and the swap used by the level that sets it (else by the limit's)."""
    levels = hierarchy.levels
    at = None if limit is None else limit.level
    if hierarchy.version == 1:
        memory = _least([*(lv.limit for lv in levels), hierarchy.hierarchical_limit])
        memsw = _least([*(lv.memsw_limit for lv in levels), hierarchy.hierarchical_memsw])
        size = None if memory is None or memsw is None else max(0, memsw - memory)
    else:
        size = _least([lv.swap_limit for lv in levels])
        if size is not None:
            at = max(i for i, lv in enumerate(levels) if lv.swap_limit == size)
    if at is not None:
        return size, levels[at].swap_usage
    if host.swap_total is None or host.swap_free is None:
        return size, None
    return size, max(0, host.swap_total - host.swap_free)


def _own(levels: Sequence[Level]) -> Level | None:
    """The innermost level that has a memory controller."""
    return next((lv for lv in levels if lv.usage is not None), levels[0] if levels else None)


def resolve_quota(
    hierarchy: Hierarchy,
    host: Host,
    host_oom_kill: int | None = None,
    pressure: Pressure | None = None,
    declared: Mapping[str, int] | None = None,
) -> Quota:
    """Return the smallest limit and the binding one over all visible levels and RAM.

    On a tie the outermost group sets it, and a group before RAM. Both are None where there is
    neither a limit nor a /proc/meminfo.
    """
    levels = hierarchy.levels
    found = _candidates(hierarchy, host)
    limit, binding = _smallest(found), _binding(found)
    full = None if binding is None or binding.level is None else levels[binding.level]
    setter = None if limit is None or limit.level is None else levels[limit.level]
    setter = setter or _own(levels)
    swap_limit, swap_usage = _swap(hierarchy, limit, host)
    return Quota(
        version=hierarchy.version,
        hybrid=hierarchy.hybrid,
        cgroup=hierarchy.cgroup,
        limit=limit,
        binding=binding,
        high=_least([lv.high for lv in levels]),
        peak=full.peak if full else None,
        swap_limit=swap_limit,
        swap_usage=swap_usage,
        parts=full.parts if full else host.parts,
        events=setter.events if setter else Events(),
        host_oom_kill=host_oom_kill,
        pressure=pressure or Pressure(),
        levels=levels,
        host=host,
        declared=dict(declared or {}),
    )


# -- as a document


def _limit_json(limit: Limit | None) -> dict[str, object] | None:
    if limit is None:
        return None
    return {
        "bytes": limit.bytes,
        "path": limit.path,
        "usage": limit.usage,
        "working_set": limit.working_set,
        "hard": limit.hard,
    }


def _level_json(level: Level) -> dict[str, object]:
    return {
        "path": level.path,
        "limit": level.limit,
        "high": level.high,
        "usage": level.usage,
        "peak": level.peak,
        "events": level.events._asdict(),
    }


def host_json(host: Host) -> dict[str, object]:
    """Return the `host` object that several documents share."""
    return {
        "total": host.total,
        "available": host.available,
        "swap_total": host.swap_total,
        "swap_free": host.swap_free,
    }


def quota_json(quota: Quota) -> dict[str, object]:
    """Return the document `memtui.quota/1`: bytes, and None (null) where nothing is known."""
    return {
        "schema": SCHEMA,
        "cgroup_version": quota.version,
        "hybrid": quota.hybrid,
        "cgroup": quota.cgroup,
        "limit": _limit_json(quota.limit),
        "binding": _limit_json(quota.binding),
        "high": quota.high,
        "peak": quota.peak,
        "swap": {"limit": quota.swap_limit, "usage": quota.swap_usage},
        "parts": quota.parts._asdict(),
        "events": quota.events._asdict(),
        "host_oom_kill": quota.host_oom_kill,
        "pressure": {
            "some_avg10": quota.pressure.some_avg10,
            "full_avg10": quota.pressure.full_avg10,
            "scope": quota.pressure.scope,
        },
        "levels": [_level_json(level) for level in quota.levels],
        "host": host_json(quota.host),
        "declared": quota.declared,
    }
