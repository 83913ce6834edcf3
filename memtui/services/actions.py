"""Acting on processes: a signal goes to the process that was shown, or nowhere.

A `Target` is bound when the dialog opens: pidfd first, then the start time is compared with the
row's. Every answer is words for the user; nothing here raises to the UI.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from memtui.kernel import pidfd, procfs
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.procfs import Masks, Stat
from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Identity, Proc
from memtui.services.identify import command_line, user_name
from memtui.services.signals import is_ending, name_of, waits_for_continue
from memtui.text import safe, show
from memtui.units import size

PATIENCE_S = 5.0
"""Seconds after which a process that is still there is worth a stronger signal."""
_REAP_S = 0.3  # a living parent collects its child sooner

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
            self.refusal = _refused(e, f"PID {pid}")
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
            self.refusal = _refused(e, who)
            return False
        if self.start < 0:
            self.start, self.name = stat.start, show(stat.comm)
        self.refusal = self._judge(stat, tgid)
        return self.refusal is None

    def _judge(self, stat: Stat, tgid: int) -> Outcome | None:
        if stat.start != self.start:
            return _reused(self.pid)
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


class Actions:
    """What may be done to processes; with `readonly` nothing may, whoever asks.

    `why` is the sentence for a refusal: a recording and `--root` are read-only as well.
    """

    def __init__(
        self, readonly: bool = False, why: str = "memtui runs read-only: nothing was sent"
    ) -> None:
        self.readonly = readonly
        self.killed: set[Identity] = set()  # whom SIGKILL was sent to: not a stranger's doing
        self._why = why

    def send(self, target: Target, sig: int, confirmed: bool = False) -> Outcome:
        """Send `sig` to the very process that was shown. Never raises.

        Where `needs_confirmation` has a sentence, `confirmed` must be true.
        """
        if self.readonly:
            return Outcome("readonly", self._why)
        if target.refusal is not None:
            return target.refusal
        if not confirmed and (why := needs_confirmation(target)):
            return Outcome("unconfirmed", why)
        before = target.look()
        if target.ended():
            return _gone(target)
        try:
            if sig == signal.SIGKILL:
                self.killed.add(target.identity)
            target.deliver(sig)
        except Gone:
            return _gone(target)
        except Denied:
            return Outcome("denied", f"{target.label}: {_not_permitted(target.pid)}")
        except (KernelError, OverflowError) as e:
            return _refused(e, target.label)
        note = _note(before, sig) if before is not None else ""
        return Outcome("sent", f"{name_of(sig)} sent to {target.label}{note}")

    def watch(self, target: Target, sig: int, usage: int | None = None) -> Watch:
        """Follow what `sig` brought; `usage` is the binding level's now, in bytes."""
        return Watch(target, sig, usage)


