"""One process as it was shown, held fast: what an action is done to, and what it answers.

A `Target` is bound when the dialog opens: pidfd first, then the start time is compared with the
row's. Every answer is words for the user; nothing here raises to the UI.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

from memtui.kernel import pidfd, procfs
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.procfs import Masks, Stat
from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Identity, Proc
from memtui.services.identify import command_line, user_name
from memtui.services.signals import name_of, waits_for_continue
from memtui.text import safe, show

Kind = Literal[
    "sent",
    "readonly",
    "unconfirmed",
    "gone",
    "reused",
    "denied",
    "thread",
    "kernel-thread",
    "error",
]


class Outcome(NamedTuple):
    """What became of one signal: the kind for code, the sentence (safe to display) for people."""

    kind: Kind
    text: str

    @property
    def sent(self) -> bool:
        """Whether the kernel took the signal."""
        return self.kind == "sent"


class Look(NamedTuple):
    """What the kernel says of a target at one moment."""

    stat: Stat
    masks: Masks


class Target:
    """One process, frozen as it was shown. Holds a pidfd: `close` it, or use `with`.

    `refusal` says why no signal can go there; None while one can.
    """

    __slots__ = ("_fd", "command", "name", "pid", "refusal", "rss", "start", "uid", "user")

    def __init__(
        self, pid: int, start: int, name: str, command: str, uid: int | None, user: str, rss: int
    ) -> None:
        self.pid = pid
        self.start = start  # clock ticks since boot
        self.name = name
        self.command = command
        self.uid = uid
        self.user = user
        self.rss = rss  # bytes, as shown
        self._fd: int | None = None
        self.refusal: Outcome | None = None

    @classmethod
    def open(cls, proc: Proc) -> Target:
        """Bind the process of a row; where it is gone or reused, `refusal` says so."""
        self = cls(proc.pid, proc.start, proc.name, proc.command, proc.uid, proc.user, proc.rss)
        self._bind()
        return self

    @classmethod
    def open_pid(cls, pid: int) -> Target:
        """Bind a PID that was typed by hand: whoever has it at this moment is meant."""
        self = cls(pid, -1, "?", "?", None, "?", 0)
        if not self._bind():
            return self
        try:
            argv = procfs.read_cmdline(LIVE, pid)
            self.rss = procfs.read_statm(LIVE, pid).rss
        except KernelError as e:
            self.refusal = refused(e, f"PID {pid}")
            return self
        self.command = command_line(argv) or self.name
        self.user = user_name(self.uid)
        return self

    def _bind(self) -> bool:
        """Open the pidfd, THEN look who it is: what agrees afterwards is the one shown."""
        who = self.label if self.start >= 0 else f"PID {self.pid}"
        if self.pid <= 0:
            self.refusal = Outcome("error", f"{self.pid} is not a PID: a PID is 1 or more")
            return False
        try:
            self._fd = pidfd.open_pidfd(self.pid)
            stat = procfs.read_stat(LIVE, self.pid)
            tgid, self.uid = procfs.read_owner(LIVE, self.pid)
        except KernelError as e:
            self.refusal = refused(e, who)
            return False
        if self.start < 0:
            self.start, self.name = stat.start, show(stat.comm)
        self.refusal = self._judge(stat, tgid)
        return self.refusal is None

    def _judge(self, stat: Stat, tgid: int) -> Outcome | None:
        if stat.start != self.start:
            return reused(self.pid)
        if tgid != self.pid:
            return Outcome("thread", f"{self.pid} is a thread of PID {tgid}: not sent")
        if stat.kernel_thread:
            return Outcome("kernel-thread", f"{self.label} is a kernel thread: it takes no signals")
        return None

    @property
    def identity(self) -> Identity:
        """(pid, start time in clock ticks)."""
        return self.pid, self.start

    @property
    def label(self) -> str:
        """Name and PID, as messages call the process."""
        return f"{safe(self.name)} {self.pid}"

    @property
    def held(self) -> bool:
        """Whether a pidfd holds it; without one the start time is compared before each signal."""
        return self._fd is not None

    def look(self) -> Look | None:
        """Return its state now (Z while its parent has not collected it), or None when gone."""
        try:
            stat, masks = procfs.read_masked(LIVE, self.pid)
        except KernelError:
            return None
        return Look(stat, masks) if stat.start == self.start else None

    def deliver(self, sig: int) -> None:
        """Send `sig`. Raises Gone or Denied; without a pidfd the start time is checked first."""
        if self._fd is not None:
            pidfd.send_pidfd(self._fd, sig)
            return
        if self.look() is None:
            raise Gone(f"PID {self.pid}", "not the process that was shown")
        pidfd.send_pid(self.pid, sig)

    def ended(self) -> bool:
        """Whether it has died; a zombie has."""
        if self._fd is not None:
            return pidfd.wait_exit(self._fd)
        now = self.look()
        return now is None or now.stat.state in b"ZX"

    def close(self) -> None:
        """Let go of the pidfd. May be called twice."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
            self.refusal = self.refusal or Outcome("error", f"{self.label}: already let go")

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def refused(error: Exception, who: str) -> Outcome:
    """Return why nothing could be done to `who`, in words for the user."""
    if isinstance(error, Gone):
        return Outcome("gone", f"{who} is already gone")
    if isinstance(error, pidfd.NotProcess):
        return Outcome("thread", f"{who} is a thread of another process: not sent")
    if isinstance(error, Denied):
        return Outcome("denied", f"{who} is hidden from this user: run memtui as root")
    return Outcome("error", f"{who}: not sent ({safe(str(error))})")


