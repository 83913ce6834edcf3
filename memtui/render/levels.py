"""Every limit in sight: whose it is, how full, and the file that says so."""

from __future__ import annotations

from memtui.kernel.levels import Level
from memtui.model.snapshot import Limit, Quota
from memtui.render.palette import level as danger
from memtui.render.quota import hard_pct, host_used
from memtui.render.spans import Line
from memtui.text import safe
from memtui.units import percent, size, size_long


def _which(title: str, limit: Limit | None) -> list[Line]:
    if limit is None:
        return [[(f"{title:<10}", "muted"), ("not visible from here", "")]]
    pct = hard_pct(limit)
    share = "?" if pct is None else f"{pct:.0f}%"
    head: Line = [
        (f"{title:<10}", "muted"),
        (f"{size_long(limit.usage)} of {size_long(limit.bytes)}", "bold"),
        (f"  not reclaimable {size(limit.hard)} ", "muted"),
        (share, "muted" if pct is None else danger(pct)),
    ]
    return [head, [(" " * 10 + safe(limit.path), "muted")]]


def _level(lv: Level) -> list[Line]:
    share = percent(lv.usage, lv.limit)
    pct = "" if share is None else f" {share:.0f}%"
    none = "no limit" if lv.limit_known else "limit not readable"
    limit = none if lv.limit is None else f"of {size(lv.limit)}{pct}"
    kills = "" if lv.events.oom_kill is None else f"  oom_kill {lv.events.oom_kill}"
    line: Line = [(f"  {size(lv.usage):>6} {limit:<18}", "bold" if lv.limit else "")]
    line += [(f"peak {size(lv.peak):>6}{kills}", "muted")]
    return [line, [("    " + safe(lv.limit_file or lv.directory), "muted")]]


def limit_lines(quota: Quota) -> list[Line]:
    """Return the limit that binds, the smallest one, every level from our own up, the host."""
    version = {1: "cgroup v1", 2: "cgroup v2"}.get(quota.version or 0, "no memory cgroup visible")
    out = _which("binds", quota.binding)
    if quota.limit is not None and quota.limit != quota.binding:
        out += _which("smallest", quota.limit)
    out += [[], [(version, "bold"), ("  levels, our own first", "muted")]]
    for lv in quota.levels:
        out += _level(lv)
    host = quota.host
    used = f"{size_long(host_used(host))} of {size_long(host.total)} in use"
    swap = f"swap {size(host.swap_total)}, free {size(host.swap_free)}"
    out += [[], [("host", "bold"), (f"  {used}; {swap}", "")]]
    for name, value in quota.declared.items():
        out.append(
            [(f"{name}", "bold"), (f" says {size_long(value)}: a label, not enforced", "muted")]
        )
    return out
