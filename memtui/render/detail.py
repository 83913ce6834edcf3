"""The details of one process: a page, and its short form for a column. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from memtui.kernel.grouptree import GroupUse
from memtui.model.badness import thousandth
from memtui.model.detail import SPAN_S, Detail, Memory, Near, Rank
from memtui.model.known import spoken
from memtui.model.pools import why_not
from memtui.model.snapshot import Proc
from memtui.render.about import about
from memtui.render.detailviews import cut, file_line, files_head, unknown
from memtui.render.graph import area
from memtui.render.palette import level as danger
from memtui.render.postmortem import wrap
from memtui.render.spans import Line, fitted, plain, rule, width_of
from memtui.text import cells, clip, elide, elide_left, safe, show
from memtui.units import duration, percent, size

_WIDE = 110  # from here on the graph stands beside the memory
_SIDE = 50
_GRAPH_ROWS = 7
_COMMAND_ROWS = 4
_SHORT_COMMAND_ROWS = 2
_FILES = 12  # of those in memory or deleted, on the page
_STALE_S = 5.0  # seconds from which it is said how old PSS is
_STATES = {
    "R": "running", "S": "sleeping", "D": "waiting for I/O", "Z": "ended, not collected",
    "T": "stopped", "t": "traced", "X": "dead", "I": "idle",
}  # fmt: skip
_EIGHTHS = " ▏▎▍▌▋▊▉"

History = Callable[[int], Sequence[float | None]]
"""Gives so many values of resident memory in bytes, at equal steps, the newest last."""


def page(detail: Detail, history: History, width: int) -> list[Line]:
    """Return everything, no line wider than `width` cells."""
    lines = _head(detail, width, _COMMAND_ROWS)
    if width >= _WIDE:
        left = width - _SIDE
        right = [[], *_graph(history, _SIDE, _GRAPH_ROWS)]
        lines += _beside(_memory(detail, left - 2), right, left)
        groups = _groups(detail, left - 2) + _doom(detail, left - 2)
        lines += _beside(groups, _rlimits(detail, _SIDE), left)
    else:
        lines += [*_memory(detail, width), [], *_graph(history, width, _GRAPH_ROWS - 2)]
        lines += _groups(detail, width) + _doom(detail, width) + _rlimits(detail, width)
    lines += _family(detail, width) + _files(detail, width)
    return cut(lines, width)


def short(detail: Detail, history: History, width: int, height: int) -> list[Line]:
    """Return the short form: as much as fits `height` lines, the graph as high as is left."""
    proc = detail.proc
    name = spoken(proc.who) or proc.name
    top = rule([(elide(f"{name} {proc.pid}", width - 18), "bold")], width, [_ENTER])
    room = width - 1
    head = _head(detail, room - 1, _SHORT_COMMAND_ROWS)[1:]
    lines: list[Line] = [[(" ", ""), *line] for line in head]
    lines += _short_memory(detail, room)
    tail = _groups(detail, room)[1:] + _short_limits(detail, room)
    tail += _doom(detail, room)[1:] + _family(detail, room)[1:] + _short_files(detail, room)
    left = height - 1 - len(lines) - len(tail)
    rows = max(3, min(10, left - 1))
    lines += [*_graph(history, room, rows), *tail]
    return cut([top, *lines], width)[:height]


def nobody(pool: Proc | None, width: int) -> list[Line]:
    """Return the short form of memory that belongs to no process, and of nothing (None)."""
    if pool is None:
        return [rule([("details", "bold")], width)]
    lines = [rule([("no process", "bold")], width, [_ENTER] if pool.pool == "tmpfs" else None)]
    lines += [[(" ", ""), (row, "")] for row in wrap(pool.command, width - 2)]
    lines += [[], [("  holds ", "muted"), (size(pool.rss), "bold")], []]
    return lines + [[(" ", ""), (row, "muted")] for row in wrap(why_not(pool), width - 2)]


_ENTER = ("Enter: all of it", "muted")


def as_text(lines: Sequence[Line]) -> str:
    """Return lines as plain text, for the clipboard."""
    return "".join(plain(line).rstrip() + "\n" for line in lines)


# -- who


def _facts(detail: Detail) -> Iterator[str]:
    proc = detail.proc
    yield f"PID {proc.pid}"
    yield safe(proc.user)
    yield _STATES.get(proc.state, safe(proc.state))
    yield "1 thread" if proc.threads == 1 else f"{proc.threads} threads"
    if detail.began is not None and 0 <= detail.began < 4e9:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(detail.began))
        yield f"since {began}, {duration(max(0.0, detail.time - detail.began))}"


def _head(detail: Detail, width: int, rows: int) -> list[Line]:
    proc = detail.proc
    label = proc.name if proc.who is None else f"{spoken(proc.who) or proc.name} ({proc.name})"
    lines: list[Line] = [[(elide(label, width), "bold")]]
    for text in about(proc, detail.time):
        lines += [[(row, "")] for row in wrap(text, width)]
    words, role = wrap(proc.command, width), "muted" if proc.who else ""
    lines += [[(row, role)] for row in words[:rows]]
    if len(words) > rows:
        lines[-1] = [(clip(words[rows - 1], width - 1) + "…", role)]
    lines += _joined(_facts(detail), " · ", width)
    if detail.ended:
        lines += [[(row, "crit")] for row in wrap(_ended(detail), width)]
    return lines


def _ended(detail: Detail) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(detail.time))
    return f"■ {detail.ended}; what follows is its last state, of {at}"


def _joined(words: Iterator[str], between: str, width: int) -> list[Line]:
    """Words with something between them, in as many lines as they need."""
    lines, text = [], ""
    for word in words:
        longer = f"{text}{between}{word}" if text else word
        if text and cells(longer) > width:
            lines.append(text)
            longer = word
        text = longer
    return [[(elide(line, width), "muted")] for line in [*lines, text] if line]


def _section(title: str, width: int, right: str = "") -> list[Line]:
    return [[], rule([(title, "bold")], width, [(right, "muted")] if right else None)]


def _beside(left: list[Line], right: list[Line], at: int) -> list[Line]:
    count = max(len(left), len(right))
    left, right = (side + [[]] * (count - len(side)) for side in (left, right))
    return [fitted(a, at) + b for a, b in zip(left, right, strict=True)]


# -- memory

_PARTS = (
    ("anon", "anon", "heap, stacks, what forks share"),
    ("file", "file", "mapped files: given back on demand"),
    ("shmem", "shmem", "tmpfs, memfd, SysV that it maps"),
    ("swap", "swap", "written out"),
    ("page tables", "page_tables", "the kernel's, for it"),
)


def _bar(part: int | None, whole: int, width: int) -> str:
    eighths = 0 if not part or whole <= 0 else max(1, round(8 * width * min(1.0, part / whole)))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def _memory(detail: Detail, width: int) -> list[Line]:
    memory = detail.memory
    lines = _section("memory", width, _age(memory))
    if memory is None:
        return [*lines, _sizes(_base(detail)), [("  reading…", "muted")]]
    lines.append(_sizes([*_base(detail), ("PSS", memory.pss), ("USS", memory.uss)]))
    whole = sum(getattr(memory, key) or 0 for _, key, _ in _PARTS)
    bar = max(8, min(24, width - 60))
    for title, key, what in _PARTS:
        value: int | None = getattr(memory, key)
        line: Line = [(f"  {title:<11} {size(value):>6} ", "" if value else "muted")]
        line += [(_bar(value, whole, bar), "bar"), (f"  {what}", "muted")]
        lines.append(fitted(line, width))
    lines += _more_memory(memory, width)
    for part, what in (("memory", "split"), ("pss", "PSS, USS")):
        if why := detail.why.get(part):
            lines += unknown(what, why, width)
    return lines


def _base(detail: Detail) -> list[tuple[str, int | None]]:
    peak = detail.memory.peak if detail.memory else None
    return [("RES", detail.proc.rss), ("peak", peak)]


def _sizes(pairs: Sequence[tuple[str, int | None]]) -> Line:
    line: Line = [(" ", "")]
    for title, value in pairs:
        line += [(f" {title} ", "muted"), (f"{size(value)} ", "bold" if value else "muted")]
    return line


def _more_memory(memory: Memory, width: int) -> list[Line]:
    """What is told only where there is something to tell."""
    told = (
        ("of PSS shared memory", memory.pss_shmem),
        ("hugetlb, beside RES", memory.huge),
        ("locked", memory.locked),
        ("given back at once (lazy free)", memory.lazy_free),
    )
    words = [f"{title} {size(value)}" for title, value in told if value]
    return [[("  ", ""), *line] for line in _joined(iter(words), ", ", width - 2)]


def _age(memory: Memory | None) -> str:
    if memory is None or memory.pss is None or memory.age_s < _STALE_S:
        return ""
    return f"PSS, USS {duration(memory.age_s)} old"


def _short_memory(detail: Detail, width: int) -> list[Line]:
    memory = detail.memory
    if memory is None:
        return [[], _sizes(_base(detail))[1:], [(" ", "")]]
    lines: list[Line] = [[]]
    first = [*_base(detail), ("PSS", memory.pss), ("USS", memory.uss)]
    lines.append(_sizes(first))
    lines.append(_sizes([("anon", memory.anon), ("file", memory.file), ("shmem", memory.shmem)]))
    lines.append(_sizes([("swap", memory.swap), ("page tables", memory.page_tables)]))
    if why := detail.why.get("pss"):
        lines.append([("  ", ""), (elide(f"PSS, USS ? {why}", width - 2), "muted")])
    return lines


def _graph(history: History, width: int, rows: int) -> list[Line]:
    """Resident memory over the last minutes, from 0 to the highest there was."""
    grid = history(2 * width)
    known = [v for v in grid if v is not None]
    top = max(known, default=0.0)
    right = f"0 to {size(round(top))}" if known else ""
    title = [("RES", "bold"), (f", last {round(SPAN_S / 60)} min", "muted")]
    lines = [rule(title, width, [(right, "muted")] if right else None)]
    if not known:
        return [*lines, [("  from now on", "muted")], *[[]] * (rows - 1)]
    return lines + [[(row, "calm")] for row in area(list(grid), top, width, rows)]


# -- limits


def _group(group: GroupUse, detail: Detail, width: int) -> Line:
    share = percent(group.usage, group.limit)
    limit = size(group.limit) if group.limit is not None else "none" if group.limit_known else "?"
    pct = "" if share is None else f"{share:.0f}%"
    line: Line = [(f"  {size(group.usage):>6} of {limit:>6} ", "" if group.limit else "muted")]
    line.append((f"{pct:>5} ", "muted" if share is None else danger(share)))
    binds = " ◂ binds" if group.path == detail.binding else ""
    kills = f" {group.oom_kill} killed" if group.oom_kill else ""
    room = max(8, width - width_of(line) - cells(binds) - cells(kills))
    line.append((elide_left(safe(group.path), room), ""))
    return [*line, (kills, "warn"), (binds, "accent")]


def _groups(detail: Detail, width: int) -> list[Line]:
    lines = _section("cgroup, its own first", width)
    if why := detail.why.get("groups"):
        return lines + unknown("limits", why, width)
    if not detail.groups and detail.proc.cgroup is not None:
        lines.append([("  " + elide_left(safe(detail.proc.cgroup), width - 2), "muted")])
    return lines + [_group(g, detail, width) for g in detail.groups]


def _amount(value: int | None, is_size: bool, none: str = "?") -> str:
    return none if value is None else size(value) if is_size else str(value)


def _rlimit(limit: Near) -> Line:
    share = limit.share
    used = _amount(limit.used, limit.is_size)
    soft, hard = (_amount(n, limit.is_size, "none") for n in (limit.soft, limit.hard))
    pct = "" if share is None else f"{share:.0f}%" if share < 999.5 else ">999%"
    return [
        (f"  {limit.name:<8}", "" if limit.soft else "muted"),
        (f"{used:>7} of {soft:>7} ", "" if limit.soft else "muted"),
        (f"{pct:>5} ", "muted" if share is None else danger(share)),
        (f"hard {hard}", "muted"),
    ]


def _rlimits(detail: Detail, width: int) -> list[Line]:
    lines = _section("rlimits", width, "used of soft limit")
    if why := detail.why.get("limits"):
        return lines + unknown("limits", why, width)
    return lines + [_rlimit(limit) for limit in detail.limits]


def _short_limits(detail: Detail, width: int) -> list[Line]:
    """The rlimits that are near, or that limit memory at all."""
    held = [n for n in detail.limits if n.soft is not None and n.name in ("AS", "DATA")]
    held += [n for n in detail.limits if n not in held and (n.share or 0) >= 50]
    return [fitted(_rlimit(limit), width) for limit in held]


# -- the OOM killer


def _ordinal(n: int) -> str:
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _doom_words(rank: Rank) -> tuple[str, str]:
    """Whom the OOM killer would take, and a role."""
    if rank.place is None:
        return rank.reason or "not known", "muted"
    if rank.next:
        return "† it dies next", "doomed"
    return f"{_ordinal(rank.place)} of {rank.of} to die", ""


def _doom(detail: Detail, width: int) -> list[Line]:
    rank = detail.rank
    words, role = _doom_words(rank)
    adj = "?" if rank.adj is None else str(rank.adj)
    lines = _section("OOM killer", width, f"oom_score_adj {adj}")
    line: Line = [("  ", ""), (words, role)]
    points = percent(rank.badness, rank.total)
    if points is not None:
        share = thousandth(rank.total or 0) * (rank.adj or 0)
        worth = f"  {round(10 * points)} of 1000 points"
        line.append((worth + (f", {size(share)} of it by adj" if share else ""), "muted"))
    return [*lines, line]


# -- its family


def _named(proc: Proc) -> str:
    return f"{elide(proc.name, 24)} {proc.pid}"


def _family(detail: Detail, width: int) -> list[Line]:
    lines = _section("family", width)
    outside = "the kernel, or from outside of what is seen here"
    chain = " ‹ ".join(map(_named, detail.parents)) or (outside if not detail.proc.ppid else "?")
    lines += [[("  ", ""), (row, "")] for row in wrap(f"started by {chain}", width - 2)]
    below = "nothing runs below it"
    if detail.below:
        below = f"{detail.below} below it, RES {size(detail.below_rss)} (shared counted in each)"
    lines.append([("  ", ""), (elide(below, width - 2), "muted")])
    return lines


# -- files


def _files(detail: Detail, width: int) -> list[Line]:
    count = "?" if detail.descriptors is None else str(detail.descriptors)
    lines = _section("files", width, f"{count} open")
    for part, value in (("exe", detail.exe), ("cwd", detail.cwd)):
        if value is not None:
            lines.append([(f"  {part}  ", "muted"), (elide_left(value, width - 7), "")])
        elif why := detail.why.get(part):
            lines += unknown(part, why, width)
    if why := detail.why.get("fd"):
        return lines + unknown("open files", why, width)
    held = detail.in_memory
    if held:
        lines += [[], files_head(width), *(file_line(f, width) for f in held[:_FILES])]
    if (more := len(held) - _FILES) > 0:
        lines.append([(f"  and {more} more (l)", "muted")])
    elif not held and detail.files is not None:
        lines.append([("  no open file lies in memory (tmpfs, memfd) or is deleted", "muted")])
    return lines


def _short_files(detail: Detail, width: int) -> list[Line]:
    held = detail.in_memory
    if not held:
        return []
    lines = _section("open, in memory or deleted", width, f"{len(held)}")[1:]
    return lines + [
        [(f"  {size(f.taken):>6} ", ""), (elide_left(show(f.path), width - 9), "muted")]
        for f in held[:4]
    ]
