"""The quota bar: the limit that binds, what fills it, and how much could be given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memtui.kernel.cgroup import Parts
from memtui.model.snapshot import Host, Limit, Quota
from memtui.render.palette import level
from memtui.render.spans import Line, spread, width_of
from memtui.render.trend import trend_line
from memtui.text import elide_left, safe
from memtui.units import percent, size

if TYPE_CHECKING:
    from memtui.model.trend import Trend

_LABEL = 9
_NUMBERS = 25
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# one hue, four densities: told apart without colour too
ANON, SHMEM, KERNEL, CACHE = "█", "▓", "▒", "░"
UNKNOWN = "▄"  # usage of which it is not known how much is cache
_HARD_ROLES = ((0.90, "bar_crit"), (0.75, "bar_warn"), (0.0, "bar"))

Segment = tuple[int, str]
"""Bytes and the glyph that stands for them."""


def _sum(*values: int | None) -> int | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def segments(parts: Parts, usage: int | None) -> list[Segment]:
    """Return what fills the bar, in drawing order; without parts all of `usage` as one."""
    kernel = _sum(parts.kernel, parts.sock, parts.other)
    cache = _sum(parts.cache_active, parts.cache_inactive, parts.kernel_reclaimable)
    known = [(parts.anon, ANON), (parts.shmem, SHMEM), (kernel, KERNEL), (cache, CACHE)]
    told = [(n, glyph) for n, glyph in known if n]
    return told or [(usage or 0, ANON)]


def _filled(quota: Quota, limit: Limit) -> list[Segment]:
    """Return what fills the bar of `limit`: one neutral piece where cache is not told apart."""
    if limit.hard is None and not limit.is_host:
        return [(limit.usage or 0, UNKNOWN)]
    return segments(quota.parts, limit.usage)


def _role(glyph: str, place: float) -> str:
    if glyph in (CACHE, UNKNOWN):
        return "bar_cache"
    return next(role for edge, role in _HARD_ROLES if place >= edge)


def bar(filled: list[Segment], limit: int, width: int, marks: dict[str, int] | None = None) -> Line:
    """Return a bar of `width` cells for `limit` bytes.

    The colour of hard memory runs along the position, so that its tip tells the level; `marks`
    are glyphs that stand at a number of bytes, as the peak does.
    """
    cells: Line = []
    total, limit = 0, max(1, limit)  # memory.max may be 0
    for n, glyph in filled:
        total += n
        end = min(width, round(total / limit * width))
        cells += [(glyph, _role(glyph, i / width)) for i in range(len(cells), end)]
    if filled and filled[-1][1] == ANON and len(cells) < width:
        rest = total / limit * width - len(cells)
        if rest > 1 / 16:
            cells.append((_EIGHTHS[min(8, round(rest * 8))], _role(ANON, len(cells) / width)))
    cells += [(" ", "bar")] * (width - len(cells))
    for glyph, n in (marks or {}).items():
        i = round(n / limit * width) - 1
        if 0 <= i < width:
            cells[i] = (glyph, "bar_mark")
    return cells


def _numbers(used: int | None, limit: int | None, role: str, note: str = "") -> Line:
    if note:
        return [(f"{note:>{_NUMBERS - 1}} ", "muted")]
    pct = percent(used, limit)
    share = "?" if pct is None else f"{pct:.0f}%"
    return [(f" {size(used):>6} / {size(limit):>5}", role), (f" {share:>8} ", role)]


def hard_pct(limit: Limit | None) -> float | None:
    """Return what reclaim cannot give back, in per cent of the limit; None where unknown."""
    return percent(limit.hard, limit.bytes) if limit else None


def memory_line(quota: Quota, width: int) -> Line:
    """Return the bar of the level that binds."""
    limit = quota.binding
    if limit is None:
        return spread(
            [(" memory", "muted")], [("limit and usage not visible from here ", "muted")], width
        )
    marks = {}
    if quota.high and not limit.is_host:
        marks["┊"] = quota.high
    if quota.peak:
        marks["│"] = quota.peak
    pct = hard_pct(limit)
    role = level(pct)
    numbers = _numbers(limit.usage, limit.bytes, "bold" if role == "calm" else role)
    room = width - _LABEL - _NUMBERS
    drawn = bar(_filled(quota, limit), limit.bytes, max(4, room), marks)
    return [(f"{' memory':<{_LABEL}}", "muted"), *drawn, *numbers]


def _legend(quota: Quota) -> list[tuple[Line, int]]:
    """What the bar's glyphs mean, in drawing order, each with its importance."""
    parts = quota.parts
    cache = _sum(parts.cache_active, parts.cache_inactive, parts.kernel_reclaimable)
    kernel = _sum(parts.kernel, parts.sock, parts.other)
    items = [
        ("■", "anon", parts.anon, "calm", 9),  # a full block would run into the bar above it
        (SHMEM, "tmpfs", parts.shmem, "calm", 7 if parts.shmem else 2),
        (KERNEL, "kernel", kernel, "calm", 6),
        (CACHE, "cache", cache, "muted", 8),
        ("│", "peak", quota.peak, "bold", 4),
    ]
    return [
        ([(glyph, role), (f" {name} ", "muted"), (size(n), ""), ("   ", "")], rank)
        for glyph, name, n, role, rank in items
        if n is not None or name != "peak"
    ]


