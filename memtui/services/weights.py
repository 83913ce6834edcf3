"""What the OOM killer would weigh, read for as little as needed, and whom it would take.

With a thousand processes in the level that binds, a tick reads about a hundred oom_score_adj
(4 us each) and seven status files (15 us); all of it takes about 1 ms of CPU.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import compress
from operator import is_not

from memtui.kernel import oomscore
from memtui.kernel.errors import Gone, KernelError
from memtui.kernel.levels import Level, at_or_below
from memtui.kernel.roots import Roots
from memtui.model.badness import (
    Around,
    Doomed,
    Weight,
    has_memory,
    level_of,
    next_victim,
    sees_all,
    thousandth,
    total_of,
)
from memtui.model.snapshot import Identity, Proc, Quota

__all__ = ["Weigher", "Weight"]

_CONTENDERS = 24  # who might come first: their oom_score_adj is read each tick
_FEW = 12  # of these, who really may: they are weighed exactly
_NEAREST = 4  # of these, whose swap and page tables are read each tick
_TURNS = 8  # ticks in which those of all contenders are
_ADJ_TURNS = 16  # ticks in which everybody's oom_score_adj is read: others may write it
_ADJ_ALL = 96  # processes whose oom_score_adj is read each tick, where there are no more
_SWAP_TURNS = 64  # ticks in which everybody's swap is read, where there is any
_ANEW_TURNS = 8  # ticks in which contenders are chosen from all, not from those that changed
_AROUND_TURNS = 8  # ticks until switches and hidden members are looked at again
_NO_SHARE = 1 << 50  # bytes: of who cannot be ruled out


class _Inside(dict["str | None", bool]):
    """Whether a cgroup belongs to a level, each path decided once."""

    def __init__(self, level: Level | None) -> None:
        self.path = None if level is None else level.path

    def __missing__(self, cgroup: str | None) -> bool:
        # of unknown cgroup: it may be
        held = self.path is None or cgroup is None or at_or_below(cgroup, self.path)
        self[cgroup] = held
        return held


def _changed(before: Sequence[Proc], now: Sequence[Proc]) -> tuple[Sequence[Proc], set[Identity]]:
    """Return the records that are new, and the processes that lost theirs.

    Most records are the very objects of the tick before, in the same order.
    """
    pairs = list(compress(zip(before, now, strict=False), map(is_not, before, now)))
    if len(before) <= len(now) and all(a[:2] == b[:2] for a, b in pairs):
        return [*(b for _, b in pairs), *now[len(before) :]], set()
    old, new = {id(p): p for p in before}, {id(p): p for p in now}
    fresh = [new[i] for i in new.keys() - old.keys()]
    return fresh, {old[i][:2] for i in old.keys() - new.keys()}


class _Members:
    """Who is in the level that binds; only records that changed are looked at again."""

    def __init__(self, level: Level | None) -> None:
        self.there: dict[Identity, Proc] = {}
        self.headless: dict[Identity, Proc] = {}  # zombies whose other threads live on
        self._inside = _Inside(level)
        self._before: Sequence[Proc] = ()

    @property
    def path(self) -> str | None:
        """The level's cgroup; None: the whole machine."""
        return self._inside.path

    def turn(self, procs: Sequence[Proc]) -> tuple[list[Proc], list[Identity]]:
        """Take the processes of a tick; return records that are new, and who left."""
        before, self._before = self._before, procs
        fresh, lost = _changed(before, procs)
        moved, dead = [], []
        for p in fresh:
            if (p.virt or p.rss) and self._inside[p.cgroup]:
                lost.discard(p[:2])
                self.there[p[:2]] = p
                moved.append(p)
            else:
                lost.add(p[:2])
                dead.append(p)
        left = [i for i in lost if self.there.pop(i, None) is not None]
        for identity in lost:
            self.headless.pop(identity, None)
        for p in dead:
            if p.state == "Z" and p.threads > 1 and self._inside[p.cgroup]:
                self.headless[p[:2]] = p
        return moved, left


