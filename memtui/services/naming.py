"""Keeps `Proc.who` up to date in the sampler's thread: only who is new is classified.

What costs more (files, environments, servers) comes from `notebooks`, whose thread is not waited
for. Without kernels a tick costs one look at an empty table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from memtui.kernel import procfs
from memtui.kernel.roots import Roots
from memtui.model.classify import SHELLS, Seen, classify, split
from memtui.model.families import Clocks, Comebacks, families
from memtui.model.known import CHILD, SPARE, WORKERS, Identity, Known
from memtui.model.notebooks import Told, activity_of, describe, spares
from memtui.model.snapshot import Proc
from memtui.services.notebooks import Asked, Finder, Notebooks, read_terminal
from memtui.text import elide

Table = dict[str, Proc]
Found = Mapping[Identity, Told]


def kind_of(roots: Roots, proc: Proc, parent: Proc | None) -> Known | None:
    """Return who a process is by its command line; shells by their terminal, too."""
    if proc.kernel_thread or not proc.argv:
        return None
    argv = split(proc.argv)
    seen = Seen(argv, proc.comm, parent=parent.argv if parent else b"")
    if proc.name in SHELLS:
        tty, env = read_terminal(roots, proc.pid)
        seen = seen._replace(tty=tty, env=env)
    known = classify(seen)
    if known is not None and known.kind in WORKERS and parent is not None:
        known = known._replace(parent=f"{elide(parent.name, 24)} {parent.pid}")
    return known


class Namer:
    """Names the processes of a table that is kept from tick to tick."""

    def __init__(self, roots: Roots, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called, on another thread, when more was found out."""
        self._roots = roots
        self.notebooks = Notebooks(roots, changed)
        self._base: dict[str, Known] = {}  # by command line alone
        self._files: dict[str, str] = {}  # connection files of those that name one
        self._members: dict[str, str] = {}
        self._clocks = Clocks()
        self._comebacks = Comebacks()

    def close(self) -> None:
        """End what runs beside."""
        self.notebooks.close()

    def look(self, table: Table, fresh: Iterable[str], gone: Iterable[str], now: float) -> None:
        """Bring `who` of the table up to date; `fresh` were identified anew since the last look.

        `now` is in seconds since the epoch.
        """
        changed = self._forget(gone)
        for name in fresh:
            if name in table:
                changed |= self._classify(table, name)
        if changed or self._members:
            self._name_families(table, changed, self.notebooks.found, now)

    def once(self, table: Table, now: float) -> None:
        """Name a table that is looked at only once; waits for what has to be found out."""
        for name in list(table):
            self._classify(table, name)
        if self._files:
            self._members = families(table, self._files)
            found = Finder(self._roots).look(self._asked(table))
            self._name_families(table, False, found, now)

    # -- by command line

    def _forget(self, gone: Iterable[str]) -> bool:
        changed = False
        for name in gone:
            self._base.pop(name, None)
            self._files.pop(name, None)
            changed |= name in self._members
        return changed

    def _classify(self, table: Table, name: str) -> bool:
        """Classify one; whether that may change a family."""
        proc = table[name]
        known = kind_of(self._roots, proc, table.get(str(proc.ppid)))
        before = self._files.pop(name, None)
        if known is None:
            self._base.pop(name, None)
        else:
            self._base[name] = known
            if known.file:
                self._files[name] = known.file
        if known != proc.who and name not in self._members:
            table[name] = proc._replace(who=known)
        return bool(self._files) or before is not None

    # -- kernels

    def _asked(self, table: Table) -> list[Asked]:
        tops = [table[n] for n in self._files if self._members.get(n) == n]
        return [Asked(p.identity, p.ppid, p.uid, self._files[str(p.pid)]) for p in tops]

    def _name_families(self, table: Table, changed: bool, found: Found, now: float) -> None:
        if changed:
            before, self._members = self._members, families(table, self._files)
            for name in before.keys() - self._members.keys():
                if name in table:
                    table[name] = table[name]._replace(who=self._base.get(name))
            self.notebooks.ask(self._asked(table))
        kin: dict[str, list[str]] = {}
        for name, top in self._members.items():
            kin.setdefault(top, []).append(name)
        tops = {self._files[top]: table[top].identity for top in kin}
        self._comebacks.look(tops, now)
        self._clocks.forget(tops.values())
        spare = self._spares(table, kin, found)
        for top, names in kin.items():
            known = self._kernel(table, top, names, found, now)
            if top in spare:
                known = known._replace(kind=SPARE, label="spare kernel", evidence=_SPARE)
            self._give(table, top, names, known)

    def _spares(self, table: Table, tops: Iterable[str], found: Found) -> set[str]:
        procs = [table[t] for t in tops]
        told = {str(p.pid): (found[p.identity], p.cpu_time, p.start) for p in procs
                if p.identity in found}  # fmt: skip
        return spares(told)

    def _kernel(self, table: Table, top: str, names: list[str], found: Found, now: float) -> Known:
        base, proc = self._base[top], table[top]
        told = found.get(proc.identity, Told())
        known = describe(base, told)
        by_cpu = self._clocks.look(proc.identity, [table[n] for n in names], now)
        restarts = self._comebacks.of(self._files[top])
        born = now - time.clock_gettime(time.CLOCK_BOOTTIME) + proc.start / procfs.TICKS_PER_S
        activity = activity_of(told, by_cpu, born)._replace(restarts=restarts)
        notebook = known.path or f"{known.label} {proc.pid}"
        return known._replace(root=proc.identity, notebook=notebook, activity=activity)

    def _give(self, table: Table, top: str, names: list[str], known: Known) -> None:
        for name in names:
            who = known if name == top else self._child(name, known)
            if table[name].who != who:
                table[name] = table[name]._replace(who=who)

    def _child(self, name: str, kernel: Known) -> Known:
        base = self._base.get(name)
        if base is None or name in self._files:
            base = Known(CHILD, kernel.label, "below its kernel in the process tree")
        return base._replace(root=kernel.root, notebook=kernel.notebook)


_SPARE = "the newest CoCalc kernel without a notebook, in HOME, that did nothing yet"
