"""The limit that everybody may set: RLIMIT_DATA or RLIMIT_AS, for each process by itself."""

from __future__ import annotations

import contextlib
import resource

from memtui.kernel import procfs, proctree
from memtui.model.limits import AS, COUNTED, DATA, KILL, Limits
from memtui.services.limiter import Evidence, Unavailable
from memtui.services.lineage import ByLineage
from memtui.services.peaks import Peaks
from memtui.units import size_long

_ROUNDS = 20  # of looking for processes that were born meanwhile

_RLIMITS = {
    DATA: ("RLIMIT_DATA", b"Max data size", "-d"),
    AS: ("RLIMIT_AS", b"Max address space", "-v"),
}


def unmet_by_rlimits(limits: Limits) -> list[str]:
    """Say what an rlimit has not."""
    asked = {
        "--high": limits.high is not None,
        "--swap": limits.swap > 0,
        "--oom-group": limits.oom_group,
        f"--on-limit {limits.on_limit}": limits.on_limit != KILL,
    }
    return [name for name, is_asked in asked.items() if is_asked]


class RlimitLimiter(ByLineage):
    """RLIMIT_DATA or RLIMIT_AS: for each process by itself, which is told ENOMEM, not killed."""

    per_process = True

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self._name, self._row, self._flag = _RLIMITS[method]
        self._counts = COUNTED[method]
        self.peak_of = f"largest process, {self._counts}, sampled: a lower bound"
        self._limit = 0

    @property
    def _which(self) -> int:
        return int(getattr(resource, self._name))

    def probe(self) -> Unavailable | None:
        """Return None: every process may lower its own limits."""
        return None

    def prepare(self, limits: Limits) -> None:
        """Check that no smaller hard limit stands: it could not be raised again."""
        hard = resource.getrlimit(self._which)[1]
        if hard != resource.RLIM_INFINITY and hard < limits.limit:
            reason = f"{self._name} is already limited to {size_long(hard)} here"
            raise Unavailable(reason, "ask for less")
        self._limit = limits.limit & ~1023  # what a shell can set, too
        self._leave = limits.leave
        self.unmet += unmet_by_rlimits(limits)

    def enter(self) -> None:
        """Set the soft limit on the calling process; its children inherit it.

        The hard one stays as it is, so that the limit of a running command can be raised.
        """
        resource.setrlimit(self._which, (self._limit, resource.getrlimit(self._which)[1]))

    def shell_enter(self) -> tuple[str, str]:
        """Return the ulimit command (in KiB)."""
        return f'ulimit -S {self._flag} "$1"', str(self._limit >> 10)

    def confirm(self, pid: int) -> int:
        """Return the soft limit in /proc/PID/limits."""
        got = procfs.read_limit(pid, self._row)
        if got is None or got > self._limit:
            raise Unavailable(f"{self._name} of process {pid} could not be read back")
        self._limit = got
        return got

    def change(self, pid: int, session: bool, limit: int) -> int:
        """Set the soft limit of each process; above the hard one that takes CAP_SYS_RESOURCE."""
        done: dict[int, tuple[int, int]] = {}
        try:
            for _ in range(_ROUNDS):  # one that is born meanwhile may have the old limit
                fresh = self.members(pid, session) - done.keys()
                for each in fresh:
                    if (before := self._set(each, limit)) is not None:
                        done[each] = before
                if not fresh:
                    break
        except PermissionError as e:
            for each, before in done.items():
                with contextlib.suppress(OSError):
                    resource.prlimit(each, self._which, before)
            hard = size_long(resource.prlimit(pid, self._which)[1])
            reason = f"{self._name} of a running command cannot be raised above {hard}"
            raise Unavailable(
                reason, "restart it with the new limit; CAP_SYS_RESOURCE would allow it"
            ) from e
        self._limit = limit & ~1023
        return self.confirm(pid)

    def _set(self, pid: int, limit: int) -> tuple[int, int] | None:
        """Set one process's soft limit; return its limits of before, None where it is gone."""
        try:
            soft, hard = resource.prlimit(pid, self._which)
            most = limit if resource.RLIM_INFINITY != hard < limit else hard
            resource.prlimit(pid, self._which, (limit & ~1023, most))
        except ProcessLookupError:
            return None
        return soft, hard

    def describe(self) -> str:
        """Name the limit, and that it is one for each process."""
        words = f"{self._name} {size_long(self._limit)}: {self._counts} of each process by itself"
        if self.method == AS:
            words += "; node, java, julia, Go and CUDA reserve much more of it than they use"
        return words

    def usage(self, pid: int, session: bool) -> int | None:
        """Return what the largest process has of what is limited: never more than `peak`."""
        sizes = filter(None, map(proctree.read_sizes, self.members(pid, session)))
        now = max((s.data if self.method == DATA else s.virt for s in sizes), default=None)
        self._most = max(self._most, now or 0)
        return now

    def weigh(self, pid: int, session: bool) -> int | None:
        """Return nothing: the kernel refuses what is too much."""
        return None

    def peak(self, peaks: Peaks) -> int | None:
        """Return the most that one process was seen to have of what is limited."""
        self._most = max(self._most, peaks.data if self.method == DATA else peaks.virt)
        return self._most or None

    def evidence(self, peaks: Peaks) -> Evidence:
        """Return how near one process came: an rlimit leaves no other trace."""
        return Evidence(nearest=self.peak(peaks) or 0)
