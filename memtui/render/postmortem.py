"""The post-mortem of one OOM event: who, on what evidence, why, and how things stood. Pure.

The answer comes first and the proof below it. The TUI, `memtui oom` and the clipboard get the
same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from memtui.kernel.cgroup import at_or_below
from memtui.model.fields import counts
from memtui.model.known import spoken
from memtui.model.scene import Scene
from memtui.model.series import Recent
from memtui.model.snapshot import Identity, Limit, Proc, Quota
from memtui.model.victims import SURE, OomEvent, Victim, identities
from memtui.render.events import clock, mark
from memtui.render.graph import area
from memtui.render.oomwords import evidence, headline, next_steps, when
from memtui.render.quota import meters
from memtui.render.spans import Line, fitted, plain, rule, spread, width_of
from memtui.text import cells, clip, elide, fit, safe
from memtui.units import percent, size, size_long

_WIDE = 120  # from here on the graph stands beside the words
_GRAPH_S = 120.0
_GRAPH_ROWS = 6
_ROWS = 15  # processes
_VICTIMS = 12
_COMMAND_ROWS = 3
_BADNESS = 8
_COMMAND = 20  # cells at least; USER and %QUOTA give way before


class _Column(NamedTuple):
    """One column of the processes: what stands in it, from a process and the quota then."""

    title: str
    width: int
    right: bool
    text: Callable[[Proc, Quota], str]


def _share(proc: Proc, quota: Quota) -> str:
    if not counts(proc, quota.level_path):
        return "·"
    pct = percent(proc.rss, quota.binding.bytes if quota.binding else None)
    return "?" if pct is None else f"{pct:.1f}" if pct < 999.5 else ">999"


_PID = _Column("PID", 7, True, lambda p, _: str(p.pid))
_USER = _Column("USER", 8, False, lambda p, _: safe(p.user))
_RES = _Column("RES", 6, True, lambda p, _: size(p.rss))
_QUOTA = _Column("%QUOTA", 7, True, _share)


def postmortem(event: OomEvent, width: int) -> list[Line]:
    """Return the whole page, no line wider than `width` cells."""
    lines = _head(event, width)
    if width >= _WIDE and event.scene is not None:
        left = width * 11 // 20
        words = _victims(event, left - 2) + _evidence(event, left - 2)
        lines += _beside(words, _graph(event, width - left), left)
        lines += _next(event, width)
    else:
        lines += _victims(event, width) + _evidence(event, width) + _next(event, width)
        lines += _graph(event, width)
    lines += _limit(event, width) + _quota(event, width)
    lines += _processes(event, width) + _record(event, width)
    return [fitted(line, min(width, width_of(line))) for line in lines]


def as_text(event: OomEvent, width: int = 100) -> str:
    """Return the post-mortem as plain text, for the clipboard and for files."""
    return "".join(plain(line).rstrip() + "\n" for line in postmortem(event, width))


def wrap(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` cells, broken at blanks where there are any."""
    lines, line = [], ""
    for word in safe(text).split(" "):
        room = width - cells(line) - 1
        if line and cells(word) > room:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while cells(line) > width and (start := clip(line, max(2, width))):
            lines.append(start)
            line = line[len(start) :]
    return [*lines, line] if line or not lines else lines


def _wrapped(text: str, width: int, role: str = "", indent: int = 2) -> list[Line]:
    pad = " " * indent
    return [[(pad, ""), (line, role)] for line in wrap(text, max(8, width - indent))]


def _section(title: str, width: int, right: str = "") -> list[Line]:
    return [[], rule([(title, "bold")], width, [(right, "muted")] if right else None)]


def _beside(left: list[Line], right: list[Line], at: int) -> list[Line]:
    """Return two columns, the right one beginning at cell `at`."""
    count = max(len(left), len(right))
    left, right = (side + [[]] * (count - len(side)) for side in (left, right))
    return [fitted(a, at) + b for a, b in zip(left, right, strict=True)]


# -- the answer


def _kind(event: OomEvent) -> str:
    if event.kind != "oom":
        return "not an OOM kill"
    return "OOM kill" if event.count == 1 else f"{event.count} OOM kills"


def _head(event: OomEvent, width: int) -> list[Line]:
    glyph, role = mark(event, listed=False)
    found = "found " if event.before_start else ""
    line: Line = [(f"{glyph} {_kind(event)}", role), (f"  {found}{when(event.time)}", "muted")]
    if event.scope == "elsewhere":
        line.append(("  elsewhere on this machine", "muted"))
    return [line, *_wrapped(headline(event), width, "bold")]


def _victims(event: OomEvent, width: int) -> list[Line]:
    if not event.victims:
        return []
    lines = _section("who", width)
    for victim in event.victims[:_VICTIMS]:
        lines += _victim(event, victim, width)
    if (more := len(event.victims) - _VICTIMS) > 0:
        lines.append([(f"  and {more} more", "muted")])
    if event.others:
        lines.append([("  vanished then, too", "muted")])
        lines += [_other(v, width) for v in event.others]
    return lines


