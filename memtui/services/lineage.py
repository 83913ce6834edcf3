"""The processes of a run that no cgroup holds together: found by descent, session and a mark."""

from __future__ import annotations

import itertools
import os
import time

from memtui.kernel import proctree
from memtui.kernel.procfs import read_kin
from memtui.kernel.subreaper import become_subreaper
from memtui.services import herding
from memtui.services.limiter import PATIENCE_S

MARKER = "MEMTUI_RUN_ID"
_MARKED_S = 1.0  # between two looks for marks: each reads every environment that it may

_serial = itertools.count()


class Lineage:
    """Who belongs to one run.

    In the foreground memtui runs nothing else, and orphans become its children: its descendants
    are the run's. A command in the background leads a session and carries a mark; who was seen
    once is remembered, wherever it goes.
    """

    def __init__(self) -> None:
        self._id = f"{os.getpid()}-{next(_serial)}-{time.time_ns()}"
        self._known: dict[int, int] = {}  # start times
        self._marked = 0.0  # when marks were looked for, in monotonic seconds
        self._ours = False
        self._strange: dict[int, int] = {}  # who was below us before, with start times

    def environment(self) -> dict[str, str]:
        """Return a mark: daemons leave the family and the session, but keep it."""
        return {MARKER: self._id}

    def gather(self) -> None:
        """Have orphans become our children: for a run in the foreground, before it begins.

        A shell that became us by `exec` leaves us children of its own: they are not the run's.
        """
        self._strange = _starts(proctree.read_descendants(os.getpid()))
        self._ours = become_subreaper()

    def members(self, pid: int, session: bool) -> set[int]:
        """Return the living processes of the run that `pid` began."""
        if session:
            return self._of_session(pid)
        above = os.getpid() if self._ours else pid
        found = proctree.read_descendants(above, apart=self._strangers())
        return {p for p in found if (k := read_kin(p)) and k.living}

    def _strangers(self) -> set[int]:
        """Return who is not the run's, those born to them meanwhile included."""
        known = {p for p, start in self._strange.items() if _is(p, start)}
        below = (proctree.read_descendants(p) for p in known)
        self._strange = _starts(known.union(*below))
        return set(self._strange)

    def _of_session(self, pid: int) -> set[int]:
        founders = {pid} | {p for p, start in self._known.items() if _is(p, start)}
        if time.monotonic() - self._marked > _MARKED_S:
            self._marked = time.monotonic()
            founders |= self._read_marked()
        family = proctree.read_family(founders, pid)
        self._known = {p: k.start for p, k in family.items()}
        return set(family)

    def _read_marked(self) -> set[int]:
        return set(proctree.read_marked(f"{MARKER}={self._id}".encode()))

    def remains(self, pid: int, session: bool) -> set[int]:
        """Return who is left once the command has ended."""
        self._marked = 0.0
        return self.members(pid, session) - {pid}

    def finish(self, pid: int, session: bool, leave: bool) -> int:
        """Give what is left a moment to end, then kill it unless it is to be left; count it."""
        left = herding.linger(lambda: self.remains(pid, session))
        if leave or not left:
            return len(left)
        return len(left | herding.kill(lambda: self.remains(pid, session)))


class ByLineage:
    """What the methods without a cgroup have in common; each adds how it limits (`Limiter`)."""

    cgroup = None

    def __init__(self) -> None:
        self._lineage = Lineage()
        self._leave = False
        self._most = 0  # bytes: the most that was seen
        self.unmet: list[str] = []
        self.mark: int | None = None

    def gather(self) -> None:
        """Have orphans become our children."""
        self._lineage.gather()

    def adopt(self, pid: int) -> None:
        """Do nothing: it entered by itself."""

    def environment(self) -> dict[str, str]:
        """Return the mark that tells who belongs to it."""
        return self._lineage.environment()

    def members(self, pid: int, session: bool) -> set[int]:
        """Return who belongs to it."""
        return self._lineage.members(pid, session)

    def tend(self) -> None:
        """Do nothing: no group dies together here."""

    def release(self) -> None:
        """Do nothing: there is no mark below the limit."""

    def finish(self, pid: int, session: bool) -> int:
        """Kill what is left, unless it is to be left; return how many that are."""
        return self._lineage.finish(pid, session, self._leave)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Do nothing: nothing was made."""


def _starts(pids: set[int]) -> dict[int, int]:
    return {p: kin.start for p in pids if (kin := read_kin(p))}


def _is(pid: int, start: int) -> bool:
    kin = read_kin(pid)
    return kin is not None and kin.start == start
