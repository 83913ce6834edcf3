"""/proc/PID: one parser and one reader for each file (Documentation/filesystems/proc.rst).

Parsers take the file's bytes; readers raise Gone, Denied or Malformed. Sizes are bytes.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memtui.kernel.errors import Malformed, classify
from memtui.kernel.roots import LIVE, Roots, read_bytes, read_line, read_optional

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PF_KTHREAD = 0x00200000  # include/linux/sched.h


class Stat(NamedTuple):
    """/proc/PID/stat, without its memory fields: field 24 is inexact since Linux 6.2."""

    pid: int
    comm: bytes
    state: bytes  # one letter
    ppid: int
    kernel_thread: bool  # PF_KTHREAD in field 9
    majflt: int  # faults that needed I/O, since the start
    cpu_ticks: int  # utime + stime, in clock ticks
    nice: int
    threads: int
    start: int  # clock ticks since boot
    prio: int = 20  # field 18: 20 + nice; of a real-time process -1 - its priority


class Statm(NamedTuple):
    """/proc/PID/statm in bytes: exact on every kernel, unlike `stat`."""

    virt: int
    rss: int
    shr: int


NO_MEMORY = Statm(0, 0, 0)


def parse_stat(data: bytes) -> Stat:
    """Return the record of one `stat` line. The name lies between the first ( and the last )."""
    try:
        i, j = data.index(b"("), data.rindex(b")")
        f = data[j + 2 :].split(b" ", 20)
        return Stat(
            int(data[:i]),
            data[i + 1 : j],
            f[0],
            int(f[1]),
            bool(int(f[6]) & _PF_KTHREAD),
            int(f[9]),
            int(f[11]) + int(f[12]),
            int(f[16]),
            int(f[17]),
            int(f[19]),
            int(f[15]),
        )
    except (ValueError, IndexError):
        raise Malformed("stat", f"not a stat line: {data[:80]!r}") from None


def _fields(data: bytes) -> list[bytes]:
    """The fields of a `stat` line behind the name; [0] is field 3."""
    return data[data.rfind(b")") + 1 :].split()


class Masks(NamedTuple):
    """The signal masks of a `stat` line: bit N-1 is signal N; real-time signals are not there."""

    blocked: int
    ignored: int
    caught: int


def parse_masks(data: bytes) -> Masks:
    """Return how a process takes signals, from its `stat` line. Raises Malformed.

    Apart from `parse_stat`, which is called for each process that ran, each second.
    """
    f = _fields(data)
    try:
        return Masks(int(f[29]), int(f[30]), int(f[31]))
    except (ValueError, IndexError):
        raise Malformed("stat", f"no signal masks: {data[:80]!r}") from None


class Kin(NamedTuple):
    """The fields of a `stat` line that say whose a process is."""

    state: bytes
    ppid: int
    session: int
    start: int  # clock ticks since boot
    threads: int = 1

    @property
    def living(self) -> bool:
        """Whether it has not ended; a zombie has."""
        return self.state not in b"ZX"


def parse_kin(data: bytes) -> Kin | None:
    """Return the kin of one `stat` line; None if it is none."""
    f = _fields(data)
    try:
        return Kin(f[0], int(f[1]), int(f[3]), int(f[19]), int(f[17]))
    except (IndexError, ValueError):
        return None


def parse_statm(data: bytes) -> Statm:
    """Return the three sizes of one `statm` line."""
    try:
        f = data.split(b" ", 3)
        return Statm(int(f[0]) * PAGE, int(f[1]) * PAGE, int(f[2]) * PAGE)
    except (ValueError, IndexError):
        raise Malformed("statm", f"not a statm line: {data[:80]!r}") from None


def parse_kb_table(data: bytes) -> dict[str, int]:
    """Return the `Name:  N kB` lines of `status` or `smaps_rollup`, in bytes."""
    table = {}
    for line in data.splitlines():
        name, _, value = line.partition(b":")
        number, _, unit = value.strip().partition(b" ")
        if unit == b"kB" and number.isdigit():
            table[name.decode("ascii", "replace")] = int(number) * 1024
    return table


def parse_uid(data: bytes) -> int | None:
    """Return the effective user id from `status`, or None where it is not told."""
    _, found, rest = data.partition(b"\nUid:")
    fields = rest.split(None, 2)
    return int(fields[1]) if found and len(fields) > 1 and fields[1].isdigit() else None


def parse_owner(data: bytes) -> tuple[int, int]:
    """Return (thread group id, real user id) from `status`. Raises Malformed."""
    found = {}
    for line in data.splitlines():
        key, _, value = line.partition(b":")
        if key in (b"Tgid", b"Uid"):
            found[key] = value.split()
    try:
        return int(found[b"Tgid"][0]), int(found[b"Uid"][0])
    except (KeyError, IndexError, ValueError):
        raise Malformed("status", "no Tgid or Uid") from None


def parse_limit(data: bytes, name: bytes) -> int | None:
    """Return the soft limit `name` ("Max data size") in `limits`; None: unlimited, or not told."""
    for line in data.splitlines():
        if line.startswith(name):
            word = line[len(name) :].split(None, 1)[:1]
            return int(word[0]) if word and word[0].isdigit() else None
    return None


def parse_memory_rlimit(data: bytes) -> int | None:
    """Return the smaller of RLIMIT_AS and RLIMIT_DATA from `limits`; None where both are open."""
    both = (parse_limit(data, b"Max address space"), parse_limit(data, b"Max data size"))
    return min((n for n in both if n is not None), default=None)


class Rollup(NamedTuple):
    """/proc/PID/smaps_rollup in bytes; None where the kernel has no such line."""

    pss: int | None
    uss: int | None  # Private_Clean + Private_Dirty + Private_Hugetlb
    swap: int | None
    pss_anon: int | None = None  # what killing the process gives back; since Linux 5.4
    anon: int | None = None  # Anonymous: as much as `pss_anon` where nothing of it is shared


def parse_rollup(data: bytes) -> Rollup:
    """Return what `smaps_rollup` says of shared and private memory."""
    table = parse_kb_table(data)
    private = [v for k, v in table.items() if k.startswith("Private_")]
    uss = sum(private) if private else None
    anon = table.get("Anonymous")
    return Rollup(table.get("Pss"), uss, table.get("Swap"), table.get("Pss_Anon"), anon)


def path_of(roots: Roots, pid: int | str, name: str) -> str:
    """Return where /proc/PID/`name` lies."""
    return f"{roots.proc}/{pid}/{name}"


def read_stat(roots: Roots, pid: int | str) -> Stat:
    """Return /proc/PID/stat."""
    return parse_stat(read_line(path_of(roots, pid, "stat")))


def read_masked(roots: Roots, pid: int | str) -> tuple[Stat, Masks]:
    """Return /proc/PID/stat with the signal masks of the same moment."""
    data = read_line(path_of(roots, pid, "stat"))
    return parse_stat(data), parse_masks(data)


def read_kin(pid: int | str, roots: Roots = LIVE) -> Kin | None:
    """Return whose process `pid` is; None once it is gone."""
    return parse_kin(read_optional(path_of(roots, pid, "stat")) or b"")


def read_owner(roots: Roots, pid: int | str) -> tuple[int, int]:
    """Return (thread group id, real user id); a thread's group id is not `pid`."""
    return parse_owner(read_bytes(path_of(roots, pid, "status")))


