"""Acting on processes: a signal goes to the process that was shown, or nowhere.

Every answer is words for the user; nothing here raises to the UI.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from memtui.kernel import procfs
from memtui.kernel.errors import Denied, Gone, KernelError
from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Identity
from memtui.services.signals import name_of
from memtui.services.target import Outcome, Target, gone, not_permitted, note_on, refused
from memtui.services.watch import CrowdWatch, Watch


class Actions:
    """What may be done to processes; with `readonly` nothing may, whoever asks.

    `why` is the sentence for a refusal: a recording and `--root` are read-only as well.
    """

    def __init__(self, readonly: bool = False, why: str = "memtui runs read-only") -> None:
        self.readonly = readonly
        self.killed: set[Identity] = set()  # whom SIGKILL was sent to: not a stranger's doing
        self._why = why

    def send(self, target: Target, sig: int, confirmed: bool = False) -> Outcome:
        """Send `sig` to the very process that was shown. Never raises.

        Where `needs_confirmation` has a sentence, `confirmed` must be true.
        """
        if (forbidden := self.forbidden("nothing was sent")) is not None:
            return forbidden
        if target.refusal is not None:
            return target.refusal
        if not confirmed and (why := needs_confirmation(target)):
            return Outcome("unconfirmed", why)
        before = target.look()
        if target.ended():
            return gone(target)
        try:
            if sig == signal.SIGKILL:
                self.killed.add(target.identity)
            target.deliver(sig)
        except Gone:
            return gone(target)
        except Denied:
            self.killed.discard(target.identity)
            return Outcome("denied", f"{target.label}: {not_permitted(target.pid)}")
        except (KernelError, OverflowError) as e:
            return refused(e, target.label)
        note = note_on(before, sig) if before is not None else ""
        return Outcome("sent", f"{name_of(sig)} sent to {target.label}{note}")

    def forbidden(self, nothing: str) -> Outcome | None:
        """Return the refusal where nothing may be done, or None; `nothing` says what was not."""
        return Outcome("readonly", f"{self._why}: {nothing}") if self.readonly else None

    def watch(
        self, targets: Target | Sequence[Target], sig: int, usage: int | None = None
    ) -> Watch | CrowdWatch:
        """Follow what `sig` brought; `usage` is the binding level's now, in bytes."""
        if isinstance(targets, Target):
            return Watch(targets, sig, usage)
        return (
            Watch(targets[0], sig, usage) if len(targets) == 1 else CrowdWatch(targets, sig, usage)
        )


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
