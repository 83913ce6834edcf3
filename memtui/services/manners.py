"""How a command is to behave towards others: nice, and who the OOM killer takes first."""

from __future__ import annotations

import os

from memtui.model.limits import Limits
from memtui.services.limiter import Unavailable


def apply_manners(pid: int, limits: Limits) -> None:
    """Set both on a process that has not begun yet. Raises Unavailable: the kernel refused."""
    if limits.nice is not None:
        _set_nice(pid, limits.nice)
    if limits.adj is not None:
        _set_adj(pid, limits.adj)


def _set_nice(pid: int, nice: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    except OSError as e:
        remedy = "less than now takes root or CAP_SYS_NICE"
        raise Unavailable(f"nice {nice} cannot be set: {e.strerror}", remedy) from e


def _set_adj(pid: int, adj: int) -> None:
    from memtui.kernel import oomscore

    try:
        oomscore.start_with_adj(pid, adj)
    except OSError as e:
        remedy = "less than now takes CAP_SYS_RESOURCE"
        raise Unavailable(f"oom_score_adj {adj} cannot be set: {e}", remedy) from e
