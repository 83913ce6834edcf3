"""Which kernel a process belongs to, and what a kernel's family does; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from memtui.model.known import Activity, Identity
from memtui.model.snapshot import Proc

_WINDOW_S = 10.0  # over which CPU time is added up
_QUIET = 0.01  # of one CPU: less is idle
_BUSY = 0.2  # of one CPU between two looks: so much is busy at once


def families(table: Mapping[str, Proc], files: Mapping[str, str]) -> dict[str, str]:
    """Return the kernel of each process that belongs to one; both by PID as text.

    `files` are the connection files of those whose command line names one: kernels, what forked
    from them (the same command line), and programs around them (another one): those are none.
    """
    children: dict[int, list[str]] = {}
    for name, proc in table.items():
        children.setdefault(proc[2], []).append(name)
    found: dict[str, str] = {}
    for top in _tops(table, files):
        stack, seen = [top], set()
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            found[name] = top
            kin = children.get(table[name][0], ())
            stack += [n for n in kin if n not in files or files[n] == files[top]]
    return found


def _tops(table: Mapping[str, Proc], files: Mapping[str, str]) -> list[str]:
    """The kernels themselves."""
    forks, around = set(), set()
    for name, file in files.items():
        above = str(table[name].ppid)
        steps = 0
        while above in table and above != name and steps < len(table):
            if files.get(above) == file:
                if table[above].argv == table[name].argv:
                    forks.add(name)
                else:
                    around.add(above)
                break
            above = str(table[above].ppid)
            steps += 1
    return [name for name in files if name not in forks and name not in around]


class _Clock(NamedTuple):
    """What is remembered of one family's CPU time."""

    since: float  # seconds since the epoch: of the window
    cpu: float  # CPU seconds at its beginning
    last: float  # of the last look
    last_cpu: float
    busy_at: float | None  # when it was last seen busy
    first: float  # when it was first looked at
    busy: bool | None  # None until a window has passed


class Clocks:
    """Tells by CPU time which families are busy, and since when they are not."""

    def __init__(self) -> None:
        self._clocks: dict[Identity, _Clock] = {}

    def look(self, root: Identity, procs: Iterable[Proc], now: float) -> Activity:
        """Return what a family does; `now` is in seconds since the epoch."""
        cpu = sum(p.cpu_time for p in procs)
        c = self._clocks.get(root)
        if c is None:
            c = _Clock(now, cpu, now, cpu, None, now, None)
        if cpu < c.last_cpu:  # a child ended
            c = c._replace(since=now, cpu=cpu)
        elif cpu - c.last_cpu >= _BUSY * max(now - c.last, 0.1) and now > c.last:
            c = c._replace(since=now, cpu=cpu, busy_at=now, busy=True)
        elif now - c.since >= _WINDOW_S:
            busy = cpu - c.cpu >= _QUIET * (now - c.since)
            c = c._replace(since=now, cpu=cpu, busy=busy, busy_at=now if busy else c.busy_at)
        self._clocks[root] = c = c._replace(last=now, last_cpu=cpu)
        if c.busy is None:
            return Activity()
        if c.busy:
            return Activity(True, evidence="CPU time")
        return Activity(False, c.busy_at or c.first, c.busy_at is None, evidence="CPU time")

    def forget(self, living: Iterable[Identity]) -> None:
        """Forget all but those."""
        keep = set(living)
        self._clocks = {k: v for k, v in self._clocks.items() if k in keep}


class Comebacks:
    """Sees a kernel come back: another process with the connection file of one that is gone."""

    def __init__(self) -> None:
        self._last: dict[str, Identity] = {}  # by file
        self._times: dict[str, tuple[float, ...]] = {}

    def look(self, kernels: Mapping[str, Identity], now: float) -> None:
        """Take the kernels that there are, by connection file; `now` since the epoch."""
        for file, identity in kernels.items():
            before = self._last.get(file)
            if before is not None and before != identity:
                self._times[file] = (*self._times.get(file, ()), now)[-16:]
            self._last[file] = identity
        if len(self._last) > 512:
            self._last = {f: i for f, i in self._last.items() if f in kernels}
            self._times = {f: t for f, t in self._times.items() if f in kernels}

    def of(self, file: str) -> tuple[float, ...]:
        """Return when the kernel with that file came back."""
        return self._times.get(file, ())