class Weigher:
    """Weighs the processes of the level that binds; for one thread."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._members = _Members(None)
        self._weights: dict[Identity, Weight] = {}
        self._comms: dict[Identity, bytes] = {}
        self._extra: dict[Identity, int] = {}  # bytes beside resident memory
        self._score: dict[Identity, int] = {}  # bytes in all: about its badness
        self._unsized: set[Identity] = set()  # whose swap is not known
        self._near: list[Identity] = []
        self._touched: set[Identity] = set()  # whose score changed since those were chosen
        self._anew = True
        self._around = Around()
        self._total: int | None = None
        self._turn = -1

    def weigh(self, procs: Sequence[Proc], quota: Quota) -> dict[Identity, Weight]:
        """Return the weights of the processes in the level that binds, as known now.

        Swap and page tables are read of those alone who might come first.
        """
        self._weigh(procs, quota)
        return dict(self._weights)

    def look(self, procs: Sequence[Proc], quota: Quota) -> tuple[dict[Identity, Weight], Doomed]:
        """Return the weights, and whom the OOM killer would take now."""
        nearest = self._weigh(procs, quota)
        if self._turn % _AROUND_TURNS == 0 or self._around.hidden:
            self._around = self._look_around(procs, quota)
        groups = self._group_kills({p.cgroup for p in nearest[:_NEAREST] if p.cgroup}, quota)
        around = self._around._replace(group_kills=groups)
        if groups or not around.whole:  # it is asked who else dies, or what all of them have
            nearest = [p for p in procs if has_memory(p)]
        nearest += self._members.headless.values()
        weights = dict(self._weights)
        return weights, next_victim(nearest, weights, quota, around)

    # -- each process

    def _weigh(self, procs: Sequence[Proc], quota: Quota) -> list[Proc]:
        """Read what is due; return who might come first, the worst first."""
        self._turn += 1
        self._anew = self._turn % _ANEW_TURNS == 0
        self._follow(quota)
        moved, left = self._members.turn(procs)
        for identity in left:
            self._forget(identity)
        due = self._due(moved)
        self._read_adj(due)
        for p in moved:
            identity = p[:2]
            if identity in self._weights:
                self._score[identity] = p.rss + self._extra[identity]
                self._touched.add(identity)
        contenders = self._contenders()
        self._read_adj([i for i in contenders if i not in due])
        self._read_sizes(self._uneven(contenders))
        self._read_sizes(self._swapped(quota))
        there = self._members.there
        return [there[i] for i in self._contenders()[:_FEW]]

    def reread(self, identities: Iterable[Identity]) -> None:
        """Read the oom_score_adj of these at once: it was written just now."""
        self._read_adj([i for i in identities if i in self._weights])

    def _follow(self, quota: Quota) -> None:
        """Take another level, or another limit of it, as what is shared out."""
        level = level_of(quota)
        if self._members.path != (level.path if level else None):
            self._members = _Members(level)
            for identity in list(self._weights):
                self._forget(identity)
            self._turn = 0
        total = total_of(quota, self._around.swap_counts)
        if total != self._total:
            self._total, self._anew = total, True
            for identity, weight in self._weights.items():
                self._put(identity, weight)

    def _due(self, moved: Sequence[Proc]) -> Collection[Identity]:
        """Whose oom_score_adj is to be read: the new, the renamed, and those whose turn it is."""
        there, known = self._members.there, self._comms
        due = set()
        for p in moved:
            identity = p[:2]
            if known.get(identity) != p.comm:
                known[identity] = p.comm
                due.add(identity)
        if len(there) <= _ADJ_ALL:
            return there
        due.update(list(there)[self._turn % _ADJ_TURNS :: _ADJ_TURNS])
        return due

    def _contenders(self) -> list[Identity]:
        """Who might come first, the worst first: of those that did and those that changed."""
        pool: Iterable[Identity] = self._score.keys() & {*self._near, *self._touched}
        if self._anew or len(self._near) < _FEW:
            pool, self._anew = self._score, False
        self._touched.clear()
        self._near = sorted(pool, key=self._score.__getitem__, reverse=True)[:_CONTENDERS]
        return self._near

    def _uneven(self, contenders: list[Identity]) -> set[Identity]:
        """Whose swap and page tables are to be read: the nearest, the new, and some in turn."""
        due = {i for i in contenders if i in self._unsized}
        return due.union(contenders[:_NEAREST], contenders[self._turn % _TURNS :: _TURNS])

    def _swapped(self, quota: Quota) -> set[Identity]:
        """Whose swap is to be read though it is not big: swapped out, it only looks so."""
        host = quota.host
        if not host.swap_total or host.swap_free == host.swap_total:
            return set()
        everybody = list(self._members.there)
        return self._unsized.union(everybody[self._turn % _SWAP_TURNS :: _SWAP_TURNS])

    def _read_adj(self, due: Iterable[Identity]) -> None:
        lost = []
        for identity in due:
            old = self._weights.get(identity)
            try:
                adj = oomscore.read_adj(self._roots, identity[0])
            except KernelError as e:
                if isinstance(e, Gone) and self._roots.live:
                    lost.append(identity)
                    continue
                adj = None
            if old is None or old.adj != adj:
                new = Weight(adj, None, None) if old is None else old._replace(adj=adj)
                self._put(identity, new)
        for identity in lost:
            self._forget(identity)

    def _read_sizes(self, due: Iterable[Identity]) -> None:
        for identity in due:
            old = self._weights.get(identity)
            if old is None:
                continue
            try:
                new = Weight(old.adj, *oomscore.read_sizes(self._roots, identity[0]))
            except KernelError as e:
                if isinstance(e, Gone) and self._roots.live:
                    self._forget(identity)
                    continue
                new = Weight(old.adj, None, None)
            if new != old:
                self._put(identity, new)

    def _put(self, identity: Identity, weight: Weight) -> None:
        self._weights[identity] = weight
        adj = weight.adj
        share = _NO_SHARE if adj is None else adj * thousandth(self._total or 0)
        self._extra[identity] = share + (weight.swap or 0) + (weight.page_tables or 0)
        self._score[identity] = self._members.there[identity].rss + self._extra[identity]
        self._touched.add(identity)
        (self._unsized.add if weight.swap is None else self._unsized.discard)(identity)

    def _forget(self, identity: Identity) -> None:
        for table in (self._weights, self._comms, self._extra, self._score):
            table.pop(identity, None)
        self._unsized.discard(identity)

    # -- what is around them

    def _look_around(self, procs: Sequence[Proc], quota: Quota) -> Around:
        level = level_of(quota)
        whole = sees_all(procs)
        hidden: int | None = 0
        if level is not None and not whole and self._roots.live:
            known = {p.pid for p in procs}
            hidden = oomscore.count_hidden(self._roots, self._roots.at(level.directory), known)
            if quota.version == 1:
                hidden = hidden or None  # v1 leaves out who is in another PID namespace
        v1 = None if level is None or quota.version != 1 else self._roots.at(level.directory)
        swappiness = oomscore.read_swappiness(self._roots, v1)
        return Around(
            whole=whole,
            hidden=hidden,
            swap_counts=swappiness != 0,
            instead=self._instead(level is None, v1),
        )

    def _instead(self, host: bool, v1: str | None) -> str:
        """What the kernel is told to do in place of killing the worst."""
        roots = self._roots
        if v1 is not None and oomscore.read_killer_off(v1):
            return "the OOM killer of the cgroup is switched off (memory.oom_control)"
        panic = oomscore.read_vm(roots, "panic_on_oom")
        if panic == 2 or (panic and host):
            return "the kernel is told to panic instead (vm.panic_on_oom)"
        if host and oomscore.read_vm(roots, "oom_kill_allocating_task"):
            return "the kernel is told to kill who asks for memory (vm.oom_kill_allocating_task)"
        return ""

    def _group_kills(self, cgroups: set[str], quota: Quota) -> frozenset[str]:
        """The cgroups that die as a whole, of those of `cgroups` and above."""
        if quota.version != 2 or not quota.levels:
            return frozenset()
        top = quota.levels[-1]
        paths: set[str] = set()
        for cgroup in cgroups:
            while cgroup not in paths and cgroup not in ("/", "") and at_or_below(cgroup, top.path):
                paths.add(cgroup)
                cgroup = cgroup.rpartition("/")[0]
        lead = self._roots.at(top.directory).rstrip("/")
        skip = len(top.path.rstrip("/"))
        return frozenset(p for p in paths if oomscore.read_group_kill(lead + p[skip:]))
