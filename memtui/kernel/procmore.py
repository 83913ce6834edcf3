"""/proc/PID in depth: what is asked of one process that somebody looks at (proc(5)).

`procfs` has what is read of all of them. Readers raise Gone, Denied or another KernelError;
sizes are bytes. What needs ptrace-read permission (the same user and a process that may be
dumped, or CAP_SYS_PTRACE): smaps, environ, exe, cwd, fd, fdinfo.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from memtui.kernel.errors import classify
from memtui.kernel.procfs import parse_kb_table, path_of
from memtui.kernel.roots import Roots, read_bytes, read_optional

ANONYMOUS = b"<anonymous>"
"""What smem calls mappings without a name."""

_IN_MEMORY = ("tmpfs", "devtmpfs", "ramfs", "hugetlbfs")
_UNMOUNTED = (b"/memfd:", b"/SYSV", b"/dev/zero", b"/[aio]")  # the kernel's own tmpfs mount
_REMOTE = (
    "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "afs", "gpfs", "beegfs",
)  # fmt: skip
_GONE = b" (deleted)"


class Rlimit(NamedTuple):
    """One line of /proc/PID/limits; None is unlimited."""

    soft: int | None
    hard: int | None


class OpenFile(NamedTuple):
    """One open descriptor."""

    fd: int
    path: bytes  # as the link says, without " (deleted)": not safe to display
    size: int | None = None  # how long it is; None: no file, or not told
    taken: int | None = None  # what it takes (stat.st_blocks)
    deleted: bool = False  # no name is left: it goes with its last descriptor
    memory: bool = False  # it lies in memory: tmpfs, memfd, hugetlbfs
    why: str = ""  # why nothing is known of it

    @property
    def is_file(self) -> bool:
        """Whether it has a path, unlike pipes and sockets."""
        return self.path.startswith(b"/")


class Mapping(NamedTuple):
    """All mappings of one name, as `smem -m` sums them."""

    name: bytes  # a path, [heap], [stack], <anonymous>: not safe to display
    maps: int  # how many there are
    pss: int
    uss: int  # all Private_*
    rss: int
    swap: int
    virt: int


def parse_limits(data: bytes) -> dict[str, Rlimit]:
    """Return the lines of /proc/PID/limits by name ("Max open files")."""
    found = {}
    for line in data.splitlines()[1:]:
        words = line[25:].split()
        if len(words) > 1 and all(w.isdigit() or w == b"unlimited" for w in words[:2]):
            soft, hard = (int(w) if w.isdigit() else None for w in words[:2])
            found[line[:25].strip().decode("ascii", "replace")] = Rlimit(soft, hard)
    return found


def read_limits(roots: Roots, pid: int) -> dict[str, Rlimit]:
    """Return the resource limits of a process (getrlimit(2)), by the kernel's names."""
    return parse_limits(read_bytes(path_of(roots, pid, "limits")))


def read_rollup_table(roots: Roots, pid: int) -> dict[str, int]:
    """Return every line of smaps_rollup in bytes; costs about 10 ms per GiB."""
    return parse_kb_table(read_bytes(path_of(roots, pid, "smaps_rollup")))


def read_link(roots: Roots, pid: int, name: str) -> bytes:
    """Return where /proc/PID/exe or /cwd leads; a name that is gone ends in " (deleted)"."""
    path = path_of(roots, pid, name)
    try:
        return os.readlink(os.fsencode(path))
    except OSError as e:
        raise classify(e, path) from e


def read_environment(roots: Roots, pid: int) -> list[bytes]:
    """Return /proc/PID/environ, "NAME=value" each: as the program was started with.

    What it changed since is seen only where it writes it back there.
    """
    return [v for v in read_bytes(path_of(roots, pid, "environ")).split(b"\0") if v]


def parse_tty(data: bytes) -> str:
    """Return the terminal of a `stat` line as /dev calls it: "pts/3"; "" where there is none."""
    fields = data[data.rfind(b")") + 1 :].split()
    number = int(fields[4]) if len(fields) > 4 and fields[4].lstrip(b"-").isdigit() else 0
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if major == 136:  # Documentation/admin-guide/devices.txt
        return f"pts/{minor}"
    if major == 4 and minor:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return ""


def read_tty(roots: Roots, pid: int) -> str:
    """Return the terminal that a process has; "" where it has none."""
    return parse_tty(read_bytes(path_of(roots, pid, "stat")))


# -- open files


def list_descriptors(roots: Roots, pid: int) -> list[int]:
    """Return the open descriptors of a process, in order."""
    path = path_of(roots, pid, "fd")
    try:
        return sorted(int(n) for n in os.listdir(path) if n.isdigit())
    except OSError as e:
        raise classify(e, path) from e


