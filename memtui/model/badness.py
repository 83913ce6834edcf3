"""Who dies next: the kernel's own reckoning, done again. Pure; sizes are bytes.

`oom_badness` of mm/oom_kill.c as since Linux 5.9 (before, what came out below 1 counted as 1;
before 5.1 a child of the chosen process could die in its place). /proc/PID/oom_score is of no
use here: it is scaled to the whole machine, and too coarse for a quota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from memtui.kernel.levels import Level, at_or_below
from memtui.kernel.procfs import PAGE
from memtui.model.snapshot import Identity, Proc, Quota
from memtui.units import size

NEVER = -1000
"""The oom_score_adj of who is never killed (OOM_SCORE_ADJ_MIN)."""


class Weight(NamedTuple):
    """What of a process counts beside its resident memory; None is unknown."""

    adj: int | None  # /proc/PID/oom_score_adj, -1000 to 1000
    swap: int | None  # bytes, VmSwap of /proc/PID/status
    page_tables: int | None  # bytes, VmPTE


class Around(NamedTuple):
    """What is not of one process, but decides too."""

    whole: bool = True  # all processes of the machine are in the table
    hidden: int | None = 0  # members of the group that cannot be seen; None: that is not told
    group_kills: frozenset[str] = frozenset()  # cgroups that die as a whole (memory.oom.group)
    swap_counts: bool = True  # swappiness is not 0
    instead: str = ""  # what happens in place of a kill of the worst


class Doomed(NamedTuple):
    """Whom the OOM killer would take now; without an `identity`, why that is not known.

    A margin of some hundred KiB or less decides nothing where there are several CPUs: each
    holds back some of what it counts, and the OOM killer does not wait for the sum.
    """

    identity: Identity | None
    reason: str = ""  # a clause, where nobody is named
    badness: int | None = None  # bytes
    runner_up: Identity | None = None
    margin: int | None = None  # bytes by which its badness exceeds the runner-up's
    total: int | None = None  # bytes that oom_score_adj is a share of, in thousandths
    cgroup: str | None = None  # whose limit it is; None: the machine's memory
    group: str | None = None  # the cgroup that dies with it (memory.oom.group)
    others: tuple[Identity, ...] = ()  # who dies with it

    @property
    def all(self) -> tuple[Identity, ...]:
        """Everybody who would die."""
        return () if self.identity is None else (self.identity, *self.others)


def badness(rss: int, swap: int, page_tables: int, adj: int, total: int) -> int | None:
    """Return how bad the OOM killer finds a process, in bytes; None: it is never taken.

    The kernel counts whole pages, and rounds a thousandth of `total` down before it multiplies
    it by oom_score_adj; so the worst may well be below 0.
    """
    if adj == NEVER:
        return None
    pages = rss // PAGE + swap // PAGE + page_tables // PAGE
    return pages * PAGE + adj * thousandth(total)


def thousandth(total: int) -> int:
    """Return what one point of oom_score_adj weighs, in bytes: whole pages."""
    return total // PAGE // 1000 * PAGE


def weigh_in(proc: Proc, weight: Weight | None, total: int | None) -> int | None:
    """Return a process's badness in bytes; None where it is never taken, or unknown."""
    if weight is None or weight.adj is None or total is None or not has_memory(proc):
        return None
    return badness(proc.rss, weight.swap or 0, weight.page_tables or 0, weight.adj, total)


def has_memory(proc: Proc) -> bool:
    """Whether there is an address space to free: kernel threads and zombies have none."""
    return bool(proc.virt or proc.rss) and not proc.kernel_thread and proc.state not in "ZX"


def sees_all(procs: Iterable[Proc]) -> bool:
    """Whether the table holds every process of the machine.

    Kernel threads are seen in the first PID namespace alone, and, being root's, only where
    /proc hides nobody (hidepid).
    """
    return any(p.kernel_thread for p in procs)


# -- the level that runs out


def level_of(quota: Quota) -> Level | None:
    """Return the cgroup level whose limit binds; None where that is the machine's memory."""
    at = None if quota.binding is None else quota.binding.level
    return None if at is None else quota.levels[at]


def total_of(quota: Quota, swap_counts: bool = True) -> int | None:
    """Return what oom_score_adj is a share of: the limit that binds with the swap usable there.

    As `mem_cgroup_get_max` has it: swap.max (v1: memsw - limit) counts as far as there is swap.
    """
    binding, level = quota.binding, level_of(quota)
    if binding is None:
        return None
    swap = quota.host.swap_total or 0
    if level is None:
        return binding.bytes + swap
    if level.swap_limit is not None:
        swap = min(swap, level.swap_limit)
    return binding.bytes + (swap if swap_counts else 0)


def unknowable(quota: Quota, around: Around) -> str:
    """Return why nobody can be named whatever the processes are; "" where somebody may be."""
    level = level_of(quota)
    if quota.binding is None:
        return "no limit is known"
    if level is not None and level.limit != quota.binding.bytes:
        return "the limit is that of a cgroup which is not visible from here"
    if around.instead:
        return around.instead
    if level is None and not around.whole:
        return "the machine's memory would run out, and not all its processes are visible"
    if around.hidden:
        some = "a process" if around.hidden == 1 else f"{around.hidden} processes"
        return f"{some} of the cgroup cannot be seen from here"
    return ""


# -- the choice


class _Rank(NamedTuple):
    """Sorts as the kernel chooses: on a tie it takes whom it comes to last.

    It walks a cgroup before those below it, and in each whoever came first first.
    """

    badness: int
    depth: int
    start: int
    pid: int


