"""Threads as rows: they have no memory of their own, and no signal goes to one alone; pure."""

from __future__ import annotations

from memtui.kernel.procfs import TICKS_PER_S, Stat
from memtui.model.snapshot import Proc
from memtui.text import show


class Task(Proc):
    """One thread of a process, beside its first.

    `pid` is the thread's id, `ppid` its process; sizes are the process's, so that a sort by
    memory leaves threads beside their process, and are never shown or added up.
    """

    __slots__ = ()


def task_of(owner: Proc, stat: Stat, cpu_pct: float | None) -> Task:
    """Return the thread that `stat` (/proc/PID/task/TID/stat) tells of."""
    name = show(stat.comm)
    return Task._make(
        owner._replace(
            pid=stat.pid,
            start=stat.start,
            ppid=owner.pid,
            state=show(stat.state),
            threads=1,
            nice=stat.nice,
            prio=stat.prio,
            cpu_time=stat.cpu_ticks / TICKS_PER_S,
            cpu_pct=cpu_pct,
            majflt=stat.majflt,
            majflt_per_s=None,
            comm=stat.comm,
            argv=b"",
            name=name,
            command=f"{{{name}}}",
        )
    )