class Verdict(NamedTuple):
    """What became of the process since the signal; `text` is safe to display."""

    state: Literal["waiting", "alive", "ended", "uncollected"]
    text: str
    offer_kill: bool = False
    came_back: int | None = None  # bytes, before - after; None where the usage is unknown

    @property
    def final(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.state in ("ended", "uncollected")


class Watch:
    """Follows one signalled process until it ends. Ask `check` as often as you like."""

    def __init__(
        self,
        target: Target,
        sig: int,
        usage: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.sig = sig
        self._before = usage
        self._clock = clock
        self._since = clock()
        self._died: float | None = None

    def check(self, usage: int | None = None) -> Verdict:
        """Return how it stands; `usage` is the binding level's, read just now (bytes)."""
        now = self._clock()
        if not self.target.ended():
            return self._alive(now - self._since)
        self._died = now if self._died is None else self._died
        zombie = self.target.look()
        if zombie is not None and now - self._died < _REAP_S:
            return Verdict("waiting", f"{self.target.label} is ending")
        back = None if usage is None or self._before is None else self._before - usage
        how = "ended" if zombie is None else _uncollected(zombie.stat)
        text = f"{self.target.label} {how}; {_memory(self.target.rss, back)}"
        return Verdict("ended" if zombie is None else "uncollected", text, False, back)

    def _alive(self, age_s: float) -> Verdict:
        who, name = self.target.label, name_of(self.sig)
        if not is_ending(self.sig):
            return Verdict("alive", f"{who} is alive after {name}")
        if age_s < PATIENCE_S:
            return Verdict("waiting", f"waiting for {who} to end ({int(age_s)} s)")
        look = self.target.look()
        why = _why_alive(look, self.sig) if look is not None else ""
        text = f"{who} is still there {int(age_s)} s after {name}{why}"
        return Verdict("alive", text, offer_kill=self.sig != 9)


def needs_confirmation(target: Target) -> str | None:
    """Return why a signal to `target` wants a second, explicit yes; None where it does not."""
    me = os.getpid()
    if target.pid == me:
        return "this is memtui itself"
    if target.pid == 1:
        return "PID 1 is the first process: when it ends, the whole machine or container ends"
    if target.pid in ancestors(me):
        return f"memtui runs inside {target.label}: when it ends, this session may end too"
    return None


def ancestors(pid: int) -> list[int]:
    """Return the parent of `pid`, its parent, and so on, as far as can be seen."""
    found: list[int] = []
    while pid > 1:
        try:
            pid = procfs.read_stat(LIVE, pid).ppid
        except KernelError:
            break
        if pid <= 0 or pid in found:
            break
        found.append(pid)
    return found


def _refused(error: Exception, who: str) -> Outcome:
    if isinstance(error, Gone):
        return Outcome("gone", f"{who} is already gone")
    if isinstance(error, pidfd.NotProcess):
        return Outcome("thread", f"{who} is a thread of another process: not sent")
    if isinstance(error, Denied):
        return Outcome("denied", f"{who} is hidden from this user: run memtui as root")
    return Outcome("error", f"{who}: not sent ({safe(str(error))})")


def _gone(target: Target) -> Outcome:
    try:
        stat = procfs.read_stat(LIVE, target.pid)
    except KernelError as e:
        return _refused(e, target.label)
    if stat.start != target.start:
        return _reused(target.pid)
    return Outcome("gone", f"{target.label} {_uncollected(stat)}: a signal does nothing")


def _reused(pid: int) -> Outcome:
    return Outcome("reused", f"PID {pid} is another process now: not sent")


def _not_permitted(pid: int) -> str:
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


def _uncollected(stat: Stat) -> str:
    return f"ended, its parent (PID {stat.ppid}) has not collected it"


def _has(mask: int, sig: int) -> bool:
    return bool(mask >> (sig - 1) & 1)


def _note(look: Look, sig: int) -> str:
    """Return what the kernel already knows about how this signal will be taken."""
    name = name_of(sig)
    stat, masks = look
    if stat.pid == 1 and not _has(masks.caught, sig):
        return f": PID 1 ignores {name}, which it has no handler for"
    if stat.state in b"Tt" and waits_for_continue(sig):
        how = "traced by a debugger" if stat.state == b"t" else "stopped"
        return f": {how}: it will act on {name} when continued"
    if _has(masks.ignored, sig):
        return f": it ignores {name}"
    if _has(masks.blocked, sig):
        return f": it blocks {name} for now"
    return ""


def _why_alive(look: Look, sig: int) -> str:
    if look.stat.state == b"D":
        return ": in uninterruptible sleep (D), it ends when the disk, NFS or FUSE answers"
    if note := _note(look, sig):
        return note
    return ": it handles the signal itself" if _has(look.masks.caught, sig) else ""


def _memory(rss: int, back: int | None) -> str:
    if back is None:
        return f"it held {size(rss)}"
    if back > 0:
        return f"{size(back)} came back"
    if back < 0:
        return f"it held {size(rss)}, yet usage rose by {size(-back)} meanwhile"
    return f"it held {size(rss)}, usage is the same"
