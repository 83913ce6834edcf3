"""`memtui quota`: which limit holds, which binds, what fills it; as text or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from memtui.cli.arguments import add_root
from memtui.cli.common import OK, UsageError, check_root, put
from memtui.kernel.roots import Roots
from memtui.model.quota import quota_json
from memtui.model.snapshot import Limit, Quota
from memtui.services.quota import QuotaSource
from memtui.text import safe
from memtui.units import percent, size, size_long

_PARTS = {
    "anon": "anonymous",
    "shmem": "shared memory and tmpfs files",
    "kernel": "kernel",
    "sock": "network buffers",
    "other": "other",
    "cache_active": "file cache, active (reclaimable)",
    "cache_inactive": "file cache, inactive (reclaimable)",
    "kernel_reclaimable": "kernel, reclaimable",
}
_EVENTS = {
    "oom_kill": "processes killed",
    "oom": "limit could not be met",
    "max": "limit reached",
    "high": "throttled",
    "oom_group_kill": "whole group killed",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui quota`."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON document, schema memtui.quota/1"
    )
    parser.add_argument(
        "--cgroup", metavar="PATH", help="another cgroup than our own, as in /proc/PID/cgroup"
    )
    add_root(parser)


def main(args: argparse.Namespace) -> int:
    """Print the quota; return the exit status. Raises UsageError for wrong use."""
    source = QuotaSource(Roots(check_root(args.root)), args.cgroup)
    quota = source.read()
    found = source.found
    source.close()
    if args.cgroup is not None and not found:
        raise UsageError(f"--cgroup {safe(args.cgroup)!r}: no such memory cgroup is visible here")
    if args.json:
        put(json.dumps(quota_json(quota)) + "\n")
    else:
        put("\n".join(report(quota)) + "\n")
    return OK


def report(quota: Quota) -> Iterator[str]:
    """Yield the lines of the text output; foreign text is made safe."""
    yield from _head(quota)
    yield from _parts(quota)
    yield from _levels(quota)
    yield from _rest(quota)


def _fill(limit: Limit) -> str:
    share = percent(limit.usage, limit.bytes)
    pct = "?" if share is None else f"{share:.1f} %"
    hard = percent(limit.hard, limit.bytes)
    text = f"{size_long(limit.usage)} of {size_long(limit.bytes)} used ({pct})"
    if limit.hard is None and limit.usage is not None:
        text += "; how much of it can be reclaimed is not known"
    if hard is not None and limit.hard != limit.usage:
        text += f", {size_long(limit.hard)} ({hard:.1f} %) of it cannot be reclaimed"
    return text


def _whose(quota: Quota, limit: Limit) -> str:
    if limit.level is None:
        return f"host memory ({limit.path}), shared with everyone on this machine"
    path = safe(quota.levels[limit.level].path)
    if limit.path.endswith("/memory.stat"):
        return f"an ancestor hidden from {path} ({safe(limit.path)}): its usage is at least ours"
    return f"{path} ({safe(limit.path)})"


def _head(quota: Quota) -> Iterator[str]:
    if quota.cgroup is None:
        yield "cgroup:  no memory cgroup is visible here"
    else:
        hybrid = ", v1 and v2 are mounted" if quota.hybrid else ""
        yield f"cgroup:  {safe(quota.cgroup)} (v{quota.version}{hybrid})"
    limit, binding = quota.limit, quota.binding
    if limit is None or binding is None:
        yield "limit:   unknown: neither a cgroup limit nor /proc/meminfo can be read"
        return
    if limit.is_host:
        yield f"limit:   {_unlimited(quota)}: host memory"
    else:
        yield f"limit:   {size_long(limit.bytes)}, set by {_whose(quota, limit)}"
    yield f"         {_fill(limit)}"
    if binding != limit:
        yield f"binding: {_whose(quota, binding)} has the least headroom"
        yield f"         {_fill(binding)}"


def _unlimited(quota: Quota) -> str:
    """Say why no cgroup's limit holds, as far as is known."""
    if not quota.levels:
        return "no limit is visible"
    unread = [lv for lv in quota.levels if not lv.limit_known]
    if unread:
        return f"{safe(unread[0].limit_file)} is not readable"
    capped = any(lv.limit is not None for lv in quota.levels)
    return "RAM is smaller than every limit" if capped else "no limit"


def _parts(quota: Quota) -> Iterator[str]:
    whole = quota.binding.usage if quota.binding and not quota.binding.is_host else None
    rows = [(title, getattr(quota.parts, key)) for key, title in _PARTS.items()]
    known = [(title, n) for title, n in rows if n is not None]
    if not known:
        return
    yield ""
    yield "what fills it"
    for title, n in known:
        share = percent(n, whole)
        yield f"  {size(n):>6} {'' if share is None else f'{share:5.1f} %':>8}  {title}"


def _levels(quota: Quota) -> Iterator[str]:
    if not quota.levels:
        return
    yield ""
    yield "  usage  limit   high   peak  kills  level"
    for lv in quota.levels:
        none = "-" if lv.limit_known else "?"
        limit = none if lv.limit is None else size(lv.limit)
        high = "-" if lv.high is None else size(lv.high)
        kills = "?" if lv.events.oom_kill is None else str(lv.events.oom_kill)
        yield f"{size(lv.usage):>7}{limit:>7}{high:>7}{size(lv.peak):>7}{kills:>7}  {safe(lv.path)}"


def _rest(quota: Quota) -> Iterator[str]:
    yield ""
    told = [f"{n} {_EVENTS[key]}" for key, n in quota.events._asdict().items() if n is not None]
    yield f"OOM events:  {', '.join(told) or 'no counter is visible'}"
    if quota.host_oom_kill is not None:
        yield f"             {quota.host_oom_kill} killed on the whole machine since it started"
    if quota.swap_limit == 0:
        yield "swap:        none may be used"
    elif quota.swap_limit is not None:
        yield f"swap:        {size_long(quota.swap_usage)} of {size_long(quota.swap_limit)}"
    if quota.pressure.scope is not None:
        some, full = quota.pressure.some_avg10, quota.pressure.full_avg10
        full_text = "?" if full is None else f"{full:g} %"
        yield f"pressure:    some {some:g} %, full {full_text} of 10 s ({quota.pressure.scope})"
    for name, n in quota.declared.items():
        yield f"declared:    {name} = {size_long(n)} (a label; nothing here enforces it)"
