"""Kills of the last hours that concern us: from the kernel log, and from memtui's own record."""

from __future__ import annotations

import contextlib
import time
from contextlib import closing

from memtui.kernel.errors import KernelError
from memtui.kernel.levels import at_or_below
from memtui.kernel.oomlog import LogKill
from memtui.model.ownkills import Known, as_event, merge
from memtui.model.snapshot import Quota
from memtui.model.victims import OomEvent
from memtui.services.kernellog import NoLog, open_kernel_log, wait
from memtui.services.store import KillLog
from memtui.text import decode

_PATIENCE_S = 3.0  # for a journal that is slow


def recent_kills(quota: Quota, over_s: float) -> list[OomEvent]:
    """Return the kills of the last `over_s` seconds in our groups; each once. Raises nothing."""
    since = time.time() - over_s
    own = [e for e in KillLog().read() if e.time >= since]
    known = [k for k in merge(_logged(since), own) if k.event or _is_ours(k, quota)]
    events = {e.id: e for e in map(as_event, known)}
    return sorted(events.values(), key=lambda e: e.time, reverse=True)


def our_top(quota: Quota) -> str:
    """Return the highest of our groups that is not the root of all."""
    return next((lv.path for lv in reversed(quota.levels) if lv.path != "/"), "/")


def _is_ours(known: Known, quota: Quota) -> bool:
    kill = known.kill
    if kill.scope == "global" or kill.task_memcg is None:
        return kill.scope == "global"
    return at_or_below(decode(kill.task_memcg), our_top(quota))


def _logged(since: float) -> list[LogKill]:
    """What the kernel log tells; nothing where it may not be read."""
    log = open_kernel_log(since, follow=False, records=False)
    if isinstance(log, NoLog):
        return []
    found: dict[int, LogKill] = {}
    end = time.monotonic() + _PATIENCE_S
    with closing(log), contextlib.suppress(KernelError):
        while True:
            found |= {told.id: told for told in log.read() if isinstance(told, LogKill)}
            if log.ended or time.monotonic() > end:
                break
            wait(log, _PATIENCE_S)
    return list(found.values())
