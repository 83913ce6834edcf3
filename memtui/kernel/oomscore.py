"""What the OOM killer goes by beside resident memory, and the switches that turn it aside.

Sources: mm/oom_kill.c (`oom_badness`, `out_of_memory`), mm/memcontrol.c, and
Documentation/filesystems/proc.rst, admin-guide/sysctl/vm.rst, admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator

from memtui.kernel import procfs
from memtui.kernel.errors import Denied, Gone, KernelError, Malformed, classify
from memtui.kernel.files import find_field, parse_number
from memtui.kernel.oomcount import children
from memtui.kernel.roots import LIVE, Roots, read_bytes, read_line, read_optional

_GROUPS = 64  # walked at most when members are counted


def read_adj(roots: Roots, pid: int) -> int:
    """Return /proc/PID/oom_score_adj, -1000 (never) to 1000 (first). Raises a KernelError."""
    path = procfs.path_of(roots, pid, "oom_score_adj")
    try:
        return int(read_line(path))
    except ValueError:
        raise Malformed(path, "not a number") from None


class TooLow(Denied):
    """Below what was last set with CAP_SYS_RESOURCE (usually 0): that takes the capability."""


def change_adj(pid: int, start: int, value: int) -> int:
    """Write the oom_score_adj of the process that began at `start`; return what it reads then.

    It is written through the directory of that very process, so never to another one with its
    PID. Who owns a process may raise it, and lower it as far as `oom_score_adj_min`, which is
    told nowhere: the value last set by who had CAP_SYS_RESOURCE (fs/proc/base.c, __set_oom_adj).
    Raises Gone, TooLow, Denied (another user's, or not dumpable) or another KernelError.
    """
    with _held(pid) as (held, path):
        _check_start(held, start, path)
        written = _write_adj(held, value, path)
        _check_start(held, start, path)
        return written


def start_with_adj(pid: int, value: int) -> None:
    """Write the oom_score_adj of a child of ours that waits to begin. Raises a KernelError."""
    with _held(pid) as (held, path):
        _write_adj(held, value, path)


@contextlib.contextmanager
def _held(pid: int) -> Iterator[tuple[int, str]]:
    """Open a process's directory; with it comes the path to name when something goes wrong."""
    path = procfs.path_of(LIVE, pid, "oom_score_adj")
    try:
        held = os.open(f"{LIVE.proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise classify(e, path) from e
    try:
        yield held, path
    finally:
        os.close(held)


def _check_start(held: int, start: int, path: str) -> None:
    try:
        fd = os.open("stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=held)
        try:
            stat = procfs.parse_stat(os.read(fd, 4096))
        finally:
            os.close(fd)
    except KernelError:
        raise
    except OSError as e:
        raise classify(e, path) from e
    if stat.start != start:
        raise Gone(path, "not the process that was shown")


def _write_adj(held: int, value: int, path: str) -> int:
    try:
        fd = os.open("oom_score_adj", os.O_RDWR | os.O_CLOEXEC, dir_fd=held)
    except OSError as e:
        raise classify(e, path) from e
    try:
        os.write(fd, str(value).encode())
        return int(os.pread(fd, 64, 0))
    except PermissionError as e:
        raise TooLow(path, e.strerror or str(e)) from e
    except OSError as e:
        raise classify(e, path) from e
    except ValueError:
        raise Malformed(path, "not a number") from None
    finally:
        os.close(fd)


def _kib(data: bytes, key: bytes) -> int | None:
    lead = b"\n" + key + b":"
    i = data.find(lead)
    end = data.find(b" kB\n", i) if i >= 0 else -1
    kib = parse_number(data[i + len(lead) : end]) if end >= 0 else None
    return None if kib is None else kib << 10


def parse_sizes(data: bytes) -> tuple[int | None, int | None]:
    """Return (swap, page tables) in bytes from `status`; both 0 without an address space.

    VmPTE holds all page tables since Linux 4.15; before, VmPMD told the rest.
    """
    if b"\nVmSize:" not in data:
        return 0, 0
    tables = _kib(data, b"VmPTE")
    if tables is not None:
        tables += _kib(data, b"VmPMD") or 0
    return _kib(data, b"VmSwap"), tables


def read_sizes(roots: Roots, pid: int) -> tuple[int | None, int | None]:
    """Return the swap and the page tables of a process in bytes. Raises a KernelError."""
    return parse_sizes(read_bytes(procfs.path_of(roots, pid, "status")))


def read_group_kill(directory: str) -> bool:
    """Whether a cgroup dies as a whole: `memory.oom.group` (v2, 4.19+)."""
    return parse_number(read_optional(directory.rstrip("/") + "/memory.oom.group")) == 1


def read_killer_off(directory: str) -> bool:
    """Whether v1's OOM killer is off in a cgroup: its tasks sleep in place of a kill."""
    data = read_optional(directory.rstrip("/") + "/memory.oom_control") or b""
    return find_field(data, b"oom_kill_disable", whole=False) == 1


def read_vm(roots: Roots, name: str) -> int | None:
    """Return the number in /proc/sys/vm/`name`; None where it is not told."""
    return parse_number(read_optional(f"{roots.proc}/sys/vm/{name}"))


def read_swappiness(roots: Roots, v1_directory: str | None) -> int | None:
    """Return what decides whether a cgroup's limit counts swap: 0 means that it does not."""
    if v1_directory is None:
        return read_vm(roots, "swappiness")
    return parse_number(read_optional(v1_directory.rstrip("/") + "/memory.swappiness"))


def _listed(directory: str) -> list[bytes]:
    """The lines of cgroup.procs of a cgroup and of those below it."""
    queue, found, walked = deque([("/", directory.rstrip("/"))]), [], 0
    while queue and walked < _GROUPS:
        path, place = queue.popleft()
        walked += 1
        found += (read_optional(place + "/cgroup.procs") or b"").split()
        queue.extend((p, d) for p, d, _ in children(path, place))
    return found


def _readable(roots: Roots, pid: bytes) -> bool:
    try:
        procfs.read_stat(roots, pid.decode())
    except KernelError:
        return False
    return True


def count_hidden(roots: Roots, directory: str, known: set[int]) -> int:
    """Return how many members of a cgroup and those below are not to be seen in /proc.

    v2 lists a member of a PID namespace that is not below ours as 0; v1 leaves it out. `known`
    are PIDs that were seen; a newborn is not hidden, nor is one that ended meanwhile.
    """
    first = _listed(directory)
    strange = {p for p in first if p != b"0" and int(p) not in known}
    unseen = {p for p in strange if not _readable(roots, p)}
    still = unseen.intersection(_listed(directory)) if unseen else unseen
    return first.count(b"0") + len(still)
