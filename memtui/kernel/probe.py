"""What this kernel would let us do: each question asked by doing it, nothing left behind.

Only of the running machine. Sources: Documentation/admin-guide/cgroup-v1/memory.rst (section 9),
cgroup-v2.rst (file modified events), include/uapi/linux/pidfd.h, include/linux/proc_ns.h,
Documentation/filesystems/proc.rst (mount options).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import NamedTuple

from memtui.kernel import procfs
from memtui.kernel.errors import Denied, KernelError, classify
from memtui.kernel.files import parse_number
from memtui.kernel.mounts import parse_mountinfo
from memtui.kernel.oomnotify import open_oom_notice
from memtui.kernel.pidfd import exit_status
from memtui.kernel.roots import LIVE, Roots, read_optional
from memtui.text import decode

KMSG = "/dev/kmsg"
CAP_SYS_PTRACE, CAP_SYSLOG = 19, 34  # include/uapi/linux/capability.h
_FIRST = {"pid": 4026531836, "cgroup": 4026531835}  # PROC_PID_INIT_INO, PROC_CGROUP_INIT_INO


class Readable(NamedTuple):
    """How many processes with memory there are, and how many show their smaps_rollup."""

    own: int  # of our own user
    own_of: int
    others: int
    others_of: int


def read_kmsg() -> None:
    """Open the kernel log for reading. Raises a KernelError where that is refused."""
    try:
        os.close(os.open(KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as e:
        raise classify(e, KMSG) from e


def read_dmesg_restrict(roots: Roots = LIVE) -> int | None:
    """Return kernel.dmesg_restrict: 1 asks for CAP_SYSLOG."""
    return parse_number(read_optional(roots.at("/proc/sys/kernel/dmesg_restrict")))


def has_capability(number: int) -> bool:
    """Whether CapEff of /proc/self/status holds the capability `number`."""
    status = read_optional("/proc/self/status") or b""
    _, found, rest = status.partition(b"\nCapEff:")
    with contextlib.suppress(ValueError, IndexError):
        return bool(found) and bool(int(rest.split(None, 1)[0], 16) >> number & 1)
    return False


def read_release(roots: Roots) -> str | None:
    """Return the kernel's release, as /proc/version has it."""
    words = (read_optional(roots.at("/proc/version")) or b"").split()[:3]
    return decode(b" ".join((words[0], words[2]))) if len(words) == 3 else None


def in_first_namespace(kind: str) -> bool | None:
    """Whether we are in the machine's first `pid` or `cgroup` namespace; None: not told."""
    try:
        return os.stat(f"/proc/self/ns/{kind}").st_ino == _FIRST[kind]
    except OSError:
        return None


def read_hidepid(roots: Roots = LIVE) -> str | None:
    """Return the `hidepid` of /proc's mount where it hides anything, else None."""
    data = read_optional(roots.at("/proc/self/mountinfo")) or b""
    for mount in parse_mountinfo(data, b"proc"):
        for option in mount.options if mount.point == "/proc" else ():
            name, _, value = option.partition("=")
            if name == "hidepid" and value not in ("0", "off"):
                return value
    return None


def sees_others(roots: Roots = LIVE) -> bool:
    """Whether process 1, which is never ours unless we are it, is shown."""
    return read_optional(procfs.path_of(roots, 1, "stat")) is not None


def try_notice(version: int, directory: str) -> None:
    """Ask to be told of OOMs in the group at `directory`, and withdraw. Raises a KernelError."""
    os.close(open_oom_notice(version, "", directory).fd)


def in_child(work: Callable[[], object]) -> OSError | None:
    """Do `work` in a fork that ends at once; return the OSError that it met.

    For programs without threads. The child is reaped.
    """
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            work()
            status = 0
        except OSError as e:
            status = min(e.errno or 254, 254)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        return None
    number = status if 0 < status < 254 else errno.EIO
    return OSError(number, os.strerror(number))


def tells_exits() -> bool | None:
    """Whether a pidfd tells how a process ended, after it was reaped (Linux 6.15).

    None where there is no pidfd to ask. A child is born for it, which ends at once.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    fd = -1
    with contextlib.suppress(OSError, AttributeError):
        fd = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    if fd < 0:
        return None
    try:
        return exit_status(fd) is not None
    finally:
        os.close(fd)


def _shows_rollup(roots: Roots, pid: str) -> bool | None:
    """Whether smaps_rollup opens: permission is checked then. None: no memory, or gone."""
    path = procfs.path_of(roots, pid, "smaps_rollup")
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as e:
        denied = isinstance(classify(e, path), Denied)
        return False if denied or (not roots.live and e.errno == errno.ENOENT) else None
    return True


def count_rollups(roots: Roots, own_uid: int | None) -> Readable:
    """Return how many processes show their PSS, our own user's and others'.

    Raises a KernelError where /proc cannot be listed. About 50 us for each process.
    """
    counts = {True: [0, 0], False: [0, 0]}
    for pid in procfs.list_pids(roots):
        with contextlib.suppress(KernelError):
            if not procfs.read_statm(roots, pid).virt:
                continue
            shown = _shows_rollup(roots, pid)
            if shown is not None:
                found = counts[own_uid is None or procfs.read_uid(roots, pid) == own_uid]
                found[0] += shown
                found[1] += 1
    return Readable(*counts[True], *counts[False])
