"""What only some columns show, read and reckoned for those alone, under a budget of CPU time.

smaps_rollup costs 30 us for a small process and about 10 ms per GiB of resident memory, status
15 to 60 us. So a tick spends at most 2 % of the delay on them, and what it spends beyond that,
because one file was that dear, the next ticks save. First comes who was never read, then who
moved since, the visible ones and the biggest before the others; who did not run and whose
numbers stand is never read again, unless it was born with or lost kin: then pages that they
shared are its own.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from memtui.kernel import oomscore, procfs
from memtui.kernel.errors import Denied, KernelError
from memtui.kernel.grouplimit import read_limit
from memtui.kernel.levels import at_or_below
from memtui.kernel.roots import Roots
from memtui.model.badness import Weight, total_of, weigh_in
from memtui.model.growth import Growth
from memtui.model.kinship import trees
from memtui.model.snapshot import (
    ADJ,
    BADNESS,
    GROWTH,
    LIMIT,
    NO_LIMIT,
    ROLLUP,
    STATUS,
    TREE,
    Identity,
    Proc,
    Quota,
)
from memtui.text import safe

_READ = ROLLUP | STATUS | ADJ | LIMIT
_FIELDS = {
    ROLLUP: ("pss", "pss_anon", "uss", "swap", "unread"),
    STATUS: ("anon", "shmem", "peak"),
    ADJ: ("adj",),
    LIMIT: ("limit",),
    GROWTH: ("growth",),
    TREE: ("tree", "tree_whole"),
    BADNESS: ("badness",),
}
_EMPTY = {"unread": "", "tree_whole": False}
_SHARE = 0.02  # of the delay, at most, in CPU seconds
_LEAST_S = 0.005
_AT_FIRST = 5  # budgets to begin with: who opens a column waits for it
_PATIENCE = 4  # seconds that may pass for each second of CPU
_TURNS = 32  # ticks in which everybody's ADJ and LIMIT are read again: others may write them
_FAMILY = 64  # brothers and sisters who are looked at again when one of them ends
_ROLLUP_FIELDS = ("pss", "pss_anon", "uss", "swap")
_STATUS_LINES = (("anon", "RssAnon"), ("shmem", "RssShmem"), ("peak", "VmHWM"))
NEEDS = "needs the same user, and that the process may be dumped; or CAP_SYS_PTRACE"

Table = dict[str, Proc]
"""The processes by PID as text, as `sampler.Processes` keeps them."""


class Depth:
    """Fills the dear fields of processes; for one thread."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._on = 0
        self._due: dict[str, int] = {}  # bits to be read
        self._read: dict[str, int] = {}  # the turn of the last reading
        self._turn = 0
        self._credit = 0.0
        self._at = 0.0
        self._growth = Growth()
        self._limits: dict[str | None, tuple[int, int | None]] = {}  # by cgroup: turn, bytes
        self._kin: dict[str, int] = {}  # parents, to know whose kin is gone
        self._quota: Quota | None = None
        self._weighed: dict[str, tuple[Proc, Weight | None, int | None]] = {}  # as last reckoned

    def fill(
        self,
        table: Table,
        moved: Collection[str],
        gone: Collection[str],
        wanted: int,
        visible: Collection[Identity],
        quota: Quota,
        weights: Mapping[Identity, Weight],
        delay_s: float,
    ) -> None:
        """Bring the fields of the `wanted` groups up to date in `table`.

        `moved` names who ran or changed since the last call, `gone` who ended. What cannot be
        read is None, and `unread` says why.
        """
        self._turn += 1
        self._quota = quota
        now = time.monotonic()
        budget = max(_SHARE * delay_s, _LEAST_S)
        share = min(1.0, (now - self._at) / delay_s)  # it is looked more often when room is short
        self._at = now
        self._switch(table, wanted, budget)
        if wanted & _READ:
            self._follow(table, moved, gone)
            self._spend(table, set(visible), share * budget)
            self._mark(table)
        self._reckon(table, wanted, total_of(quota), weights, now)

    def reread(self, identities: Iterable[Identity]) -> None:
        """Read the oom_score_adj of these with the next turn: it was written just now."""
        for identity in identities if self._on & ADJ else ():
            self._due[str(identity[0])] = self._due.get(str(identity[0]), 0) | ADJ

    def fill_all(
        self, procs: Iterable[Proc], wanted: int, quota: Quota, weights: Mapping[Identity, Weight]
    ) -> list[Proc]:
        """Return the processes with the `wanted` groups, whatever that costs; growth is unknown."""
        table = {str(p.pid): p for p in procs}
        self._quota = quota
        self._switch(table, wanted, math.inf)
        self._spend(table, set(), math.inf)
        self._reckon(table, wanted & ~GROWTH, total_of(quota), weights, 0.0)
        return list(table.values())

    def _reckon(
        self,
        table: Table,
        wanted: int,
        total: int | None,
        weights: Mapping[Identity, Weight],
        now: float,
    ) -> None:
        """Bring up to date what is not read, but follows from what was."""
        if wanted & BADNESS:
            self._weigh(table, weights, total)
        if wanted & GROWTH:
            for name, value in self._growth.turn(table, now):
                table[name] = table[name]._replace(growth=value)
        if wanted & TREE:
            for name, tree, whole in trees(table):
                table[name] = table[name]._replace(tree=tree, tree_whole=whole)

    # -- what is due

    def _switch(self, table: Table, wanted: int, budget: float) -> None:
        """Begin with columns that are new, and forget those that are shown no more."""
        new, old = wanted & ~self._on, self._on & ~wanted
        self._on = wanted
        for bit in (b for b in _FIELDS if b & old):
            empty: dict[str, Any] = {f: _EMPTY.get(f) for f in _FIELDS[bit]}
            for name, proc in table.items():
                table[name] = proc._replace(**empty, stale=proc.stale & ~bit)
        if old & GROWTH:
            self._growth = Growth()
        if old & BADNESS:
            self._weighed = {}
        if old & _READ:
            left = wanted & _READ
            self._due = {n: b & left for n, b in self._due.items() if b & left}
            self._read = self._read if left else {}
        if new & _READ:
            for name in table:
                self._due[name] = self._due.get(name, 0) | (new & _READ)
            self._credit = _AT_FIRST * budget
            self._kin = {}

    def _follow(self, table: Table, moved: Collection[str], gone: Collection[str]) -> None:
        """Note who has to be read: the new, those that moved, and the kin of who came or went."""
        on, due = self._on, self._due
        families = {self._kin.pop(name, 0) for name in gone}
        for name in gone:
            due.pop(name, None)
            self._read.pop(name, None)
        for name in moved:
            proc = table.get(name)
            if proc is None:
                continue
            due[name] = due.get(name, 0) | (on & (ROLLUP | STATUS))
            if name not in self._read or (on & ADJ and proc.adj is None):
                due[name] |= on & _READ
                families.add(proc.ppid)
            elif not proc.virt:  # a zombie: its memory is gone already
                families.add(self._kin.pop(name, 0))
        if on & ROLLUP:
            self._add_kin(table, families - {0, 1})
        if on & (ADJ | LIMIT):
            self._take_turns(table)

    def _add_kin(self, table: Table, parents: set[int]) -> None:
        """Of whose family somebody came or went, what was shared may be its own now."""
        if not parents:
            return
        families: dict[int, list[str]] = {}
        for name, proc in table.items():
            if proc.ppid in parents:
                families.setdefault(proc.ppid, []).append(name)
            if proc.pid in parents:
                self._due[name] = self._due.get(name, 0) | ROLLUP
        for family in families.values():
            for name in family if len(family) <= _FAMILY else ():
                self._due[name] = self._due.get(name, 0) | ROLLUP

    def _take_turns(self, table: Table) -> None:
        bits = self._on & (ADJ | LIMIT)
        for name in list(table)[self._turn % _TURNS :: _TURNS]:
            self._due[name] = self._due.get(name, 0) | bits
        if bits & LIMIT:  # its cgroup was found meanwhile
            for name, proc in table.items():
                if proc.limit is None and proc.cgroup is not None:
                    self._due[name] = self._due.get(name, 0) | LIMIT

    # -- reading

    def _spend(self, table: Table, visible: set[Identity], budget: float) -> None:
        """Read what is due, the most wanted first, until `budget` seconds are spent."""
        credit = self._credit + budget if self._credit < 0 else max(self._credit, budget)
        cpu, wall, spent = time.thread_time(), time.monotonic(), 0.0

        def rank(name: str) -> tuple[bool, bool, int, int]:
            proc, last = table[name], self._read.get(name)
            return last is not None, proc[:2] not in visible, last or 0, -proc.rss

        for name in sorted((n for n in self._due if n in table), key=rank):
            if spent >= credit:
                break
            table[name] = self._one(name, table[name], self._due.pop(name))
            self._read[name] = self._turn
            if table[name].virt:
                self._kin[name] = table[name].ppid
            # a reader may sleep long for the lock of a busy address space
            spent = max(time.thread_time() - cpu, (time.monotonic() - wall) / _PATIENCE)
        self._credit = min(0.0, credit - spent)

    def _mark(self, table: Table) -> None:
        """Mark what was read before it last changed."""
        for name, bits in self._due.items():
            proc = table.get(name)
            stale = bits & (ROLLUP | STATUS)
            if proc is not None and name in self._read and proc.stale != stale:
                table[name] = proc._replace(stale=stale)

    def _one(self, name: str, proc: Proc, bits: int) -> Proc:
        """Return a process with these groups read."""
        new: dict[str, Any] = {"stale": proc.stale & ~bits}
        if bits & ROLLUP:
            new |= read_rollup(self._roots, proc)
        if bits & STATUS:
            new |= read_status(self._roots, proc)
        if bits & ADJ:
            new["adj"] = procfs.read_oom_score_adj(self._roots, name)
        if bits & LIMIT:
            new["limit"] = self._limit(name, proc)
        return proc._replace(**new)

    def _limit(self, name: str, proc: Proc) -> int | None:
        """The tightest limit; NO_LIMIT where there is none, None where that is not known."""
        if proc.kernel_thread:
            return NO_LIMIT
        try:
            own = procfs.read_memory_rlimit(self._roots, name)
        except KernelError:
            return None
        visible = self._visible(proc.cgroup)
        group = self._group_limit(proc.cgroup) if visible and proc.cgroup else None
        known = [n for n in (own, group) if n is not None]
        return min(known) if known else NO_LIMIT if visible else None

    def _visible(self, cgroup: str | None) -> bool:
        levels = self._quota.levels if self._quota else ()
        return bool(levels) and cgroup is not None and at_or_below(cgroup, levels[-1].path)

    def _group_limit(self, cgroup: str) -> int | None:
        """The smallest limit from `cgroup` up to the highest level that is visible."""
        turn, limit = self._limits.get(cgroup, (-_TURNS, None))
        quota = self._quota
        if self._turn - turn < _TURNS or quota is None or quota.version is None:
            return limit
        top = quota.levels[-1]
        rest = cgroup[len(top.path.rstrip("/")) :]
        limit = read_limit(self._roots.at(top.directory).rstrip("/") + rest, quota.version)
        above = cgroup.rpartition("/")[0] or "/"
        if rest.strip("/") and (higher := self._group_limit(above)) is not None:
            limit = higher if limit is None else min(limit, higher)
        self._limits[cgroup] = self._turn, limit
        return limit

    def _weigh(self, table: Table, weights: Mapping[Identity, Weight], total: int | None) -> None:
        known, self._weighed = self._weighed, {}
        for name, proc in table.items():
            weight = weights.get(proc[:2])
            was = known.get(name)
            if was is None or was[0] is not proc or was[1] is not weight or was[2] != total:
                badness = weigh_in(proc, weight, total)
                if badness != proc.badness:
                    proc = table[name] = proc._replace(badness=badness)
                was = proc, weight, total
            self._weighed[name] = was


def read_rollup(roots: Roots, proc: Proc) -> dict[str, Any]:
    """Return the fields that smaps_rollup tells; where it is denied, swap alone, and the reason."""
    if not proc.virt:  # no address space: kernel threads and zombies
        return {"pss": 0, "pss_anon": 0, "uss": 0, "swap": 0, "unread": ""}
    try:
        told = procfs.read_rollup(roots, proc.pid)
        return {**{k: getattr(told, k) for k in _ROLLUP_FIELDS}, "unread": ""}
    except KernelError as e:
        why = f"PSS and USS: {safe(str(e))}" + (f" ({NEEDS})" if isinstance(e, Denied) else "")
    swap = None
    with contextlib.suppress(KernelError):
        swap = oomscore.read_sizes(roots, proc.pid)[0]
    return {"pss": None, "pss_anon": None, "uss": None, "swap": swap, "unread": why}


def read_status(roots: Roots, proc: Proc) -> dict[str, Any]:
    """Return the fields that `status` tells."""
    if not proc.virt:
        return {"anon": 0, "shmem": 0, "peak": 0}
    try:
        told = procfs.read_status_sizes(roots, proc.pid)
    except KernelError:
        told = {}
    return {k: told.get(f) for k, f in _STATUS_LINES}
