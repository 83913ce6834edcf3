"""What can be done to processes here: signals that cannot miss, and runs under a limit."""

from __future__ import annotations

import contextlib
import os

from memtui.kernel import probe
from memtui.kernel.errors import KernelError
from memtui.kernel.pidfd import open_pidfd, send_pidfd
from memtui.model.finding import NO, OK, Finding
from memtui.model.limits import AS, CGROUP, DATA, SYSTEMD, WATCH, Limits
from memtui.services.checks.seen import Seen, not_in_files
from memtui.services.limiter import Limiter, Unavailable
from memtui.services.limits import Chosen, choose

_LIMIT = 64 << 20  # bytes; of a group that stays empty
_MEANS = {
    CGROUP: "all processes of a command together, ended by the kernel at the limit",
    SYSTEMD: "the same in a scope of systemd's",
    WATCH: "all processes of a command together, ended by memtui, which looks again and again",
    DATA: "each process by itself: its allocations fail (RLIMIT_DATA)",
    AS: "each process by itself, address space (RLIMIT_AS): breaks node, java, Go",
}


def _why_no_pidfd() -> str | None:
    if not hasattr(os, "pidfd_open"):
        return "this Python or system has no pidfd_open"
    try:
        fd = open_pidfd(os.getpid())
        if fd is None:
            return "the kernel (before 5.3) or a seccomp filter has no pidfd_open"
        try:
            send_pidfd(fd, 0)
        finally:
            os.close(fd)
    except KernelError as e:
        return str(e)
    return None


def check_pidfd(seen: Seen) -> Finding:
    """Say whether a signal can be bound to the process that was shown."""
    if not seen.live:
        return not_in_files("pidfd", "whether signals can be bound to a process")
    why = _why_no_pidfd()
    if why is None:
        return Finding("pidfd", OK, "a signal reaches the process that was shown, or nobody")
    means = "signals go by number, after a look at the start time"
    return Finding("pidfd", NO, means, why, "Linux 5.3, and a filter that lets pidfd_open through")


def check_exit(seen: Seen) -> Finding:
    """Say whether the kernel tells how somebody else's child ended."""
    if not seen.live:
        return not_in_files("exit_information", "whether a pidfd tells of exits")
    told = probe.tells_exits() if hasattr(os, "fork") else None
    if told:
        return Finding("exit_information", OK, "how any watched process ended is told by its pidfd")
    means = "how other processes end is not told: who was killed is inferred"
    why = "PIDFD_GET_INFO has no exit status here" if told is False else "there is no pidfd to ask"
    return Finding("exit_information", NO, means, why, "Linux 6.15 or newer")


def _enters(limiter: Limiter) -> None:
    """Try to enter as a command would. Raises Unavailable."""
    if error := probe.in_child(limiter.enter):
        raise Unavailable(f"the limit can be made, but not entered: {error.strerror}")


def _try(method: str) -> Chosen | Unavailable:
    """Prepare a limit, enter it with a child that ends at once, and take it away again."""
    try:
        chosen = choose(method, Limits(_LIMIT))
    except Unavailable as e:
        return e
    try:
        _enters(chosen.limiter)
    except Unavailable as e:
        return e
    finally:
        with contextlib.suppress(KernelError):
            chosen.limiter.close()
    return chosen


def _method(method: str, found: Chosen | Unavailable) -> Finding:
    name = f"run_{method}"
    if isinstance(found, Unavailable):
        return Finding(name, NO, _MEANS[method], found.reason, found.remedy or None)
    return Finding(name, OK, _MEANS[method])


def _auto(found: Chosen | Unavailable) -> Finding:
    if isinstance(found, Unavailable):
        means = "`memtui run` cannot hold a command to a limit here"
        return Finding("run_auto", NO, means, found.reason, found.remedy or None, {"method": None})
    method = found.limiter.method
    better = f"; {found.fallback.partition(' (')[0]}" if found.fallback else ", the best there is"
    means = f"`memtui run` chooses {method}{better}"
    return Finding(
        "run_auto", OK, means, facts={"method": method, "why_not_better": found.fallback}
    )


def check_run(seen: Seen) -> list[Finding]:
    """Say which ways to limit a command can be had, and which one `auto` takes."""
    if not seen.live:
        names = (*(f"run_{method}" for method in _MEANS), "run_auto")
        return [not_in_files(name, "whether a command could be limited so") for name in names]
    return [*(_method(m, _try(m)) for m in _MEANS), _auto(_try("auto"))]
