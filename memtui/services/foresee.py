"""Which way a command would be held to its limit, in words, before it is started."""

from __future__ import annotations

from memtui.model.limits import AS, CGROUP, DATA
from memtui.services.cgrouplimit import CgroupLimiter

_WORDS = {
    CGROUP: "cgroup: all processes together, swap too; killed at the limit",
    DATA: "RLIMIT_DATA: private memory of each process; allocations fail",
    AS: "RLIMIT_AS: address space of each process; node, java and Go reserve much",
}


def foresee(method: str) -> tuple[str, str]:
    """Return what `method` means here, and why it is nothing better or cannot be had, or "".

    Only looks: a method that seems possible may still be refused.
    """
    if method in (DATA, AS):
        return _WORDS[method], ""
    why = CgroupLimiter().probe()
    if why is None:
        return _WORDS[CGROUP], ""
    if method == CGROUP:
        return "cannot be had here", str(why)
    return _WORDS[DATA], f"no cgroup: {why}"