def _hard(quota: Quota, width: int) -> Line:
    """What reclaim cannot give back, with the level in words where it is not calm."""
    limit, pct = quota.binding, hard_pct(quota.binding)
    if limit is None:
        return []
    name = "not reclaimable " if width >= 110 else "hard "
    if limit.hard is None:
        return [(name + "? ", "muted")]
    role = level(pct)
    word = {"calm": "", "warn": "warn ", "crit": "CRIT "}[role]
    share = "?" if pct is None else f"{pct:.0f}%"
    return [(name, "muted"), (f"{word}{size(limit.hard)}", role), (f" {share:>5} ", role)]


def legend_line(quota: Quota, width: int) -> Line:
    """Return what each part of the bar is, in bytes, and what reclaim cannot give back."""
    right = _hard(quota, width)
    items = _legend(quota)
    room = width - _LABEL - width_of(right)
    while items and sum(width_of(line) for line, _ in items) > room:
        items.remove(min(items, key=lambda item: item[1]))
    left: Line = [(" " * _LABEL, "")]
    for line, _ in items:
        left += line
    return spread(left, right, width)


def _thin(label: str, used: int | None, limit: int | None, width: int, note: str = "") -> Line:
    """Return a secondary meter: a line, where the quota itself is a bar."""
    room = max(4, width - _LABEL - _NUMBERS)
    full = max(0, min(room, round((used or 0) / limit * room))) if limit else 0
    drawn: Line = [("━" * full, "calm"), ("─" * (room - full), "rule")]
    return [(f" {label:<{_LABEL - 1}}", "muted"), *drawn, *_numbers(used, limit, "", note)]


def swap_line(quota: Quota, width: int) -> Line:
    """Return the swap bar: the cgroup's where it has a limit, else the host's."""
    limit, used = quota.swap_limit, quota.swap_usage
    if limit is None:
        limit, used = quota.host.swap_total, swap_used(quota.host)
    return _thin("swap", used, limit, width, "none" if limit == 0 else "")


def swap_used(host: Host) -> int | None:
    """Return SwapTotal - SwapFree in bytes."""
    if host.swap_total is None or host.swap_free is None:
        return None
    return max(0, host.swap_total - host.swap_free)


def host_used(host: Host) -> int | None:
    """Return MemTotal - MemAvailable in bytes."""
    if host.total is None or host.available is None:
        return None
    return max(0, host.total - host.available)


def other_line(quota: Quota, width: int) -> Line:
    """Return the host below a cgroup that binds, or our own cgroup below a host that does."""
    if quota.binding is None or not quota.binding.is_host:
        return _thin("host", host_used(quota.host), quota.host.total, width)
    if not quota.levels:
        return [
            (" cgroup  ", "muted"),
            ("none with a memory controller is visible from here", "muted"),
        ]
    own = quota.levels[0]
    if own.limit is None:
        limit = "no limit" if own.limit_known else "limit not readable"
        text = f"{size(own.usage)} in use, {limit}  "
        path = elide_left(safe(own.path), max(8, width - 40))
        return [(" cgroup  ", "muted"), (text + path, "muted")]
    return _thin("cgroup", own.usage, own.limit, width)


def meters(quota: Quota, width: int) -> list[Line]:
    """Return the bar, what its parts are, swap, and the host or our own cgroup beside it."""
    meters = [memory_line, legend_line, swap_line, other_line]
    return [draw(quota, width) for draw in meters]


def quota_lines(quota: Quota, width: int, height: int, trend: Trend | None = None) -> list[Line]:
    """Return the quota box: one to three lines where the screen is short, five where it is not."""
    first, legend, *rest = meters(quota, width)
    return [first, legend, trend_line(trend, width), *rest][:height]


def limit_words(quota: Quota, width: int = 80) -> str:
    """Return which limit binds and whose it is, in at most `width` cells."""
    limit = quota.binding
    if limit is None:
        return "limit not visible from here"
    if limit.level is None:
        if not quota.levels:
            return "host memory (no cgroup is visible)"
        if not all(lv.limit_known for lv in quota.levels):
            return "host memory (a cgroup limit is not readable)"
        finite = any(lv.limit is not None for lv in quota.levels)
        return "host memory binds" if finite else "no limit: host memory"
    head = f"limit {size(limit.bytes)}  cgroup v{quota.version} "
    return head + elide_left(safe(quota.levels[limit.level].path), max(8, width - len(head)))
