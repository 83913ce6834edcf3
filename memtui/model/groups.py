"""Processes added up: by user, by program, by cgroup; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from memtui.kernel.grouptree import GroupUse
from memtui.model.fields import counts
from memtui.model.filter import quoted
from memtui.model.snapshot import Identity, Proc
from memtui.model.tree import Twig, layout
from memtui.text import safe


class Sum(NamedTuple):
    """Numbers added up, and of how many the number is not known."""

    value: float = 0
    unknown: int = 0
    known: int = 0

    @property
    def told(self) -> float | None:
        """The sum of those known; None where none is."""
        return self.value if self.known or not self.unknown else None


class Group(NamedTuple):
    """Processes that have something in common, or one cgroup. Sizes are bytes."""

    key: str  # the user, the program's name, or the path of the cgroup
    filter: str  # shows its processes
    number: int  # processes
    rss: Sum
    pss: Sum = Sum()
    uss: Sum = Sum()
    swap: Sum = Sum()
    cpu: Sum = Sum()
    under: int | None = None  # RES of those under the limit that binds; None: nobody is
    use: GroupUse | None = None  # what the kernel says of a cgroup
    oom_kill: int | None = None  # of it and all below
    share: float | None = None  # per cent of its own limit
    kernel: Proc | None = None  # of a notebook
    idle: float | None = None  # seconds that its kernel has done nothing; None: busy, or not known


def _add(values: Sequence[float | None]) -> Sum:
    known = [v for v in values if v is not None]
    return Sum(sum(known), len(values) - len(known), len(known))


def _group(key: str, text: str, procs: Sequence[Proc], level: str | None = None) -> Group:
    under = [p.rss for p in procs if counts(p, level)]
    return Group(
        key,
        text,
        len(procs),
        _add([p.rss for p in procs]),
        _add([p.pss for p in procs]),
        _add([p.uss for p in procs]),
        _add([p.swap for p in procs]),
        _add([p.cpu_pct for p in procs]),
        sum(under) if under else None,
    )


def _by(
    procs: Sequence[Proc], level: str | None, field: str, key: Callable[[Proc], str]
) -> list[Group]:
    members: dict[str, list[Proc]] = {}
    for proc in procs:
        members.setdefault(key(proc), []).append(proc)
    return [_group(k, f"{field}={quoted(k)}", found, level) for k, found in members.items()]


def by_user(procs: Sequence[Proc], level: str | None = None) -> list[Group]:
    """Return a group for each user. `level`: the cgroup whose limit binds; None: the machine's."""
    return _by(procs, level, "user", attrgetter("user"))


def by_program(procs: Sequence[Proc], level: str | None = None) -> list[Group]:
    """Return a group for each program, told by the name the kernel has of it (comm)."""
    return _by(procs, level, "name", attrgetter("name"))


def by_notebook(procs: Sequence[Proc], now: float, level: str | None = None) -> list[Group]:
    """Return a group for each kernel: it and all below it. `now` is in seconds since the epoch."""
    members: dict[Identity, list[Proc]] = {}
    for proc in procs:
        if proc.who is not None and proc.who.root is not None:
            members.setdefault(proc.who.root, []).append(proc)
    found: dict[str, Group] = {}
    for root, family in members.items():
        kernel = next((p for p in family if p.identity == root), None)
        if kernel is None or kernel.who is None:
            continue
        name = kernel.who.notebook
        made = _group(name, f"notebook={quoted(name)}", family, level)
        since = kernel.who.activity.idle_since
        idle = None if since is None else max(0.0, now - since)
        key = f"{name} ({kernel.pid})" if name in found else name
        found[key] = made._replace(key=key, kernel=kernel, idle=idle)
    return list(found.values())


def idle_kernels(procs: Sequence[Proc], minutes: float, now: float) -> list[Proc]:
    """Return the kernels known to have done nothing for so long; `now` since the epoch."""
    found = []
    for proc in procs:
        if proc.who is not None and proc.who.is_kernel:
            since = proc.who.activity.idle_since
            if since is not None and now - since >= 60 * minutes:
                found.append(proc)
    return found


