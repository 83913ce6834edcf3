"""One process in depth, read in a thread of its own: some of its files may be long in coming.

/proc/PID/environ and smaps wait for the lock of a busy address space, and a file on a dead
server for ever. So the newest question wins, and a reader that is stuck with another process
is left behind. What is dear is read again only when it has cost less than 1 % of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from memtui.kernel import procfs, procmore
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.grouptree import GroupUse, read_group
from memtui.kernel.levels import at_or_below
from memtui.kernel.roots import Roots
from memtui.model.detail import (
    FILES,
    Detail,
    Environment,
    Mappings,
    Memory,
    memory_of,
    near,
    outline,
)
from memtui.model.snapshot import Identity, Proc, Quota, Snapshot
from memtui.text import safe, show

_SHARE = 0.01  # of the time, for what is dear: sizes, and open files
_STUCK_S = 3.0
_LEVELS = 32

Told = Detail | Mappings | Environment


class _Paced:
    """What is dear: its last answer, and when it may be read again."""

    def __init__(self) -> None:
        self.at = 0.0
        self._next = 0.0

    def due(self) -> bool:
        """Whether it may be read now."""
        return time.monotonic() >= self._next

    def done(self, began: float) -> None:
        """Note that it was read, since `began` (monotonic seconds)."""
        self.at = time.monotonic()
        self._next = self.at + (self.at - began) / _SHARE


class _Known:
    """What is kept of the process that is looked at."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.rollup: dict[str, int] | None = None
        self.rollup_pace = _Paced()
        self.descriptors: int | None = None  # how many, with `files`
        self.files: tuple[procmore.OpenFile, ...] | None = None
        self.files_pace = _Paced()
        self.last: Detail | None = None


class Reader:
    """Reads processes, one at a time; for one thread. `uid` is who we are."""

    def __init__(self, roots: Roots, uid: int | None) -> None:
        self._roots = roots
        self._uid = uid
        self._known = _Known((0, 0))

    def look(self, proc: Proc, snapshot: Snapshot, files: bool = True) -> Detail:
        """Return all that is known of a process now; of one that ended, what was known last."""
        if self._known.identity != proc.identity:
            self._known = _Known(proc.identity)
        known = self._known
        detail = outline(proc, snapshot)
        if not procfs.is_there(self._roots):
            return detail._replace(memory=Memory(), why=dict.fromkeys(_PARTS, _NO_PROC))
        if ended := self._ended(proc):
            last = known.last or detail._replace(memory=Memory())
            known.last = last._replace(ended=last.ended or ended)
            return known.last
        found = self._read(detail, snapshot.quota, files)
        if known.last is not None and proc.virt and found.memory and found.memory.virt is None:
            found = found._replace(memory=known.last.memory)  # it is just ending
        known.last = found
        return found

    def mappings(self, proc: Proc) -> Mappings:
        """Return the mappings, read as a whole: that may take its time."""
        began = time.monotonic()
        try:
            rows = procmore.read_mappings(self._roots, proc.pid)
        except KernelError as e:
            return Mappings(proc.identity, why=self._why(e, proc))
        took = time.monotonic() - began
        if ended := self._ended(proc):
            return Mappings(proc.identity, why=ended)
        rows.sort(key=lambda m: (-m.pss, -m.rss, -m.swap, m.name))
        return Mappings(proc.identity, tuple(rows), took)

    def environment(self, proc: Proc) -> Environment:
        """Return the environment of a process of our own user; of nobody else's, even as root."""
        if self._uid is None or proc.uid != self._uid:
            why = f"it is {safe(proc.user)}'s: only of processes of your own is it shown"
            return Environment(proc.identity, why=why)
        try:
            lines = procmore.read_environment(self._roots, proc.pid)
        except KernelError as e:
            return Environment(proc.identity, why=self._why(e, proc))
        if ended := self._ended(proc):
            return Environment(proc.identity, why=ended)
        return Environment(proc.identity, tuple(sorted(map(show, lines))))

    # -- its parts

    def _ended(self, proc: Proc) -> str:
        """In words that the process is there no more; "" while it is."""
        try:
            stat = procfs.read_stat(self._roots, proc.pid)
        except Gone:
            return "it has ended"
        except KernelError:
            return ""
        if stat.start != proc.start:
            return "it has ended, and its PID is another's now"
        if stat.state == b"Z" and stat.threads <= 1:
            return f"it has ended; its parent {stat.ppid} has not collected it yet (a zombie)"
        return ""

    def _why(self, error: KernelError, proc: Proc) -> str:
        """Why something is not known, and what would grant it."""
        if not isinstance(error, Denied):
            return safe(error.strerror or str(error).rpartition(": ")[2])
        if self._uid is not None and proc.uid == self._uid:
            return (
                "denied: it may not be dumped, as setuid programs, or has more rights than you:"
                " needs CAP_SYS_PTRACE"
            )
        return f"denied: it is {safe(proc.user)}'s: needs the same user, or CAP_SYS_PTRACE"

    def _read(self, detail: Detail, quota: Quota, files: bool) -> Detail:
        proc, why = detail.proc, dict[str, str]()
        memory = self._memory(proc, why)
        count, opened = self._files(proc, files, why)
        try:
            limits = near(procmore.read_limits(self._roots, proc.pid), memory, count)
        except KernelError as e:
            limits, why["limits"] = (), self._why(e, proc)
        return detail._replace(
            memory=memory,
            groups=self._groups(proc, quota, why),
            limits=limits,
            exe=self._link(proc, "exe", why),
            cwd=self._link(proc, "cwd", why),
            descriptors=count,
            files=opened,
            why=why,
        )

    def _memory(self, proc: Proc, why: dict[str, str]) -> Memory:
        status: dict[str, int] = {}
        try:
            status = procfs.read_status_sizes(self._roots, proc.pid)
        except KernelError as e:
            why["memory"] = self._why(e, proc)
        if not proc.virt:  # a kernel thread: there is nothing to be read
            why["pss"] = "it has no memory of its own"
            return memory_of(status, None)
        known, pace = self._known, self._known.rollup_pace
        if pace.due():
            began = time.monotonic()
            try:
                known.rollup = procmore.read_rollup_table(self._roots, proc.pid)
            except KernelError as e:
                known.rollup, why["pss"] = None, self._why(e, proc)
            pace.done(began)
        elif known.rollup is None and known.last is not None:
            why["pss"] = known.last.why.get("pss", "not known")
        age = time.monotonic() - pace.at
        return memory_of(status, known.rollup)._replace(age_s=age)

    def _files(
        self, proc: Proc, wanted: bool, why: dict[str, str]
    ) -> tuple[int | None, tuple[procmore.OpenFile, ...] | None]:
        known, pace = self._known, self._known.files_pace
        if known.descriptors is not None and not pace.due():
            return known.descriptors, known.files  # thousands are dear to count, too
        began = time.monotonic()
        try:
            fds = procmore.list_descriptors(self._roots, proc.pid)
        except KernelError as e:
            known.descriptors, why["fd"] = None, self._why(e, proc)
            return None, None
        known.descriptors = len(fds)
        if wanted:
            types = procmore.read_mount_types(self._roots, proc.pid)
            found = procmore.read_files(self._roots, proc.pid, fds[:FILES], types)
            known.files = tuple(found)
        pace.done(began)
        return len(fds), known.files

    def _link(self, proc: Proc, name: str, why: dict[str, str]) -> str | None:
        try:
            return show(procmore.read_link(self._roots, proc.pid, name))
        except KernelError as e:
            why[name] = self._why(e, proc)
            return None

    def _groups(self, proc: Proc, quota: Quota, why: dict[str, str]) -> tuple[GroupUse, ...]:
        """Every level from its own cgroup up to the highest that is visible."""
        if proc.cgroup is None:
            why["groups"] = "its cgroup is not known"
            return ()
        if quota.version is None or not quota.levels:
            why["groups"] = "no memory cgroup is visible from here"
            return ()
        top = quota.levels[-1]
        if not at_or_below(proc.cgroup, top.path):
            why["groups"] = f"{safe(proc.cgroup)} is outside of what is visible from here"
            return ()
        lead, skip = self._roots.at(top.directory).rstrip("/"), len(top.path.rstrip("/"))
        found, path = [], proc.cgroup
        for _ in range(_LEVELS):
            rest = path[skip:].rstrip("/")
            found.append(read_group(quota.version, path, lead + rest))
            if not rest:
                break
            path = path.rpartition("/")[0] or "/"
        return tuple(found)


