"""Groups of ours whose maker was killed before it could remove them.

A name says who made a group: `PREFIX PID-N`, with the PID namespace behind it where that is not the
machine's own. A group with a living maker is never touched, nor one that has processes: a command
whose maker was killed goes on under its limit, because that is what was asked for.
"""

from __future__ import annotations

import contextlib
import os
import time

from memtui.kernel.cgroupset import field, set_hold
from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import TICKS_PER_S, read_kin

_FIRST_NAMESPACE = "4026531836"  # include/linux/proc_ns.h: PROC_PID_INIT_INO
_STRANGE_S = 60.0  # a maker in another PID namespace may be about to enter


def namespace() -> str:
    """Return what to put behind a name: nothing in the machine's own PID namespace."""
    try:
        number = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return "-0"
    return "" if number == _FIRST_NAMESPACE else f"-{number}"


def _born(start: int) -> float:
    """Return when a process began, in seconds since the epoch."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + start / TICKS_PER_S


def _lives(pid: int, made: float) -> bool:
    """Whether the maker may live: who began after the group was made is another one."""
    kin = read_kin(pid)
    return kin is not None and kin.living and _born(kin.start) <= made + 2.0


def _is_stale(directory: str, maker: str, ours: bool) -> bool:
    try:
        made = os.stat(directory).st_mtime
    except OSError:
        return False
    if not ours:
        return time.time() - made >= _STRANGE_S
    return not _lives(int(maker), made)


def _remove(directory: str) -> None:
    """Remove a group without processes; in one that has some, nobody waits for a dead maker."""
    for path, _, _ in os.walk(directory, topdown=False):
        with contextlib.suppress(OSError):  # EBUSY: the command itself lives on
            os.rmdir(path)
    if field(directory + "/memory.oom_control", b"oom_kill_disable"):
        with contextlib.suppress(KernelError):
            set_hold(directory, False)


def sweep(base: str, prefix: str) -> None:
    """Remove what is left in `base`. Raises OSError where that cannot be read."""
    here = namespace()
    for name in os.listdir(base):
        if not name.startswith(prefix):
            continue
        maker, _, rest = name.removeprefix(prefix).partition("-")
        behind = rest.partition("-")[1:]
        if maker.isdecimal() and len(maker) < 10:
            directory = f"{base}/{name}"
            if _is_stale(directory, maker, "".join(behind) == here):
                _remove(directory)


def sweep_ended(base: str, prefix: str) -> None:
    """Remove `base`/`prefix`PID-START once that process has ended and nobody is in it."""
    for name in os.listdir(base):
        pid, _, start = name.removeprefix(prefix).partition("-")
        if name.startswith(prefix) and pid.isdecimal() and start.isdecimal() and len(pid) < 10:
            kin = read_kin(int(pid))
            if kin is None or kin.start != int(start):
                _remove(f"{base}/{name}")
