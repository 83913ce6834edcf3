"""A memory limit on a process that runs already: what it would cover first, then the limit.

Two ways. RLIMIT_DATA by prlimit(2): the soft limit alone, so that it can be taken back. Or a
group of its own with a limit, which it is moved into. Everything is answered in words.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Sequence

from memtui.kernel import cgroupmake, cgroupset, proctree
from memtui.kernel.cgroupset import Group, Wanted
from memtui.kernel.errors import Gone, KernelError
from memtui.kernel.procfs import read_kin
from memtui.model.limits import CGROUP, DATA
from memtui.services.actions import Actions
from memtui.services.cgrouplimit import LIMITED, bases
from memtui.services.limiter import Unavailable
from memtui.services.managers import is_there
from memtui.services.target import Outcome, Target, reused
from memtui.text import safe
from memtui.units import size_long

METHODS = (DATA, CGROUP)
_DATA = resource.RLIMIT_DATA


def preview(target: Target, limit: int | None, method: str, tree: bool) -> list[str]:
    """Return what would be done, and what it covers and what not, a sentence each."""
    if limit is None:
        return [f"{target.label}: its limit by {method} is taken away"]
    size = size_long(limit)
    if method == DATA:
        return _preview_data(target, limit, size, tree)
    whom = "it and all below it" if tree else "it alone: those below it stay where they are"
    return [
        f"{target.label}: a group of its own with {size}; moved there: {whom}",
        "counted is what is taken from now on, children born from now on included: what they "
        "have stays charged where it is",
        "at the limit the kernel reclaims, then kills; limits of the group it leaves hold no more",
    ]


def _preview_data(target: Target, limit: int, size: str, tree: bool) -> list[str]:
    sizes = proctree.read_sizes(target.pid)
    has = sizes.data if sizes else None
    whom = "each process below it, too" if tree else "children born from now on, not older ones"
    now = f"it has {size_long(has)} now" + (
        ": any growth fails" if has is not None and has >= limit else ""
    )
    return [
        f"{target.label}: RLIMIT_DATA {size} of private memory, {now}; {whom}",
        "an allocation beyond it fails, which a program may take badly; what it has it keeps",
        "not covered: shared memory, files in memory, and pages that are mapped and not used yet",
    ]


def set_limit(
    actions: Actions, target: Target, limit: int | None, method: str, tree: bool = False
) -> Outcome:
    """Limit the very process that was shown, or take its limit away. Never raises."""
    if (forbidden := actions.forbidden("nothing was limited")) is not None:
        return forbidden
    if target.refusal is not None:
        return Outcome(target.refusal.kind, target.refusal.text.replace("not sent", "not limited"))
    if target.ended():
        return Outcome("gone", f"{target.label} has ended")
    try:
        pids = _family(target) if tree else [target.pid]
        text = _set_data(target, pids, limit) if method == DATA else _set_group(target, pids, limit)
    except Unavailable as e:
        return Outcome("denied", safe(f"{target.label}: {e}"))
    except KernelError as e:
        return Outcome("error", safe(f"{target.label}: {e}"))
    return Outcome("sent", text)


def _family(target: Target) -> list[int]:
    below = sorted(proctree.read_descendants(target.pid))
    return [target.pid, *(p for p in below if (kin := read_kin(p)) and kin.living)]


# -- RLIMIT_DATA


def _set_data(target: Target, pids: Sequence[int], limit: int | None) -> str:
    done = [pid for pid in pids if _set_one(target, pid, limit)]
    if target.ended() or target.pid not in done:
        raise Unavailable(reused(target.pid).text if target.look() is None else "it has ended")
    soft = _read(target.pid)[0]
    if limit is None:
        given = "none" if soft == resource.RLIM_INFINITY else size_long(soft)
        return f"{target.label}: RLIMIT_DATA is {given} again{_count(done)}"
    undo = f"`memtui limit {target.pid} none` takes it away"
    return f"{target.label}: RLIMIT_DATA is {size_long(soft)} now{_count(done)}; {undo}"


def _count(done: Sequence[int]) -> str:
    return f", of {len(done)} processes" if len(done) > 1 else ""


def _read(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, _DATA)


def _set_one(target: Target, pid: int, limit: int | None) -> bool:
    """Set one process's soft limit; False where it is gone."""
    try:
        hard = _read(pid)[1]
        if limit is not None and hard != resource.RLIM_INFINITY and hard < limit:
            raise Unavailable(f"its hard limit is {size_long(hard)} already", "ask for less")
        soft = hard if limit is None else limit
        resource.prlimit(pid, _DATA, (soft, hard))
    except ProcessLookupError:
        return False
    except PermissionError as e:
        remedy = (
            "root can, with CAP_SYS_RESOURCE" if os.geteuid() else "CAP_SYS_RESOURCE is missing"
        )
        raise Unavailable("only its own user may limit it", remedy) from e
    return True