_PARTS = ("memory", "pss", "fd", "limits", "groups", "exe", "cwd")
_NO_PROC = "needs Linux's /proc"


class _Question(NamedTuple):
    """What is to be read, of whom."""

    identity: Identity
    answer: Callable[[Reader], Told]


class Details:
    """Answers questions in a thread, which is started with the first; any thread may ask.

    `tell` is called in that thread.
    """

    def __init__(self, roots: Roots, uid: int | None, tell: Callable[[Told], None]) -> None:
        self._roots = roots
        self._uid = uid
        self._tell = tell
        self._changed = threading.Condition()
        self._waiting: dict[str, _Question] = {}
        self._turn = 0  # which thread is the one that answers
        self._busy: tuple[Identity, float] | None = None
        self._closed = False

    def look(self, proc: Proc, snapshot: Snapshot, files: bool = True) -> None:
        """Ask for the details of a process; `files` for its open files, too."""
        self._ask("look", proc, lambda reader: reader.look(proc, snapshot, files))

    def mappings(self, proc: Proc) -> None:
        """Ask for its mappings."""
        self._ask("mappings", proc, lambda reader: reader.mappings(proc))

    def environment(self, proc: Proc) -> None:
        """Ask for its environment."""
        self._ask("environment", proc, lambda reader: reader.environment(proc))

    def close(self) -> None:
        """End the thread; does not wait for what it reads."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _ask(self, kind: str, proc: Proc, answer: Callable[[Reader], Told]) -> None:
        with self._changed:
            if self._closed:
                return
            self._waiting[kind] = _Question(proc.identity, answer)
            if self._turn == 0 or self._stuck(proc.identity):
                self._turn += 1
                self._busy = None
                args = (self._turn,)
                threading.Thread(target=self._run, args=args, name="details", daemon=True).start()
            self._changed.notify_all()

    def _stuck(self, identity: Identity) -> bool:
        """Whether the reader hangs with another process than is asked for."""
        busy = self._busy
        if busy is None or busy[0] == identity:
            return False
        return time.monotonic() - busy[1] > _STUCK_S

    def _run(self, turn: int) -> None:
        reader = Reader(self._roots, self._uid)
        while (question := self._next(turn)) is not None:
            told = question.answer(reader)
            with self._changed:
                current = turn == self._turn and not self._closed
            if not current:
                return
            self._tell(told)

    def _next(self, turn: int) -> _Question | None:
        """Wait for a question; None when this thread is to end."""
        with self._changed:
            if turn == self._turn:
                self._busy = None
            while turn == self._turn and not self._closed:
                if self._waiting:
                    question = self._waiting.pop(next(iter(self._waiting)))
                    self._busy = question.identity, time.monotonic()
                    return question
                self._changed.wait()
        return None
