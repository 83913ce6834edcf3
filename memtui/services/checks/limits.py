"""Which cgroups are seen, which limit binds, and whether pressure is told."""

from __future__ import annotations

from memtui.kernel.errors import Gone, KernelError
from memtui.kernel.probe import in_first_namespace
from memtui.kernel.roots import read_bytes
from memtui.model.finding import LIMITED, NO, OK, UNKNOWN, Finding
from memtui.model.snapshot import Limit, Quota
from memtui.services.checks.seen import Seen
from memtui.units import size_long


def check_cgroup(seen: Seen) -> Finding:
    """Say which version has the memory controller, and where in it we are."""
    quota = seen.quota
    facts = {"version": quota.version, "hybrid": quota.hybrid, "cgroup": quota.cgroup}
    if quota.version is None:
        return Finding(
            "cgroup",
            NO if seen.live else UNKNOWN,
            "no memory cgroup is visible: host memory is shown in its place",
            "no mounted cgroup file system has the memory controller",
            "a cgroup file system with the memory controller, mounted where we can see it",
            facts,
        )
    other = " (both versions are mounted)" if quota.hybrid else ""
    means = f"v{quota.version}{other}, own group {quota.cgroup}"
    return Finding("cgroup", OK, means, facts=facts)


def _hidden(seen: Seen) -> bool | None:
    """Whether there are groups above the highest one that is visible; None: not known."""
    quota = seen.quota
    if _from_above(quota.limit) or (quota.version == 2 and quota.levels[-1].usage is not None):
        return True  # v2's real root has no memory.current
    first = in_first_namespace("cgroup") if seen.live else None
    return None if first is None else not first or quota.levels[-1].path != "/"


def _from_above(limit: Limit | None) -> bool:
    """Whether the limit is one that v1's memory.stat alone tells of."""
    return limit is not None and limit.path.endswith("/memory.stat")


def check_levels(seen: Seen) -> Finding:
    """Say how many levels are visible, and whether there are others above."""
    levels = seen.quota.levels
    facts = {"levels": [lv.path for lv in levels]}
    if not levels:
        state, why = NO if seen.live else UNKNOWN, "no memory cgroup is visible"
        return Finding("levels", state, "there is no level to show", why, None, facts)
    hidden = _hidden(seen)
    count = f"{len(levels)} level{'s' * (len(levels) > 1)}"
    top = levels[-1].directory
    if hidden is None:
        means = f"{count}, from our own group up to {top}; whether there are more is not known"
        return Finding("levels", UNKNOWN, means, "files do not tell of a namespace", None, facts)
    if not hidden:
        return Finding("levels", OK, f"{count}, from our own group up to the root", facts=facts)
    return Finding(
        "levels",
        LIMITED,
        f"{count}, from our own group up to {top}; those above are hidden",
        "a cgroup namespace, or a mount of a part only, hides what is above",
        "memtui on the host itself, or a container with the host's cgroup namespace",
        facts,
    )


def _limit_json(limit: Limit | None) -> dict[str, object] | None:
    return None if limit is None else {"bytes": limit.bytes, "path": limit.path}


def _whose(quota: Quota, limit: Limit) -> str:
    if limit.level is None:
        return f"host memory, {size_long(limit.bytes)}"
    return f"{size_long(limit.bytes)}, set by {quota.levels[limit.level].path}"


def check_limit(seen: Seen) -> Finding:
    """Say which limit is the smallest, and which binds."""
    quota = seen.quota
    limit, binding = quota.limit, quota.binding
    facts = {"limit": _limit_json(limit), "binding": _limit_json(binding)}
    if limit is None or binding is None:
        means = "no limit is known: neither a cgroup's nor the machine's memory"
        why = "no limit file and no /proc/meminfo can be read"
        return Finding("limit", UNKNOWN, means, why, "a readable /proc", facts)
    if _from_above(limit):
        means = f"{size_long(limit.bytes)}, set by a group above those that are visible"
        why = "memory.stat tells of the limit, but that group's usage is hidden"
        return Finding("limit", LIMITED, means, why, "memtui on the host itself", facts)
    means = f"{_whose(quota, limit)} ({limit.path})"
    if limit.is_host and all(lv.limit is None for lv in quota.levels):
        seen_any = "" if quota.levels else " is visible"
        means = f"no cgroup limit{seen_any}: host memory, {size_long(limit.bytes)}, can run out"
    elif binding != limit:
        means += f"; {_whose(quota, binding)} has less headroom now and binds"
    return Finding("limit", OK, means, facts=facts)


def check_pressure(seen: Seen) -> Finding:
    """Say whose pressure (PSI) is told."""
    scope = seen.quota.pressure.scope
    facts = {"scope": scope}
    if scope == "cgroup":
        return Finding("pressure", OK, "memory.pressure of our own group", facts=facts)
    if scope == "host":
        why = "cgroup v1 has no memory.pressure" if seen.quota.version == 1 else None
        return Finding(
            "pressure",
            LIMITED,
            "/proc/pressure/memory: the whole machine's, not our group's",
            why or "no group with a memory.pressure is visible",
            "the memory controller on cgroup v2",
            facts,
        )
    if not seen.live:
        why = "the files hold no pressure: it was off, or not readable"
        return Finding("pressure", UNKNOWN, "pressure is not told", why, None, facts)
    return Finding(
        "pressure", NO, "time lost to memory shortage is not told", *_no_psi(seen), facts
    )


def _no_psi(seen: Seen) -> tuple[str, str]:
    """Why there is no PSI, and what would bring it (Documentation/accounting/psi.rst)."""
    try:
        read_bytes(seen.roots.proc + "/pressure/memory")
    except Gone:
        why = "/proc/pressure is not there: the kernel has no PSI, or it is off"
        return why, "a kernel with CONFIG_PSI, and psi=1 on its command line"
    except KernelError as e:
        return f"{e}", "psi=1 on the kernel's command line"
    return "/proc/pressure/memory could not be understood", "a newer memtui"
