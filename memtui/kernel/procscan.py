"""All processes, read again and again for as little as the kernel allows.

This module keeps descriptors, which is state, but no policy: who asks decides how many.

- A kept descriptor of /proc/PID/schedstat is the cheapest sign of life: `os.pread` at 0 is
  always fresh, and a dead process answers ESRCH on its own descriptor even when its PID is
  taken again. A process of one thread that has not run has changed nothing of itself but
  perhaps its resident memory, and that only by reclaim (`pgsteal_*`, `pswpout` of /proc/vmstat
  move: then every statm is read) or by rare acts of others (a rotation finds those).
- The last field of /proc/loadavg is the last PID given out: while it stands, nothing was born
  and /proc need not be listed.
- Where schedstat counts nothing, in a captured tree, or when descriptors run out: open, read,
  close, of everything.
"""

from __future__ import annotations

import contextlib
import errno
import os
from itertools import compress, islice, repeat
from operator import ne
from typing import NamedTuple

from memtui.kernel import procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.procfs import NO_MEMORY, Stat, Statm
from memtui.kernel.roots import Roots, read_optional

KEPT_BYTES = 4608
"""Kernel memory that one kept /proc descriptor holds: measured 2.5 to 4.9 KiB of slab."""

_RELIST = 10  # list /proc at least every so many samples, whatever loadavg says
_ROTATE = 16  # read the memory of this share of the quiet processes anew each time
_ROTATE_ALL = 64  # and all of this share: who their parent is, how nice they are
_RETREAT = 32  # descriptors given back at once when there are none left to read with
_SIGN = 96  # bytes of a schedstat line at most
_LINE = 1024  # bytes of a stat line at most


class Reading(NamedTuple):
    """One process as read once."""

    stat: Stat
    memory: Statm


def _open(roots: Roots, name: str, file: str) -> int:
    return os.open(procfs.path_of(roots, name, file), os.O_RDONLY | os.O_CLOEXEC)


def read_once(roots: Roots, name: str) -> Reading:
    """Return one process by open, read, close. Raises a KernelError."""
    stat = procfs.read_stat(roots, name)
    return Reading(stat, NO_MEMORY if stat.kernel_thread else procfs.read_statm(roots, name))


def biggest(roots: Roots, count: int) -> tuple[list[Reading], int]:
    """Return the `count` processes with most resident memory, and how many there are in all.

    Reads one statm per process and the rest only of those returned: the quickest true look.
    """
    names = procfs.list_pids(roots)
    sizes = []
    for name in names:
        with contextlib.suppress(KernelError):
            sizes.append((procfs.read_rss_pages(roots, name), name))
    sizes.sort(reverse=True)
    readings = []
    for _, name in sizes[:count]:
        with contextlib.suppress(KernelError):
            readings.append(read_once(roots, name))
    return readings, len(names)


def counts_runs(roots: Roots) -> bool:
    """Whether this kernel's schedstat counts how often a task ran."""
    if not roots.live:
        return False
    fields = (read_optional(procfs.path_of(roots, "self", "schedstat")) or b"").split()
    return len(fields) == 3 and fields[2] != b"0"