# -- a group


def _set_group(target: Target, pids: Sequence[int], limit: int | None) -> str:
    made = _find_made(target)
    if limit is None:
        if made is None:
            raise Unavailable("it is in no group that memtui limit made for it")
        cgroupset.lift(made)
        return f"{target.label}: no limit any more; it stays in {os.path.basename(made.directory)}"
    if made is not None:
        cgroupset.lift(made)  # else v1 refuses one above the limit for memory and swap
        now = cgroupset.set_limits(made.version, made.directory, Wanted(limit))
        _move(now, pids)
        return f"{target.label}: {size_long(now.limit)} now, in the group that it is in"
    group = _make(target, pids, limit)
    counted = f"{_words(group)} from now on{_count([*(cgroupmake.read_procs(group) & set(pids))])}"
    return f"{target.label}: {counted}; `memtui limit {target.pid} none --method cgroup` lifts it"


def _words(g: Group) -> str:
    return f"{size_long(g.limit)} by cgroup v{g.version} {os.path.basename(g.directory)}"


def _find_made(target: Target) -> Group | None:
    """Return the group that was made for a process and holds it, with its limit.

    A child is born into its parent's, which is not its own while the parent lives.
    """
    directory = cgroupmake.read_directory(target.pid)
    name = os.path.basename(directory or "").removesuffix(".scope")
    if directory is None or not name.startswith(LIMITED):
        return None
    pid, _, start = name.removeprefix(LIMITED).partition("-")
    if pid != str(target.pid) and pid.isdecimal() and len(pid) < 10:
        kin = read_kin(int(pid))
        if kin is not None and str(kin.start) == start:
            return None
    return cgroupset.read_limits(directory)


def _make(target: Target, pids: Sequence[int], limit: int) -> Group:
    """Make a group and move them into it: by hand where that is allowed, else by systemd."""
    directory, place = cgroupmake.read_directory(target.pid), cgroupmake.read_place()
    if place is None or directory is None:
        raise Unavailable("no memory cgroup of it can be seen")
    name = f"{LIMITED}{target.pid}-{target.start}"
    by_systemd = place.version == 2 and is_there()
    if os.geteuid() == 0 and by_systemd:
        return _by_systemd(name, pids, limit)
    errors = []
    for base in bases(place._replace(own=directory)):
        made = _by_hand(place.version, base, name, pids, limit)
        if isinstance(made, Group):
            return made
        errors.append(made)
    if by_systemd:
        return _by_systemd(name, pids, limit)
    raise Unavailable(errors[0], "" if os.geteuid() == 0 else "root can")


def _by_hand(version: int, base: str, name: str, pids: Sequence[int], limit: int) -> Group | str:
    """Return the group with them in it, or why that cannot be; then nothing is left."""
    try:
        group = cgroupmake.make_group(version, base, name, Wanted(limit))
    except KernelError as e:
        return str(e)
    try:
        _move(group, pids)
    except KernelError as e:
        if not cgroupmake.read_procs(group):
            with contextlib.suppress(KernelError):
                cgroupmake.remove(group)
            return f"it cannot be moved: {e}"
    return group


def _move(group: Group, pids: Sequence[int]) -> None:
    """Move the first, and those below it that still live, into the group. Raises a KernelError."""
    procs = group.directory + "/cgroup.procs"
    cgroupset.write(procs, str(pids[0]))
    for pid in pids[1:]:
        with contextlib.suppress(Gone):
            cgroupset.write(procs, str(pid))


def _by_systemd(name: str, pids: Sequence[int], limit: int) -> Group:
    from memtui.services import systemdlimit

    return systemdlimit.scope_around(f"{name}.scope", list(pids), limit)