def by_cgroup(procs: Sequence[Proc], uses: Sequence[GroupUse]) -> list[Group]:
    """Return a group for each cgroup; what it counts are its processes and those below it."""
    members: dict[str, list[Proc]] = {use.path: [] for use in uses}
    above = _ancestors([use.path for use in uses])
    for proc in procs:
        path = proc.cgroup if proc.cgroup in members else None
        while path is not None:
            members[path].append(proc)
            path = above[path]
    kills = _kills_below(uses, above)
    groups = []
    for use in uses:
        limit, usage = use.limit, use.usage
        share = 100.0 * usage / limit if limit and usage is not None else None
        made = _group(use.path, f"in={quoted(safe(use.path))}", members[use.path])
        groups.append(made._replace(use=use, oom_kill=kills[use.path], share=share))
    return groups


def _ancestors(paths: Sequence[str]) -> dict[str, str | None]:
    """The nearest group above each, among those that are there."""
    there = set(paths)
    above: dict[str, str | None] = {}
    for path in paths:
        up: str | None = path
        while up is not None:
            up = None if up == "/" else up.rpartition("/")[0] or "/"
            if up in there:
                break
        above[path] = up
    return above


def _kills_below(uses: Sequence[GroupUse], above: dict[str, str | None]) -> dict[str, int | None]:
    """OOM kills of each group with those below: v1 counts them in the group itself alone."""
    sums: dict[str, int | None] = {use.path: use.oom_kill for use in uses}
    for use in uses:
        path = above[use.path]
        while use.local_count and use.oom_kill is not None and path is not None:
            sums[path] = (sums[path] or 0) + use.oom_kill
            path = above[path]
    return sums


class Measure(NamedTuple):
    """What groups are sorted by."""

    key: str
    descending: bool
    get: Callable[[Group], Any]


def _usage(group: Group) -> float | None:
    return group.use.usage if group.use else None


def _tabs(group: Group) -> int | None:
    who = group.kernel.who if group.kernel else None
    return who.activity.connections if who else None


MEASURES = {
    m.key: m
    for m in (
        Measure("name", False, attrgetter("key")),
        Measure("count", True, attrgetter("number")),
        Measure("rss", True, lambda g: g.rss.told),
        Measure("quota", True, attrgetter("under")),
        Measure("pss", True, lambda g: g.pss.told),
        Measure("uss", True, lambda g: g.uss.told),
        Measure("swap", True, lambda g: g.swap.told if g.use is None else g.use.swap),
        Measure("cpu", True, lambda g: g.cpu.told),
        Measure("idle", True, attrgetter("idle")),
        Measure("tabs", True, _tabs),
        Measure("usage", True, _usage),
        Measure("limit", False, lambda g: g.use.limit if g.use else None),
        Measure("share", True, attrgetter("share")),
        Measure("oom", True, attrgetter("oom_kill")),
        Measure("psi", True, lambda g: g.use.some_avg10 if g.use else None),
    )
}


def arrange_groups(
    groups: Sequence[Group], key: str, inverted: bool = False, folded: frozenset[str] = frozenset()
) -> tuple[list[Group], list[Twig] | None]:
    """Return the groups sorted; cgroups as a tree, sorted among siblings. Unknown comes last."""
    measure = MEASURES[key]
    known = [g for g in groups if measure.get(g) is not None]
    unknown = [g for g in groups if measure.get(g) is None]
    known.sort(key=measure.get, reverse=measure.descending != inverted)
    rows = known + unknown
    if not rows or rows[0].use is None:
        return rows, None
    above = _ancestors([g.key for g in rows])
    places = {g.key: i for i, g in enumerate(rows)}
    parents = [None if (up := above[g.key]) is None else places[up] for g in rows]
    order, twigs = layout(parents, {i for i, g in enumerate(rows) if g.key in folded})
    return [rows[i] for i in order], twigs
