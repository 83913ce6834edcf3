"""Which way a command would be held to its limit, in words, before it is started."""

from __future__ import annotations

from memtui.model.limits import AS, CGROUP, DATA, SYSTEMD, WATCH
from memtui.services.limits import limiter_of, order

_WORDS = {
    CGROUP: "cgroup: all processes together, swap too; killed at the limit",
    SYSTEMD: "systemd scope: all processes together; killed at the limit",
    WATCH: "watchdog: memtui looks at all processes, and kills at the limit",
    DATA: "RLIMIT_DATA: private memory of each process; allocations fail",
    AS: "RLIMIT_AS: address space of each process; node, java and Go reserve much",
}


def foresee(method: str) -> tuple[str, str]:
    """Return what `method` means here, and why it is nothing better or cannot be had, or "".

    Only looks: a method that seems possible may still be refused.
    """
    reasons: list[str] = []
    for each in order() if method == "auto" else (method,):
        why = limiter_of(each).probe()
        if why is None:
            return _WORDS[each], "; ".join(reasons) if each == WATCH else ""
        reasons.append(f"no {each}: {why}")
    return "cannot be had here", "; ".join(reasons)