def mount_types(data: bytes) -> dict[bytes, str]:
    """Return the file system's type of each mount ID of a mountinfo file."""
    found = {}
    for line in data.splitlines():
        left, _, right = line.partition(b" - ")
        number, kind = left.split(b" ", 1)[0], right.split(b" ", 1)[0]
        if number.isdigit() and kind:
            found[number] = kind.decode("ascii", "replace")
    return found


def read_mount_types(roots: Roots, pid: int) -> dict[bytes, str]:
    """Return the types of the mounts that a process sees, and of those that we see."""
    ours = read_optional(roots.proc + "/self/mountinfo") or b""
    return mount_types(ours) | mount_types(read_optional(path_of(roots, pid, "mountinfo")) or b"")


def read_files(
    roots: Roots, pid: int, fds: Iterable[int], types: dict[bytes, str]
) -> list[OpenFile]:
    """Return what these descriptors are; one that was closed meanwhile is left out."""
    found = (_read_file(roots, pid, fd, types) for fd in fds)
    return [f for f in found if f is not None]


def _read_file(roots: Roots, pid: int, fd: int, types: dict[bytes, str]) -> OpenFile | None:
    path = path_of(roots, pid, f"fd/{fd}")
    try:
        name = os.readlink(os.fsencode(path))
    except OSError:
        return None
    if not name.startswith(b"/"):  # pipe:[123], socket:[123], anon_inode:[eventfd]
        return OpenFile(fd, name)
    info = read_optional(path_of(roots, pid, f"fdinfo/{fd}")) or b""
    _, found, rest = info.partition(b"mnt_id:")
    kind = types.get(rest.split(None, 1)[0] if rest.strip() else b"", "")
    if not kind and name.startswith(_UNMOUNTED):
        kind = "tmpfs"
    why = _unasked(kind, bool(found))
    if why:
        return OpenFile(fd, name.removesuffix(_GONE), deleted=name.endswith(_GONE), why=why)
    return _stat_file(path, OpenFile(fd, name, memory=kind in _IN_MEMORY))


def _unasked(kind: str, known: bool) -> str:
    """Why a file is better not asked for its size; "" where it may be."""
    if kind in _REMOTE or kind.startswith("fuse"):
        return f"on {kind}: not asked, for the answer could be long in coming"
    if known and not kind:
        return "on no file system that is mounted here: not asked"
    return ""


def _stat_file(path: str, file: OpenFile) -> OpenFile | None:
    try:
        told = os.stat(path)  # follows to the open file itself, whatever became of its name
    except FileNotFoundError:
        return None
    except OSError as e:
        return file._replace(why=e.strerror or str(e))
    deleted = told.st_nlink == 0
    name = file.path.removesuffix(_GONE) if deleted else file.path
    if not stat.S_ISREG(told.st_mode):
        return file._replace(path=name, deleted=deleted, memory=False)
    return file._replace(path=name, size=told.st_size, taken=told.st_blocks * 512, deleted=deleted)


# -- mappings


def _bounds(word: bytes) -> int:
    low, _, high = word.partition(b"-")
    return int(high, 16) - int(low, 16)


def parse_mappings(lines: Iterable[bytes]) -> list[Mapping]:
    """Return the mappings of `smaps`, those of one name summed, in no promised order.

    Lines that are not as the kernel writes them count for nothing.
    """
    sums: dict[bytes, list[int]] = {}
    row = [0] * 6
    for line in lines:
        if line[:1].isupper():  # "Rss:  4 kB"; the others begin with an address, in lower case
            at = _COLUMN.get(line[: line.find(b":")])
            if at is not None:
                word = line.split(None, 2)[1:2]
                row[at] += int(word[0]) * 1024 if word and word[0].isdigit() else 0
            continue
        words = line.split(None, 5)
        try:
            virt = _bounds(words[0])
        except (IndexError, ValueError):
            continue
        name = words[5].rstrip(b"\n") if len(words) > 5 else ANONYMOUS
        row = sums.setdefault(name, [0] * 6)
        row[0] += 1
        row[5] += virt
    return [Mapping(name, *row) for name, row in sums.items()]


_COLUMN = {
    b"Pss": 1, b"Private_Clean": 2, b"Private_Dirty": 2, b"Private_Hugetlb": 2, b"Rss": 3,
    b"Swap": 4,
}  # fmt: skip


def read_mappings(roots: Roots, pid: int) -> list[Mapping]:
    """Return /proc/PID/smaps, summed by name: about 15 ms per GiB, and 20 us per mapping."""
    path = path_of(roots, pid, "smaps")
    try:
        with open(path, "rb", buffering=1 << 16) as file:
            return parse_mappings(file)
    except OSError as e:
        raise classify(e, path) from e
