"""One complete look at every process, with what is too dear to read each second."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.levels import at_or_below
from memtui.kernel.roots import Roots
from memtui.model.badness import Doomed, Weight, level_of, total_of, weigh_in
from memtui.model.classify import container_of
from memtui.model.known import who_json
from memtui.model.quota import host_json
from memtui.model.snapshot import BADNESS, ROLLUP, Proc, Quota
from memtui.services.naming import Namer
from memtui.services.sampler import Processes, open_processes
from memtui.services.weights import Weigher
from memtui.text import decode

if TYPE_CHECKING:
    from memtui.kernel.procmore import Mapping


class Detail(NamedTuple):
    """What one process's smaps_rollup, status and cgroup say, in bytes; None is unknown."""

    pss: int | None = None
    uss: int | None = None
    swap: int | None = None
    peak_rss: int | None = None
    oom_score_adj: int | None = None
    swapped: int | None = None  # as the OOM killer counts it: without shared memory
    page_tables: int | None = None


_NO_MEMORY = Detail(0, 0, 0, 0, None, 0, 0)


class Census(NamedTuple):
    """Every process that could be read, and how many could not."""

    procs: list[Proc]
    unreadable: int
    boot: int | None = None  # seconds since the epoch when the clock of `Proc.start` was 0
    now: int | None = None  # seconds since the epoch; unknown of a captured tree
    unread_pids: tuple[int, ...] = ()  # those that could not be read, as far as still there


def take(roots: Roots, cgroups: bool = True) -> Census:
    """Return every process as it is now. Raises a KernelError where /proc is unreadable.

    Without `cgroups` those are not all read, which saves 50 us for each process.

    One look knows no CPU% of the last second: on the running machine it is that of the process's
    whole life, as ps has it; of a captured tree it is unknown.
    """
    source = open_processes(roots, room=0)
    procs = source.sample(cgroups=cgroups)
    if isinstance(source, Processes):
        Namer(roots).once(source.table, time.time())
        procs = list(source.table.values())
    if roots.live and hasattr(time, "CLOCK_BOOTTIME"):
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        procs = [p._replace(cpu_pct=_average(p, now)) for p in procs]
        found = Census(procs, source.unreadable, round(time.time() - now), int(time.time()))
    else:
        boot = procfs.read_boot_time(roots) if procfs.is_there(roots) else None
        found = Census(procs, source.unreadable, boot)
    return found._replace(unread_pids=_unread(roots, procs)) if found.unreadable else found


def _unread(roots: Roots, procs: Sequence[Proc]) -> tuple[int, ...]:
    """The PIDs that /proc lists and that are not among `procs`."""
    known = {p.pid for p in procs}
    with contextlib.suppress(KernelError):
        return tuple(sorted(n for n in map(int, procfs.list_pids(roots)) if n not in known))
    return ()


def hidden(roots: Roots, found: Census) -> str:
    """Return in a sentence who could not be read at all and what would grant it; "" if nobody.

    Where /proc lists only our own processes nobody can be counted, but that is known.
    """
    if not found.unreadable and (found.now is None or os.geteuid() == 0):
        return ""
    if not procfs.is_there(roots):
        return ""
    from memtui.kernel import probe

    option = probe.read_hidepid(roots)
    grant = "root, or the group that /proc's mount option gid= names, sees them"
    if found.unreadable:
        few = ", ".join(map(str, found.unread_pids[:5])) + ", …" * (len(found.unread_pids) > 5)
        who = f" (PID {few})" if few else ""
        why = f"hidepid={option}: {grant}" if option else "see memtui doctor"
        return f"{found.unreadable} could not be read at all{who}; {why}"
    if option and not probe.sees_others(roots):
        return f"others' processes are hidden by hidepid={option}: {grant}"
    return ""


def deepen(roots: Roots, found: Census, needs: int, quota: Quota) -> Census:
    """Return the same with what these columns need (`fields.needs`), read of every process.

    smaps_rollup costs 30 us for a small process and about 10 ms per GiB.
    """
    if not needs:
        return found
    if not procfs.is_there(roots):
        return found._replace(procs=_portable_deep(found.procs, needs))
    from memtui.services.depth import Depth

    weights = Weigher(roots).weigh(found.procs, quota) if needs & BADNESS else {}
    return found._replace(procs=Depth(roots).fill_all(found.procs, needs, quota, weights))


def _portable_deep(procs: list[Proc], needs: int) -> list[Proc]:
    """PSS, USS and swap where there is no Linux procfs; the rest is unknown there."""
    if not needs & ROLLUP:
        return procs
    from memtui.services import portable

    told = ((p, portable.full(p.pid)) for p in procs)
    return [p._replace(pss=t.pss, uss=t.uss, swap=t.swap) for p, t in told]


def _average(proc: Proc, now: float) -> float:
    """CPU since the start in per cent of one CPU; `now` is seconds since boot."""
    return 100 * proc.cpu_time / max(0.01, now - proc.start / procfs.TICKS_PER_S)


