"""One process, held fast: pidfds, the start time that tells a reused PID, and `kill`.

A PID is a number that the kernel gives out again; a pidfd stays bound to one process. Open the
pidfd first, THEN compare the start time with the one that was shown: what agrees is proven.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from typing import NamedTuple

from memtui.kernel.errors import Gone, KernelError, Malformed, classify
from memtui.kernel.roots import LIVE, Roots, read_bytes

_PF_KTHREAD = 0x00200000
_PAGE = os.sysconf("SC_PAGE_SIZE")


class NotProcess(KernelError):
    """The number is a thread's, not a process's (ENOENT; EINVAL on older kernels)."""


class Stat(NamedTuple):
    """The part of `/proc/PID/stat` that decides what a signal would do.

    The masks hold bit N-1 for signal N; real-time signals are not in them.
    """

    pid: int
    comm: bytes
    state: str  # R S D Z T t X I
    ppid: int
    kernel_thread: bool
    start: int  # clock ticks since boot, field 22
    blocked: int
    ignored: int
    caught: int


def parse_stat(data: bytes) -> Stat:
    """Return what `/proc/PID/stat` says; the name may itself hold spaces and `)`.

    Raises Malformed.
    """
    head, _, tail = data.rpartition(b")")
    pid, _, comm = head.partition(b"(")
    f = tail.split()  # f[0] is field 3
    try:
        return Stat(
            pid=int(pid),
            comm=comm,
            state=f[0].decode("ascii"),
            ppid=int(f[1]),
            kernel_thread=bool(int(f[6]) & _PF_KTHREAD),
            start=int(f[19]),
            blocked=int(f[29]),
            ignored=int(f[30]),
            caught=int(f[31]),
        )
    except (ValueError, IndexError) as e:
        raise Malformed("/proc/PID/stat", f"not as proc(5) promises: {data[:80]!r}") from e


def read_stat(pid: int, roots: Roots = LIVE) -> Stat:
    """Read `/proc/PID/stat`. Raises Gone, Denied or Malformed."""
    return parse_stat(read_bytes(f"{roots.proc}/{pid}/stat"))


def parse_owner(data: bytes) -> tuple[int, int]:
    """Return (thread group id, real uid) of `/proc/PID/status`. Raises Malformed."""
    found = {}
    for line in data.splitlines():
        key, _, value = line.partition(b":")
        if key in (b"Tgid", b"Uid"):
            found[key] = value.split()
    try:
        return int(found[b"Tgid"][0]), int(found[b"Uid"][0])
    except (KeyError, IndexError, ValueError) as e:
        raise Malformed("/proc/PID/status", "no Tgid or Uid") from e


def read_owner(pid: int, roots: Roots = LIVE) -> tuple[int, int]:
    """Read (thread group id, real uid); a thread's tgid is not `pid`. Raises KernelError."""
    return parse_owner(read_bytes(f"{roots.proc}/{pid}/status"))


def read_rss(pid: int, roots: Roots = LIVE) -> int:
    """Read the resident size in bytes; 0 for kernel threads and zombies. Raises KernelError."""
    try:
        return int(read_bytes(f"{roots.proc}/{pid}/statm").split()[1]) * _PAGE
    except (IndexError, ValueError) as e:
        raise Malformed("/proc/PID/statm", "not seven numbers") from e


def read_cmdline(pid: int, roots: Roots = LIVE) -> bytes:
    """Read the command line, NUL between the arguments. Raises KernelError."""
    return read_bytes(f"{roots.proc}/{pid}/cmdline")


def open_pidfd(pid: int) -> int | None:
    """Return a pidfd of `pid`, or None where the kernel (< 5.3) or seccomp has none.

    A zombie can still be opened. Raises Gone, NotProcess or another KernelError.
    """
    try:
        return os.pidfd_open(pid)
    except OSError as e:
        if e.errno in (errno.ENOSYS, errno.EPERM):
            return None
        if e.errno in (errno.ENOENT, errno.EINVAL):
            raise NotProcess(f"PID {pid}", "a thread, not a process") from e
        raise classify(e, f"PID {pid}") from e
    except OverflowError as e:
        raise Gone(f"PID {pid}", "no PID is that large") from e


def send_pidfd(fd: int, sig: int) -> None:
    """Send `sig` to the process that the pidfd is bound to. Raises Gone or Denied."""
    try:
        signal.pidfd_send_signal(fd, sig)
    except OSError as e:
        raise classify(e, "pidfd_send_signal") from e


def send_pid(pid: int, sig: int) -> None:
    """Send `sig` to whatever has the number `pid` now. Raises Gone or Denied."""
    try:
        os.kill(pid, sig)
    except OSError as e:
        raise classify(e, f"PID {pid}") from e


def wait_exit(fd: int, timeout_s: float = 0.0) -> bool:
    """Return whether the process has ended (a zombie has), waiting `timeout_s` for it."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
