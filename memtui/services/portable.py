"""Processes and host memory from psutil, where the kernel has no Linux procfs (macOS, BSD).

Imported only there. No cgroups exist on such kernels, nor PSI, nor an OOM counter: all of these
stay None. Sizes that the kernel keeps from us are 0 in a `Proc`, as for a process without
memory; `unknowns` tells them apart for JSON. Each process costs about 0.2 ms.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, NamedTuple

import psutil

from memtui.kernel.errors import KernelError
from memtui.kernel.meminfo import MemInfo
from memtui.kernel.procfs import TICKS_PER_S
from memtui.model.snapshot import Identity, Proc
from memtui.services.identify import command_line, user_name
from memtui.text import show

_ATTRS = (
    "pid", "ppid", "name", "cmdline", "uids", "status", "num_threads", "nice", "memory_info",
    "cpu_times", "create_time",
)  # fmt: skip
_STATES = {
    psutil.STATUS_RUNNING: "R",
    psutil.STATUS_SLEEPING: "S",
    psutil.STATUS_DISK_SLEEP: "D",
    psutil.STATUS_STOPPED: "T",
    psutil.STATUS_TRACING_STOP: "t",
    psutil.STATUS_ZOMBIE: "Z",
    psutil.STATUS_DEAD: "X",
    psutil.STATUS_IDLE: "I",
    psutil.STATUS_WAKING: "R",
    psutil.STATUS_LOCKED: "S",
    psutil.STATUS_WAITING: "S",
}


class Full(NamedTuple):
    """memory_full_info in bytes; None where the kernel has no such number, or will not tell."""

    pss: int | None = None
    uss: int | None = None
    swap: int | None = None


class PortableProcesses:
    """Every process as a `Proc`, as `sampler.Processes` gives them."""

    unreadable = 0  # psutil gives a record of each, with what is unknown in it

    def __init__(self) -> None:
        self._cpu: dict[Identity, float] = {}  # CPU seconds at the last sample
        self._at: float | None = None  # of the last sample, monotonic
        self._boot = 0.0  # seconds since the epoch, once known

    def sample(self, cgroups: bool = False) -> list[Proc]:
        """Return all processes as they are now. Raises a KernelError where there is no list."""
        now = time.monotonic()
        span = None if self._at is None else max(now - self._at, 0.01)
        try:
            self._boot = self._boot or psutil.boot_time()
            found = psutil.process_iter(list(_ATTRS), ad_value=None)
            procs = [self._proc(each.info, span) for each in found]
        except (OSError, psutil.Error) as e:
            raise KernelError("process list", str(e)) from e
        self._cpu, self._at = {p.identity: p.cpu_time for p in procs}, now
        return procs

    def close(self) -> None:
        """Do nothing: nothing is kept open."""

    def _cpu_pct(self, identity: Identity, cpu_time: float, span: float | None) -> float | None:
        if span is None:
            return None
        return 100.0 * max(0.0, cpu_time - self._cpu.get(identity, 0.0)) / span

    def _proc(self, info: dict[str, Any], span: float | None) -> Proc:
        """Return a record of what psutil found; what it was denied is None in `info`."""
        start = round(max(0.0, (info["create_time"] or 0.0) - self._boot) * TICKS_PER_S)
        times, memory = info["cpu_times"], info["memory_info"]
        cpu_time = times.user + times.system if times else 0.0
        comm = os.fsencode(info["name"] or "?")
        argv = b"".join(os.fsencode(a) + b"\0" for a in info["cmdline"] or ())
        uid = info["uids"].effective if info["uids"] else None
        return Proc(
            pid=info["pid"],
            start=start,
            ppid=info["ppid"] or 0,
            uid=uid,
            user=user_name(uid),
            state=_STATES.get(info["status"], "?"),
            threads=info["num_threads"] or 0,
            nice=info["nice"] or 0,
            kernel_thread=False,
            virt=memory.vms if memory else 0,
            rss=memory.rss if memory else 0,
            shr=getattr(memory, "shared", 0),
            cpu_time=cpu_time,
            cpu_pct=self._cpu_pct((info["pid"], start), cpu_time, span),
            majflt=0,
            comm=comm,
            argv=argv,
            name=show(comm),
            command=command_line(argv) or show(comm),
            cgroup=None,
        )


def unknowns(proc: Proc) -> dict[str, None]:
    """Return the keys of `memtui ps --json` that are 0 in a record because nobody told."""
    keys = ["threads"] * (not proc.threads)
    if proc.virt and not proc.shr:
        keys.append("shr")  # only some kernels tell
    elif not proc.virt and proc.state != "Z":
        keys += ["virt", "rss", "shr"]
    return dict.fromkeys(keys)


def full(pid: int) -> Full:
    """Return PSS, USS and swap, as far as this kernel has them: macOS tells USS only."""
    with contextlib.suppress(psutil.Error, OSError):
        info = psutil.Process(pid).memory_full_info()
        return Full(*(getattr(info, name, None) for name in Full._fields))
    return Full()


def boot_time() -> int:
    """Return when the machine booted, in seconds since the epoch."""
    return int(psutil.boot_time())


def meminfo() -> MemInfo:
    """Return the machine's memory in bytes: psutil's totals; all else is unknown."""
    try:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    except (OSError, psutil.Error):
        return MemInfo()
    return MemInfo(memory.total, memory.free, memory.available, swap.total, swap.free)