def _facts(victim: Victim) -> Iterator[tuple[str, str]]:
    yield "PID", str(victim.pid)
    yield "user", safe(victim.user) or "?"
    yield "RES", size(victim.rss)
    yield "swap", size(victim.swap)
    yield "oom_score_adj", "?" if victim.adj is None else str(victim.adj)
    yield "parent", safe(victim.parent) or "?"


def _command(victim: Victim, width: int) -> list[Line]:
    """The command line, in a few lines at most."""
    how = "" if victim.evidence in SURE else "probably "
    text = wrap(how + (victim.command or victim.name or "?"), max(8, width - 3))
    lines: list[Line] = [[("  ", ""), (row, "bold")] for row in text[:_COMMAND_ROWS]]
    if text[0].startswith(how) and how:
        lines[0] = [("  " + how, "muted"), (text[0][len(how) :], "bold")]
    if len(text) > _COMMAND_ROWS:
        lines[-1].append(("…", "muted"))
    return lines


def _victim(event: OomEvent, victim: Victim, width: int) -> list[Line]:
    lines: list[Line] = [[("  ", ""), (elide(safe(victim.what), width - 3), "accent")]]
    lines = (lines if victim.what else []) + _command(victim, width)
    line: Line = [(" ", "")]
    for name, value in _facts(victim):
        item: Line = [(f" {name} ", "muted"), (value + " ", "")]
        if width_of(line) + width_of(item) > width:
            lines.append(line)
            line = [(" ", "")]
        line += item
    lines.append(line)
    seen = "never seen alive here"
    if victim.last_seen is not None:
        seen = f"last seen {max(0.0, event.time - victim.last_seen):.1f} s before"
    place = victim.cgroup or event.cgroup
    lines += _wrapped(f"{seen}, in {place}" if place else seen, width, "muted")
    if victim.restarted is not None:
        text = f"the Jupyter kernel {victim.restarted} took its place: what it held is lost"
        lines += _wrapped(text, width)
    return lines


def _other(victim: Victim, width: int) -> Line:
    head = f"  {victim.pid:>7} {fit(safe(victim.user), 8)} {size(victim.rss):>6} "
    return [(head + elide(safe(victim.command), max(8, width - cells(head))), "muted")]


def _evidence(event: OomEvent, width: int) -> list[Line]:
    lines = _section("how sure", width)
    for how, text in evidence(event):
        first, *rest = wrap(f"{how}: {text}", max(8, width - 2))
        lines.append([("  ", ""), (first[: len(how)], "bold"), (first[len(how) :], "")])
        lines += [[("  " + line, "")] for line in rest]
    return lines


def _next(event: OomEvent, width: int) -> list[Line]:
    lines = _section("what to do next", width)
    for step in next_steps(event):
        first, *rest = _wrapped(step, width, indent=4)
        lines += [[("  › ", "accent"), *first[1:]], *rest]
    return lines


# -- how things stood


def _binding(event: OomEvent) -> Limit | None:
    return event.scene.quota.binding if event.scene is not None else None


def _graph(event: OomEvent, width: int) -> list[Line]:
    """Usage of the level that bound, up to the kill at the right edge, below its limit."""
    scene, limit = event.scene, _binding(event)
    if scene is None or not any(used is not None for _, used in scene.points):
        return []
    peak = max(used or 0 for _, used in scene.points)
    top = limit.bytes if limit is not None else peak
    room = width - 4
    drawn = area(_grid(scene, event.time, 2 * room), float(top), room, _GRAPH_ROWS)
    name = f"limit {size(top)} " if limit is not None else f"most {size(top)} "
    lines = _section("memory, the two minutes before", width)
    lines.append([("  " + name, "muted"), ("┄" * max(0, room - len(name)), "warn"), ("┐", "crit")])
    lines += [[("  " + row, "calm"), ("│", "crit")] for row in drawn]
    killed = f"{'killed' if event.kind == 'oom' else 'SIGKILL'} {clock(event.time)} ▲ "
    middle = "1 min" if room > 60 else ""
    axis = f"  {'2 min':<{room // 2}}{middle}"
    return [*lines, spread([(axis, "muted")], [(killed, "crit")], width)]


def _grid(scene: Scene, end: float, count: int) -> Sequence[float | None]:
    """The scene's points on `count` equal steps of two minutes that end with the kill."""
    recent = Recent(_GRAPH_S)
    for at, used in scene.points:
        if at <= end:
            recent.add(at, used)
    binding = scene.quota.binding
    if binding is not None and scene.time <= end:
        recent.add(scene.time, binding.usage)
    recent.add(end, None)
    return recent.grid(count)