def detail(roots: Roots, proc: Proc) -> Detail:
    """Return the dear numbers of one process.

    A process without an address space (kernel thread, zombie) has 0; one whose smaps_rollup
    the kernel will not show (needs the same user, or CAP_SYS_PTRACE) has None.
    """
    adj = procfs.read_oom_score_adj(roots, proc.pid)
    if not proc.virt:
        return _NO_MEMORY._replace(oom_score_adj=adj)
    status: dict[str, int] = {}
    rollup = procfs.Rollup(None, None, None)
    with contextlib.suppress(KernelError):
        status = procfs.read_status_sizes(roots, proc.pid)
    with contextlib.suppress(KernelError):
        rollup = procfs.read_rollup(roots, proc.pid)
    swapped, tables = status.get("VmSwap"), status.get("VmPTE")
    if tables is not None:
        tables += status.get("VmPMD", 0)  # before Linux 4.15
    swap = swapped if rollup.swap is None else rollup.swap
    return Detail(rollup.pss, rollup.uss, swap, status.get("VmHWM"), adj, swapped, tables)


def proc_json(proc: Proc, more: Detail, boot_time: int | None) -> dict[str, Any]:
    """Return one process as `memtui ps --json` promises it; names are lossless."""
    started = None if boot_time is None else boot_time + proc.start / procfs.TICKS_PER_S
    return {
        "pid": proc.pid,
        "ppid": proc.ppid,
        "name": decode(proc.comm),
        "cmdline": [decode(a) for a in proc.argv.removesuffix(b"\0").split(b"\0")]
        if proc.argv
        else [],
        "state": proc.state,
        "uid": proc.uid,
        "user": None if proc.uid is None else proc.user,
        "threads": proc.threads,
        "kernel_thread": proc.kernel_thread,
        "virt": proc.virt,
        "rss": proc.rss,
        "shr": proc.shr,
        "pss": more.pss,
        "uss": more.uss,
        "swap": more.swap,
        "peak_rss": more.peak_rss,
        "cpu_time_s": proc.cpu_time,
        "started": started,
        "cgroup": proc.cgroup,
        "nice": proc.nice,
        "oom_score_adj": more.oom_score_adj,
        "what": who_json(proc.who),
        "container": container_of(proc.cgroup) or None,
    }


def mapped_json(mappings: Sequence[Mapping]) -> dict[str, int]:
    """Return how many mappings these are, and their sizes in bytes."""
    keys = ("maps", "pss", "uss", "rss", "swap", "virt")
    return {key: sum(getattr(m, key) for m in mappings) for key in keys}


def next_victim(roots: Roots, found: Census, quota: Quota) -> Doomed | None:
    """Return whom the OOM killer would take now; None where there is no Linux procfs.

    This process is left out: it is gone when the answer is read.
    """
    if not procfs.is_there(roots):
        return None
    us = os.getpid() if roots.live else None
    return Weigher(roots).look([p for p in found.procs if p.pid != us], quota)[1]


def _badness(proc: Proc, more: Detail, quota: Quota) -> int | None:
    """How bad the OOM killer of the level that binds finds a process; None: it cannot take it."""
    level = level_of(quota)
    if level is not None and not (proc.cgroup and at_or_below(proc.cgroup, level.path)):
        return None
    if None in (more.swapped, more.page_tables):
        return None
    weight = Weight(more.oom_score_adj, more.swapped, more.page_tables)
    return weigh_in(proc, weight, total_of(quota))


def doomed_json(doomed: Doomed | None) -> dict[str, Any]:
    """Return who would die, or in words why that is not known."""
    if doomed is None:
        return {"next_victim": None, "next_victim_unknown": None, "die_with_it": []}
    return {
        "next_victim": None if doomed.identity is None else doomed.identity[0],
        "next_victim_unknown": doomed.reason or None,
        "die_with_it": [pid for pid, _ in doomed.others],
    }


def totals_json(procs: list[Proc], details: list[Detail], unreadable: int = 0) -> dict[str, int]:
    """Return the sums over what is known, and how many processes, or their PSS, are not."""
    return {
        "count": len(procs),
        "rss": sum(p.rss for p in procs),
        "pss": sum(d.pss or 0 for d in details),
        "uss": sum(d.uss or 0 for d in details),
        "swap": sum(d.swap or 0 for d in details),
        "pss_unknown": sum(d.pss is None for d in details),
        "unreadable": unreadable,
    }


def _portable(procs: list[Proc]) -> tuple[list[Detail], list[dict[str, Any]]]:
    """The same where there is no Linux procfs."""
    from memtui.services import portable

    boot_time = portable.boot_time()
    details = [Detail(*portable.full(p.pid)) for p in procs]
    rows = [proc_json(p, d, boot_time) for p, d in zip(procs, details, strict=True)]
    return details, [r | portable.unknowns(p) for r, p in zip(rows, procs, strict=True)]


def as_json(
    roots: Roots, shown: Census, quota: Quota, doomed: Doomed | None = None
) -> dict[str, Any]:
    """Return the document of `memtui ps --json` for the processes of `shown`, in their order."""
    procs = shown.procs
    if procfs.is_there(roots):
        boot_time = procfs.read_boot_time(roots)
        details = [detail(roots, p) for p in procs]
        rows = [proc_json(p, d, boot_time) for p, d in zip(procs, details, strict=True)]
    else:
        details, rows = _portable(procs)
    for each, proc, more in zip(rows, procs, details, strict=True):
        each["badness"] = _badness(proc, more, quota)
    return {
        "schema": "memtui.ps/1",
        "processes": rows,
        **doomed_json(doomed),
        "totals": totals_json(procs, details, shown.unreadable),
        "host": host_json(quota.host),
    }
