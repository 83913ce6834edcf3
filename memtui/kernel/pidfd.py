"""One process, held fast: pidfds and `kill`.

A PID is a number that the kernel gives out again; a pidfd stays bound to one process. Open the
pidfd first, THEN compare the start time (`procfs.read_stat`) with the one that was shown: what
agrees is proven.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import struct

from memtui.kernel.errors import Gone, KernelError, classify

_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), include/uapi/linux/pidfd.h
_INFO_EXIT = 1 << 3
_INFO = struct.Struct("=QQ11Ii")  # mask, cgroup ID, 11 IDs, exit code


class NotProcess(KernelError):
    """The number is a thread's, not a process's (ENOENT; EINVAL on older kernels)."""


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


def exit_status(fd: int) -> int | None:
    """Return the wait status of a process that has ended and was reaped (Linux 6.15).

    None before its parent reaped it, and on kernels that do not tell (ENOTTY before 6.13).
    `os.WIFSIGNALED` and the like explain it. Anybody who holds the pidfd may ask.
    """
    import fcntl  # `memtui run` sends signals, and never asks this

    asked = bytearray(_INFO.size)
    struct.pack_into("=Q", asked, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(fd, _GET_INFO, asked)
    except OSError:
        return None
    told = _INFO.unpack(asked)
    return int(told[-1]) if told[0] & _INFO_EXIT else None