def gone(target: Target) -> Outcome:
    """Return what became of a target that is not there any more."""
    try:
        stat = procfs.read_stat(LIVE, target.pid)
    except KernelError as e:
        return refused(e, target.label)
    if stat.start != target.start:
        return reused(target.pid)
    return Outcome("gone", f"{target.label} {uncollected(stat)}: a signal does nothing")


def reused(pid: int) -> Outcome:
    """Return the refusal for a PID that was given out again."""
    return Outcome("reused", f"PID {pid} is another process now: not sent")


def not_permitted(pid: int) -> str:
    """Return whose a process is that may not be acted on, and who could."""
    try:
        uid = procfs.read_owner(LIVE, pid)[1]  # anew: it may have become another user's by sudo
    except KernelError:
        return "not permitted"
    owner = f"not permitted: owned by {user_name(uid)}"
    if os.geteuid() == 0:
        return f"{owner} (root has no CAP_KILL here)"
    if uid == os.geteuid():
        return "not permitted, though it is yours: a sandbox or security module forbids it"
    how = "as root" if uid == 0 else "as root or as that user"
    return f"{owner} (run memtui {how})"


def uncollected(stat: Stat) -> str:
    """Return what is said of a zombie."""
    return f"ended, its parent (PID {stat.ppid}) has not collected it"


def has(mask: int, sig: int) -> bool:
    """Whether a signal mask of /proc/PID/stat has the signal `sig`."""
    return bool(mask >> (sig - 1) & 1)


def note_on(look: Look, sig: int) -> str:
    """Return what the kernel already knows about how this signal will be taken."""
    name = name_of(sig)
    stat, masks = look
    if stat.pid == 1 and not has(masks.caught, sig):
        return f": PID 1 ignores {name}, which it has no handler for"
    if stat.state in b"Tt" and waits_for_continue(sig):
        how = "traced by a debugger" if stat.state == b"t" else "stopped"
        return f": {how}: it will act on {name} when continued"
    if has(masks.ignored, sig):
        return f": it ignores {name}"
    if has(masks.blocked, sig):
        return f": it blocks {name} for now"
    return ""


def named(targets: Sequence[Target]) -> str:
    """Return `python3 4821`, or `12 processes (python3 4821 and 11 more)`."""
    if len(targets) == 1:
        return targets[0].label
    return f"{len(targets)} processes ({targets[0].label} and {len(targets) - 1} more)"
