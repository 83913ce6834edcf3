"""The best limit: a memory cgroup of the command's own."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Sequence

from memtui.kernel import cgroupleaf, cgroupmake, cgroupset, cgroupsweep
from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import read_kin
from memtui.model.limits import CGROUP, STOP, TERM, THROTTLE, Limits
from memtui.services import herding
from memtui.services.limiter import PATIENCE_S, Evidence, Unavailable
from memtui.services.managers import is_there
from memtui.services.peaks import Peaks
from memtui.text import safe
from memtui.units import size, size_long

PREFIX = "memtui-run-"
"""How the names of our groups begin; the number of their maker follows."""
LIMITED = "memtui-limit-"
"""How those begin that a process was moved into; its number and start time follow."""

_serial = itertools.count()


def next_name() -> str:
    """Return a name for a group of ours that no other run of this process has."""
    return f"{PREFIX}{os.getpid()}-{next(_serial)}{cgroupsweep.namespace()}"


def sweep(places: Sequence[str]) -> None:
    """Remove what is left there of makers, and of processes, that have ended. Never raises."""
    for base in places:
        with contextlib.suppress(OSError):
            cgroupsweep.sweep(base, PREFIX)
            cgroupsweep.sweep_ended(base, LIMITED)


def mark_below(limits: Limits) -> int:
    """Return where to act so that something is left to end in: a sixteenth below the limit."""
    return limits.limit - min(limits.limit // 4, max(limits.limit // 16, 4 << 20))


def wanted(version: int, limits: Limits) -> cgroupset.Wanted:
    """Return what to write: v2 slows down from the mark on, the more the further it goes.

    So memtui sees the mark passed in time. On v1 who meets the limit waits, for the same reason.
    """
    early, high = limits.on_limit in (TERM, STOP), limits.high
    if early:
        mark = mark_below(limits)
        high = mark if high is None else min(high, mark)
    v2 = version == 2
    return cgroupset.Wanted(
        limits.limit,
        high if v2 else None,
        limits.swap,
        limits.oom_group and v2,
        soft=limits.on_limit == THROTTLE,
        hold=early and not v2,
    )


def bases(place: cgroupmake.Place) -> list[str]:
    """Return where to make the group, best first; MEMTUI_CGROUP_BASE names another place.

    v1: at the top, never inside the group that somebody put us in. v2: beside us, because a
    group with processes (ours) cannot have children with limits, then below us.
    """
    if named := os.environ.get("MEMTUI_CGROUP_BASE"):
        return [named.rstrip("/")]
    if place.version == 1:
        return [place.top]
    return [place.own] if place.own == place.top else [os.path.dirname(place.own), place.own]


def _remedy(base: str, version: int) -> str:
    """Say what would let us make and enter a group there."""
    with contextlib.suppress(OSError):
        if cgroupmake.is_read_only(base):  # for root too
            return "a cgroup file system that is mounted writable would allow it"
    root = os.geteuid() == 0
    way = "name a group of yours in MEMTUI_CGROUP_BASE"
    if version == 2:
        way = "`--method systemd` makes one" if is_there() else "start it in a delegated group"
    return way if root else f"root can; or {way}"


class CgroupLimiter:
    """A fresh memory cgroup, v1 or v2: all processes together, swap included, kernel-enforced."""

    method = CGROUP
    per_process = False
    peak_of = "all processes together, page cache included"

    def __init__(self) -> None:
        self._version = 0
        self._top = ""
        self._own = ""
        self._bases: list[str] = []
        self._group: cgroupset.Group | None = None
        self._escaped: tuple[int, str] | None = None
        self._limits = Limits(0)
        self.unmet: list[str] = []
        self.mark: int | None = None

    @property
    def group(self) -> cgroupset.Group:
        """The group made by `prepare`."""
        assert self._group is not None, "prepare() comes first"
        return self._group

    @property
    def cgroup(self) -> cgroupset.Group | None:
        """The same, once it is made."""
        return self._group

    def _find(self) -> Unavailable | None:
        try:
            place = cgroupmake.read_place()
        except OSError as e:
            return Unavailable(str(e))
        if place is None:
            return Unavailable("no memory cgroup hierarchy is mounted here")
        self._bases, self._top, self._own = bases(place), place.top, place.own
        self._version = cgroupmake.version_of(self._bases[-1])
        return None

    def probe(self) -> Unavailable | None:
        """Say why no group can be made in any of the places, or None."""
        if error := self._find():
            return error
        reasons = {base: cgroupmake.why_not(base, self._version) for base in self._bases}
        self._bases = [base for base, why in reasons.items() if why is None]
        if self._bases:
            return None
        base, why = reasons.popitem()
        return Unavailable(why or "", _remedy(base, self._version))

    def prepare(self, limits: Limits) -> None:
        """Make the group, read its limits back, and see that it can be entered."""
        self._ask(limits)
        sweep(self._bases)
        errors = [e for base in self._bases if (e := self._try(base))]
        if self._group is None:
            raise Unavailable(errors[0], _remedy(self._bases[0], self._version))
        self._escaped = cgroupmake.read_escaped(self._group.directory)

    def _ask(self, limits: Limits) -> None:
        """Take in what is asked for, and what of it this version has not."""
        self._limits = limits
        if limits.on_limit in (TERM, STOP):
            self.mark = mark_below(limits)
        if limits.high is not None and self._version == 1:
            self.unmet.append("--high (cgroup v1 has no memory.high)")

    def _try(self, base: str) -> str | None:
        """Make the group there unless there is one; return why that cannot be."""
        if self._group is not None:
            return None
        made = self._make_there(base)
        if isinstance(made, str):
            return made
        if cgroupmake.can_enter(made):
            self._group = made
            return None
        with contextlib.suppress(KernelError):
            cgroupmake.remove(made)
        return f"a group can be made in {base}, but no process of ours can be moved into it"

    def _make_there(self, base: str) -> cgroupset.Group | str:
        """Make the group in `base`, after we stepped aside where that is the rule, or say why not.

        Only in a group of our own: in others nobody of ours is in the way.
        """
        try:
            return self._make(base)
        except KernelError as e:
            why, busy = str(e), e.errno == errno.EBUSY
        if not busy or base != self._own or not cgroupleaf.step_aside(base):
            return why
        try:
            return self._make(base)
        except KernelError as e:
            cgroupleaf.step_back(base, PREFIX)
            return str(e)

    def _make(self, base: str) -> cgroupset.Group:
        while True:  # a name may be taken by a run of an earlier process with our number
            name = next_name()
            if not os.path.exists(f"{base}/{name}"):
                asked = wanted(self._version, self._limits)
                return cgroupmake.make_group(self._version, base, name, asked)

    def gather(self) -> None:
        """Do nothing: nobody leaves a group by forking."""

    def enter(self) -> None:
        """Move the calling process into the group."""
        cgroupmake.enter(self.group)

    def shell_enter(self) -> tuple[str, str]:
        """Return the command that moves a shell into the group."""
        return 'echo 0 >"$1"', self.group.directory + "/cgroup.procs"

    def adopt(self, pid: int) -> None:
        """Do nothing: it entered by itself."""

    def environment(self) -> dict[str, str]:
        """Return nothing: the group itself tells what belongs to it."""
        return {}

    def confirm(self, pid: int) -> int:
        """Return the group's limit, after the kernel has listed `pid` in it."""
        if pid not in cgroupmake.read_procs(self.group):
            raise Unavailable(f"process {pid} is not in {self.group.directory}")
        return self.group.limit

    def change(self, pid: int, session: bool, limit: int) -> int:
        """Give the group another limit; on v2 one below its usage makes the kernel kill."""
        self._group = cgroupset.change_limit(self.group, limit)
        return self._group.limit

    def describe(self) -> str:
        """Name the group, its limits, and which limit on us it escapes."""
        g = self.group
        path = "/" + g.directory.removeprefix(self._top.rstrip("/")).lstrip("/")
        return f"cgroup v{g.version} {safe(path)}: {_in_force(g)}{self._early()}{self._outside()}"

    def _early(self) -> str:
        if self.mark is None:
            return ""
        does = "SIGTERM" if self._limits.on_limit == TERM else "stopped"
        return f", {does} at {size_long(self.mark)}"

    def _outside(self) -> str:
        if self._escaped is None:
            return ""
        limit, path = self._escaped
        return f"; outside the {size_long(limit)} limit of {safe(path)}"

    def members(self, pid: int, session: bool) -> set[int]:
        """Return the processes in the group."""
        return cgroupmake.read_procs(self.group)

    def usage(self, pid: int, session: bool) -> int | None:
        """Return what is charged to the group now."""
        return cgroupmake.read_usage(self.group)

    def weigh(self, pid: int, session: bool) -> int | None:
        """Return the same without what can be reclaimed, once it matters."""
        used = cgroupmake.read_usage(self.group)
        near = used is not None and self.mark is not None and used >= self.mark
        return cgroupmake.read_hard(self.group) if near else used

    def tend(self) -> None:
        """v1 with `--oom-group`: let all go the way that one went."""
        if self.group.version == 1 and cgroupmake.read_counters(self.group).oom_kill:
            cgroupmake.kill_all(self.group)

    def release(self) -> None:
        """Let the kernel do what it does at a limit: no more waiting, slowing only as asked."""
        self.mark = None
        with contextlib.suppress(KernelError):
            if self.group.version == 1:
                cgroupset.set_hold(self.group.directory, False)
            else:
                cgroupset.set_high(self.group.directory, self._limits.high)

    def peak(self, peaks: Peaks) -> int | None:
        """Return the most that was charged to the group; before Linux 5.19 on v2, as seen."""
        peak = cgroupmake.read_peak(self.group)
        return peaks.hwm or None if peak is None else peak

    def _living(self) -> int:
        kin = map(read_kin, cgroupmake.read_procs(self.group))
        return sum(1 for k in kin if k and k.living)

    def finish(self, pid: int, session: bool) -> int:
        """Give what is left a moment to end, then kill it unless it is to be left; count it."""
        left = herding.linger(self._living)
        if not self._limits.leave:
            cgroupmake.kill_all(self.group)
        return left

    def evidence(self, peaks: Peaks) -> Evidence:
        """Return the group's OOM counters."""
        return Evidence(*cgroupmake.read_counters(self.group))

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Kill what is in the group, and remove it; who is left keeps it, and the next start goes.

        Raises a KernelError when the group cannot be removed.
        """
        if self._group is None or (self._limits.leave and self._living()):
            return
        cgroupmake.kill_all(self._group, patience_s)
        cgroupmake.remove(self._group, min(patience_s, 2.0))
        if self._version == 2:
            cgroupleaf.step_back(os.path.dirname(self._group.directory), PREFIX)


def _in_force(g: cgroupset.Group) -> str:
    """Say which limits the kernel has, by the names of its files."""
    name = "limit_in_bytes" if g.version == 1 else "high" if g.soft else "max"
    parts = [f"memory.{name} {size_long(g.limit)}"]
    if g.soft:
        parts.append("nobody is killed for it")
    parts.append("swap not counted by this kernel" if g.swap is None else f"swap {size(g.swap)}")
    if g.high is not None:
        parts.append(f"memory.high {size_long(g.high)}")
    if g.oom_group:
        parts.append("oom.group")
    return ", ".join(parts)
