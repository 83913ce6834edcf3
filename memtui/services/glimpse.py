"""Who is in a cgroup at this very moment: for processes too short-lived for a sample."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Mapping

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.oomcount import children, read_members
from memtui.kernel.procscan import read_once
from memtui.kernel.roots import Roots
from memtui.model.snapshot import Proc
from memtui.services.identify import Identify

_GROUPS = 32
_PIDS = 128  # looked at in one glimpse: the kill is milliseconds away


class Glimpse:
    """Reads the members of a group that are not known yet; about 0.1 ms each."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._identify = Identify(roots)

    def look(self, path: str, directory: str, known: Mapping[int, str | None]) -> list[Proc]:
        """Return the processes in the group and below that are not `known` there: cgroup by PID."""
        found: list[Proc] = []
        queue, seen = deque([(path, directory)]), 0
        while queue and seen < _GROUPS and len(found) < _PIDS:
            path, directory = queue.popleft()
            seen += 1
            for pid in read_members(directory)[: _PIDS - len(found)]:
                if known.get(pid, "") != path:
                    found += self._read(pid, path)
            queue.extend((p, d) for p, d, _ in children(path, directory))
        return found

    def sizes(self, procs: Iterable[Proc]) -> list[Proc]:
        """Return those that still have memory, with what is resident now; 20 us each."""
        found = []
        for proc in procs:
            with contextlib.suppress(KernelError):
                rss = procfs.read_statm(self._roots, proc.pid).rss
                found += [proc._replace(rss=rss)] if rss else []
        return found

    def _read(self, pid: int, path: str) -> list[Proc]:
        with contextlib.suppress(KernelError):
            name = str(pid)
            proc = self._identify.proc(name, read_once(self._roots, name), None)
            return [proc._replace(cgroup=path)] if proc.rss else []  # else it is ending already
        return []