def _limit(event: OomEvent, width: int) -> list[Line]:
    if event.kind != "oom" or event.before_start:
        return []
    facts = list(_limit_facts(event))
    lines = _section("the limit", width)
    for name, text in facts:
        first, *rest = wrap(text, max(8, width - 12))
        lines.append([(f"  {name:<10}", "muted"), (first, "")])
        lines += [[(" " * 12 + line, "")] for line in rest]
    return lines


def _exact(n: int | None) -> str:
    return "?" if n is None else f"{size_long(n)} ({n} bytes)"


def _limit_facts(event: OomEvent) -> Iterator[tuple[str, str]]:
    quota = event.scene.quota if event.scene is not None else None
    if event.cause == "limit":
        yield "hit", _exact(event.limit_bytes)
        yield "cgroup", event.limit_cgroup or "?"
        levels = quota.levels if quota is not None else ()
        level = next((lv for lv in levels if lv.path == event.limit_cgroup), None)
        yield "file", (level.limit_file if level is not None else "") or "?"
        if level is not None:
            yield "in use", f"{size_long(level.usage)} when last sampled"
    elif event.cause == "host":
        host = quota.host if quota is not None else None
        yield "hit", "the machine's memory: " + _exact(host.total if host else None)
        if host is not None:
            yield "available", f"{size_long(host.available)} when last sampled"
            swap = f"{size_long(host.swap_free)} free of {size_long(host.swap_total)}"
            yield "swap", "none" if host.swap_total == 0 else swap
    elif event.cause == "above":
        yield "hit", "of a cgroup that is not visible from here; how much, and whose, is not known"
    else:
        yield "hit", "not known"


def _quota(event: OomEvent, width: int) -> list[Line]:
    scene = event.scene
    if scene is None:
        return []
    before = max(0.0, event.time - scene.time)
    lines = _section("the quota then", width, f"{clock(scene.time)}, {before:.1f} s before")
    return lines + meters(scene.quota, width)


# -- the processes


def _columns(width: int, badness: int) -> list[_Column]:
    """Return the columns that leave the command line enough room."""
    columns = [_PID, _USER, _RES, _QUOTA]
    for column in (_USER, _QUOTA):
        if width - 3 - badness - sum(c.width + 1 for c in columns) < _COMMAND:
            columns.remove(column)
    return columns


def _processes(event: OomEvent, width: int) -> list[Line]:
    scene = event.scene
    if scene is None or not scene.procs:
        return []
    shown, killed = scene.procs[:_ROWS], identities(event.victims)
    badness = _BADNESS if scene.badness else 0
    columns = _columns(width, badness)
    head = "".join(" " + fit(f.title, f.width, f.right) for f in columns)
    head += f"{'BADNESS':>{badness}}" if badness else ""
    lines = _section("processes then", width, f"the {len(shown)} biggest of {scene.count}")
    lines.append(fitted([(f"  {head} COMMAND", "head")], width, "head"))
    for proc in shown:
        text = "".join(" " + fit(f.text(proc, scene.quota), f.width, f.right) for f in columns)
        text += f"{size(scene.badness.get(proc.identity)):>{badness}}" if badness else ""
        lines.append(_row(event, proc, text, killed, width))
    return lines + _key(event, {lines[i][0][0][:1] for i in range(-len(shown), 0)}, width)


def _row(event: OomEvent, proc: Proc, text: str, killed: set[Identity], width: int) -> Line:
    what = f"{spoken(proc.who)}  " if proc.who else ""
    command = elide(safe(what + (proc.command or proc.name)), max(1, width - cells(text) - 3))
    if proc.identity in killed:
        return [("■ ", "crit"), (text, "crit"), (" " + command, "crit")]
    out = event.cause == "limit" and event.limit_cgroup is not None
    if out and not (proc.cgroup and at_or_below(proc.cgroup, event.limit_cgroup or "/")):
        return [("· ", "muted"), (text, "muted"), (" " + command, "muted")]
    return [("  ", ""), (text, ""), (" " + command, "")]


def _key(event: OomEvent, marks: set[str], width: int) -> list[Line]:
    """What those marks before the rows mean that are there."""
    words = []
    if "■" in marks:
        words.append("■ killed" + ("" if event.evidence in SURE else ", probably"))
    if "·" in marks:
        words.append(f"· not below {event.limit_cgroup}, so not in question")
    return _wrapped("   ".join(words), width, "muted") if words else []


def _record(event: OomEvent, width: int) -> list[Line]:
    if not event.record:
        return []
    lines = _section("the log's own record", width)
    for text in event.record.split("\n"):
        room, rest = max(8, width - 2), safe(text)
        while cells(rest) > room:
            start = clip(rest, room)
            lines.append([("  " + start, "muted")])
            rest = rest[len(start) :]
        lines.append([("  " + rest, "muted")])
    return lines