class ProcScan:
    """Readings of every process, kept current by `sample`.

    After a call, `touched` names the processes that were read anew and `gone` those that ended,
    so that nobody need walk over the quiet ones. `moved` names those of `touched` that ran, or
    whose numbers changed. Keys are PIDs as text. `unreadable` counts those that /proc listed when
    it was listed last, and that could not be read, though there.
    """

    def __init__(self, roots: Roots, room: int = 0) -> None:
        """Keep at most `room` descriptors; 0 keeps none."""
        self.roots = roots
        self.room = room if counts_runs(roots) else 0
        self.readings: dict[str, Reading] = {}
        self.touched: list[str] = []
        self.moved: set[str] = set()
        self.gone: list[str] = []
        self.unreadable = 0
        self._names: list[str] = []  # parallel with _fds and _signs: those with a kept descriptor
        self._fds: list[int] = []
        self._signs: list[bytes | None] = []
        self._busy: dict[str, tuple[int, int]] = {}  # kept stat and statm of the multi-threaded
        self._plain: set[str] = set()  # no descriptor kept: read always
        self._crowded: list[str] = []  # have threads, and there is no room to watch those
        self._last_pid = b""
        self._turn = 0
        self._reclaim: tuple[bytes, ...] = ()

    @property
    def kept(self) -> int:
        """How many descriptors are open."""
        return len(self._fds) + 2 * len(self._busy)

    def sample(self) -> dict[str, Reading]:
        """Bring `readings` up to date and return it. Raises a KernelError without a /proc."""
        self.touched, self.gone = [], []
        self.moved.clear()
        self._turn += 1
        dead = self._read_kept()
        for name in list(self._plain):
            if not self._read(name):
                dead.append(name)
        self._drop(dead)
        self._find_births()
        return self.readings

    def close(self) -> None:
        """Close every kept descriptor."""
        self._drop(list(self.readings))
        self._last_pid = b""

    # -- the kept ones

    def _read_kept(self) -> list[str]:
        """Read those that ran or have threads; return the names of the dead."""
        fresh = self._signs_now()
        todo = set(compress(range(len(fresh)), map(ne, fresh, self._signs)))
        self._signs = fresh
        names = self._names
        self.moved.update([names[i] for i in todo])
        todo.update(self._due(_ROTATE_ALL))
        all_moved = self._reclaimed()
        quiet = set(range(len(fresh)) if all_moved else self._due(_ROTATE)) - todo
        self._read_memory(quiet)
        dead = [names[i] for i in todo if fresh[i] is None]
        for i in todo:
            name = names[i]
            if fresh[i] is not None and name not in self._busy and not self._read(name):
                dead.append(name)
        dead += [n for n in list(self._busy) if not self._read(n)]
        for name in self._crowded:
            self._let_go(name)
        self._crowded.clear()
        return dead

    def _due(self, share: int) -> range:
        return range(self._turn % share, len(self._fds), share)

    def _signs_now(self) -> list[bytes | None]:
        """Every kept schedstat line, None for the dead; the loop runs in C between two deaths."""
        out: list[bytes | None] = []
        fds = self._fds
        while True:
            try:
                out.extend(map(os.pread, islice(fds, len(out), None), repeat(_SIGN), repeat(0)))
                return out
            except OSError:  # noqa: PERF203 - one round per death
                out.append(None)

    def _reclaimed(self) -> bool:
        """Whether the kernel took memory from anybody since the last call.

        `pgsteal_anon` and `pgsteal_file` also count reclaim inside a cgroup, which
        `pgsteal_kswapd` and `pgsteal_direct` do not (mm/vmscan.c).
        """
        data = read_optional(self.roots.proc + "/vmstat") or b""
        lines = []
        for key in (b"\npgsteal_", b"\npswpout "):
            i = data.find(key)
            while i >= 0:
                end = data.find(b"\n", i + 1)
                lines.append(data[i:end])
                i = data.find(key, end) if end > 0 else -1
        now = tuple(lines)
        before, self._reclaim = self._reclaim, now
        return now != before

    def _read_memory(self, indexes: set[int]) -> None:
        """Read the statm alone of quiet processes: nothing else of theirs can have moved."""
        for i in indexes:
            name = self._names[i]
            old = self.readings[name]
            if old.stat.kernel_thread or name in self._busy:
                continue
            with contextlib.suppress(KernelError):
                memory = procfs.read_statm(self.roots, name)
                if memory != old.memory:
                    self.readings[name] = Reading(old.stat, memory)
                    self.touched.append(name)
                    self.moved.add(name)

    # -- one process

    def _read(self, name: str) -> bool:
        """Read one process anew; False if it is gone."""
        try:
            new = self._read_busy(name) if name in self._busy else read_once(self.roots, name)
        except (KernelError, OSError):
            return False
        old = self.readings.get(name)
        if old is not None and old.stat.start != new.stat.start:
            return False  # the PID was taken again; it will be found as a birth
        self.readings[name] = new
        self.touched.append(name)
        if new != old:
            self.moved.add(name)
        if new.stat.threads > 1 and name not in self._busy and name not in self._plain:
            self._keep_busy(name)
        return True

    def _read_busy(self, name: str) -> Reading:
        stat_fd, statm_fd = self._busy[name]
        stat = procfs.parse_stat(os.pread(stat_fd, _LINE, 0))
        return Reading(stat, procfs.parse_statm(os.pread(statm_fd, _SIGN, 0)))

    def _keep_busy(self, name: str) -> None:
        """Keep stat and statm of a process whose schedstat tells of its main thread only."""
        if self.kept + 2 <= self.room:
            with contextlib.suppress(OSError):
                stat_fd = _open(self.roots, name, "stat")
                try:
                    self._busy[name] = stat_fd, _open(self.roots, name, "statm")
                    return
                except OSError:
                    os.close(stat_fd)
        self._crowded.append(name)

    def _let_go(self, name: str) -> None:
        """Keep no descriptor of this process any more: it is read by open, read, close."""
        for fd in self._busy.pop(name, ()):
            os.close(fd)
        if name in self._names:
            i = self._names.index(name)
            os.close(self._fds[i])
            del self._names[i], self._fds[i], self._signs[i]
        if name in self.readings:
            self._plain.add(name)

    def _retreat(self) -> bool:
        """Give some descriptors back and keep fewer from now on; False if none are kept."""
        given = self._names[-_RETREAT:]
        for name in given:
            self._let_go(name)
        self.room = max(0, min(self.room, self.kept) - _RETREAT)
        return bool(given)

    # -- births and deaths

    def _find_births(self) -> None:
        last = (read_optional(self.roots.proc + "/loadavg") or b"").rsplit(None, 1)[-1:]
        last_pid = last[0] if last else b""
        if last_pid and last_pid == self._last_pid and self._turn % _RELIST:
            return
        self._last_pid = last_pid
        names = procfs.list_pids(self.roots)
        failed = []
        for name in names:
            if name not in self.readings:
                self._add(name)
                if name not in self.readings:
                    failed.append(name)
        self.unreadable = sum(os.path.isdir(f"{self.roots.proc}/{n}") for n in failed)
        if len(names) < len(self.readings):
            self._drop(list(self.readings.keys() - set(names)))

    def _add(self, name: str) -> None:
        fd = -1
        try:
            if self.kept < self.room:
                fd = _open(self.roots, name, "schedstat")
            # the sign of life first, then what it guards
            sign = os.pread(fd, _SIGN, 0) if fd >= 0 else None
            self.readings[name] = read_once(self.roots, name)
        except OSError as e:
            if fd >= 0:
                os.close(fd)
            if e.errno in (errno.EMFILE, errno.ENFILE) and self._retreat():
                self._add(name)
            return
        self.touched.append(name)
        self.moved.add(name)
        if fd < 0:
            self._plain.add(name)
            return
        self._names.append(name)
        self._fds.append(fd)
        self._signs.append(sign)
        if self.readings[name].stat.threads > 1:
            self._keep_busy(name)

    def _drop(self, names: list[str]) -> None:
        lost = {n for n in names if self.readings.pop(n, None) is not None}
        if not lost:
            return
        self.gone += lost
        self._plain -= lost
        for name in lost & self._busy.keys():
            for fd in self._busy.pop(name):
                os.close(fd)
        at = [i for i, n in enumerate(self._names) if n in lost]
        for i in reversed(at):
            os.close(self._fds[i])
            del self._names[i], self._fds[i], self._signs[i]