def next_victim(
    procs: Sequence[Proc],
    weights: Mapping[Identity, Weight],
    quota: Quota,
    around: Around = Around(),  # noqa: B008 - immutable
) -> Doomed:
    """Return whom the OOM killer would take if the limit that binds were hit now.

    Only who has a weight is considered. Nobody is named where somebody unseen or unread could
    come first. `procs` may leave out who cannot.
    """
    total, level = total_of(quota, around.swap_counts), level_of(quota)
    path = level.path if level else None
    reason = unknowable(quota, around)
    if reason or total is None:
        return Doomed(None, reason, total=total, cgroup=path)
    inside = _inside(procs, path)
    ranked = _ranked(inside, weights, total, around, path)
    reason = _doubt(procs, inside, weights, quota, ranked, around)
    if reason or not ranked:
        reason = reason or "nobody there may be killed"
        return Doomed(None, reason, total=total, cgroup=path)
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    found = Doomed(
        first[1].identity,
        badness=first[0].badness,
        runner_up=second[1].identity if second else None,
        margin=first[0].badness - second[0].badness if second else None,
        total=total,
        cgroup=path,
    )
    return _with_group(found, first[1], inside, weights, around)


def _inside(procs: Sequence[Proc], path: str | None) -> list[Proc]:
    """Those of the level's subtree."""
    if path is None:
        return list(procs)
    return [p for p in procs if p.cgroup is not None and at_or_below(p.cgroup, path)]


def _ranked(
    inside: Sequence[Proc],
    weights: Mapping[Identity, Weight],
    total: int,
    around: Around,
    path: str | None,
) -> list[tuple[_Rank, Proc]]:
    """Who may die, the worst first."""
    waiting = {p.pid: p for p in inside if p.state == "D"}
    found = []
    for p in inside:
        bad = weigh_in(p, weights.get(p.identity), total)
        if bad is None or (p.pid == 1 and around.whole) or _in_vfork(p, waiting.get(p.ppid)):
            continue
        depth = 0 if path is None else (p.cgroup or "").count("/")
        found.append((_Rank(bad, depth, p.start, p.pid), p))
    found.sort(reverse=True)
    return found


def _in_vfork(proc: Proc, parent: Proc | None) -> bool:
    """Whether a process still lives in the memory of its parent, which waits: it is passed by."""
    return parent is not None and (proc.virt, proc.rss) == (parent.virt, parent.rss)


def _doubt(
    procs: Sequence[Proc],
    inside: Sequence[Proc],
    weights: Mapping[Identity, Weight],
    quota: Quota,
    ranked: Sequence[tuple[_Rank, Proc]],
    around: Around,
) -> str:
    """Why the worst that is known need not be the worst; "" where it is."""
    worst, total = ranked[0][0].badness if ranked else 0, total_of(quota, around.swap_counts)
    for p in inside:
        if p.state == "Z" and p.threads > 1:
            return f"{p.name} {p.pid} hides its memory: its first thread has ended"
        weight = weights.get(p.identity)
        if weight is not None and weight.adj is None and has_memory(p):
            return f"oom_score_adj of {p.name} {p.pid} cannot be read"
        if weight is not None and weight.swap is None and _swaps(quota):
            return f"the swap of {p.name} {p.pid} is not known"
    if level_of(quota) is not None:
        lost = [p for p in procs if p.cgroup is None and has_memory(p)]
        lost = [p for p in lost if (weigh_in(p, weights.get(p.identity), total) or worst) >= worst]
        if lost:
            return f"the cgroup of {lost[0].name} {lost[0].pid} is not known yet"
    if around.hidden is None and _unseen(inside, quota) > worst:
        return "most of the memory belongs to processes that are not visible from here"
    return ""


def _swaps(quota: Quota) -> bool:
    """Whether anything is, or may be, swapped out on this machine."""
    host = quota.host
    return host.swap_total is None or (bool(host.swap_total) and host.swap_free != host.swap_total)


def _unseen(inside: Sequence[Proc], quota: Quota) -> int:
    """Bytes of anonymous memory of the level that no visible process explains."""
    level = level_of(quota)
    anon = None if level is None else level.parts.anon
    return 0 if anon is None else anon - sum(p.rss - p.shr for p in inside)


def _with_group(
    found: Doomed,
    victim: Proc,
    inside: Sequence[Proc],
    weights: Mapping[Identity, Weight],
    around: Around,
) -> Doomed:
    """Add who dies with the victim: all below the highest cgroup that dies as a whole."""
    own = victim.cgroup or "/.."
    above = [g for g in around.group_kills if at_or_below(own, g)]
    groups = [g for g in above if found.cgroup is None or at_or_below(g, found.cgroup)]
    if not groups:
        return found
    group = min(groups, key=len)
    others = [
        p.identity
        for p in _inside(inside, group)
        if p is not victim and has_memory(p) and not (p.pid == 1 and around.whole)
    ]
    spared = {i for i in others if (w := weights.get(i)) is not None and w.adj == NEVER}
    return found._replace(group=group, others=tuple(i for i in others if i not in spared))


# -- in words


def _named(identity: Identity, procs: Sequence[Proc]) -> str:
    proc = next((p for p in procs if p.identity == identity), None)
    return str(identity[0]) if proc is None else f"{proc.name} {proc.pid} (RES {size(proc.rss)})"


def describe(doomed: Doomed, procs: Sequence[Proc]) -> str:
    """Return in words who would die, and how sure that is: `R 77 (RES 58.3M), ...`."""
    if doomed.identity is None:
        return f"not known: {doomed.reason}"
    words = _named(doomed.identity, procs)
    if doomed.runner_up is not None and doomed.margin is not None:
        words += f"; {size(doomed.margin)} worse than {_named(doomed.runner_up, procs)}"
    if doomed.group is not None:
        words += f"; {len(doomed.others)} more die with it (memory.oom.group)"
    return words