def read_limit(pid: int, name: bytes, roots: Roots = LIVE) -> int | None:
    """Return the soft limit that the kernel holds for `pid`; None: unlimited, or not told."""
    return parse_limit(read_optional(path_of(roots, pid, "limits")) or b"", name)


def read_memory_rlimit(roots: Roots, pid: int | str) -> int | None:
    """Return the smaller of RLIMIT_AS and RLIMIT_DATA of a process. Raises a KernelError."""
    return parse_memory_rlimit(read_bytes(path_of(roots, pid, "limits")))


def read_statm(roots: Roots, pid: int | str) -> Statm:
    """Return /proc/PID/statm."""
    return parse_statm(read_line(path_of(roots, pid, "statm")))


def read_rss_pages(roots: Roots, pid: str) -> int:
    """Return the RSS of `statm` in pages, to compare many processes quickly."""
    try:
        return int(read_line(f"{roots.root}/proc/{pid}/statm").split(b" ", 2)[1])
    except (ValueError, IndexError):
        raise Malformed("statm", "not a statm line") from None


def read_uid(roots: Roots, pid: int | str) -> int | None:
    """Return the effective user id.

    The owner of /proc/PID is the quick way; the kernel keeps it true even for processes that may
    not be dumped (fs/proc/base.c, task_dump_owner). In a captured tree the files belong to whoever
    captured it: there `status` says it.
    """
    if not roots.live:
        return parse_uid(read_bytes(path_of(roots, pid, "status")))
    try:
        return os.stat(f"{roots.proc}/{pid}").st_uid
    except OSError as e:
        raise classify(e, f"{roots.proc}/{pid}") from e


def read_status_sizes(roots: Roots, pid: int | str) -> dict[str, int]:
    """Return the memory lines of /proc/PID/status (VmHWM, VmSwap, ...); empty for no memory."""
    return parse_kb_table(read_bytes(path_of(roots, pid, "status")))


def read_oom_score_adj(roots: Roots, pid: int | str) -> int | None:
    """Return /proc/PID/oom_score_adj, -1000 (never) to 1000 (first)."""
    data = read_optional(path_of(roots, pid, "oom_score_adj")) or b""
    try:
        return int(data)
    except ValueError:
        return None


def read_exit_status(roots: Roots, pid: int | str) -> int | None:
    """Return the wait status of a zombie, from field 52 of its `stat`; None where not told.

    The kernel writes 0 for whoever may not trace the process, so 0 says nothing.
    """
    data = read_optional(path_of(roots, pid, "stat")) or b""
    fields = _fields(data)
    if len(fields) < 50 or fields[0] not in (b"Z", b"X"):
        return None
    return int(fields[49]) or None if fields[49].isdigit() else None


def read_boot_time(roots: Roots) -> int | None:
    """Return when the machine booted, in seconds since the epoch: `btime` of /proc/stat."""
    _, found, rest = (read_optional(roots.proc + "/stat") or b"").partition(b"\nbtime ")
    word = rest.split(None, 1)[:1]
    return int(word[0]) if found and word and word[0].isdigit() else None


def read_cmdline(roots: Roots, pid: int | str) -> bytes:
    """Return /proc/PID/cmdline: arguments separated by NUL; empty for kernel threads, zombies."""
    return read_bytes(path_of(roots, pid, "cmdline"))


def read_rollup(roots: Roots, pid: int | str) -> Rollup:
    """Return /proc/PID/smaps_rollup: costs about 10 ms per GiB, needs ptrace-read permission."""
    return parse_rollup(read_bytes(path_of(roots, pid, "smaps_rollup")))


def is_there(roots: Roots) -> bool:
    """Whether there is a /proc as Linux has it. A captured tree is one, whatever it lacks."""
    return not roots.live or os.path.exists(path_of(roots, "self", "stat"))


def list_pids(roots: Roots) -> list[str]:
    """Return the process directories of /proc, as text. Raises a KernelError."""
    try:
        return [n for n in os.listdir(roots.proc) if n[0] in "123456789" and n.isdigit()]
    except OSError as e:
        raise classify(e, roots.proc) from e
