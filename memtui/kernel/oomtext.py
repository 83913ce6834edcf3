"""What each line of an OOM kill says, by kernel version: pure functions on one line's text.

Source: mm/oom_kill.c and mm/memcontrol.c from Linux 2.6.18 to 6.18, and RHEL 6's. A comm has at
most 15 bytes, and any bytes: it is found by what stands around it, from the right, because what
follows a name is numbers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

COMM = 15
_LONG = 4 * COMM  # a comm whose every byte was written as an escape of four
_KILLED = re.compile(
    rb"(?:(Memory cgroup out of memory|Out of [mM]emory|No available memory)"
    rb"(?: \([\w ]{1,40}\)| in cpuset)?: )?Killed process (\d{1,10})(?:, UID (\d{1,10}),)? \("
)
_SIZES = re.compile(rb"\)[,.]?(?: UID (\d{1,10}),)? (?:total-vm|vsz):")
_VALUE = re.compile(rb"([A-Za-z_-]{3,16}):(-?\d{1,18})(kB)?")
_ANNOUNCED = re.compile(
    rb"(Memory cgroup out of memory|Out of [mM]emory|No available memory)"
    rb"(?: \([\w ]{1,40}\)| in cpuset)?: [kK]ill process (\d{1,10}) \("
)
_SHARING = b" sharing same memory"
_SUMMARY = re.compile(rb"oom-kill:constraint=(CONSTRAINT_[A-Z_]{1,30})")
_SUMMARY_END = re.compile(rb",pid=(\d{1,10}),uid=(\d{1,10})\s*$")
_GROUP = re.compile(
    rb"Tasks in (.*) are going to be killed due to memory\.oom\.group set\s*$", re.S
)
_LIMIT = re.compile(
    rb"(memory|memory\+swap|swap|kmem): usage (\d{1,18})kB, limit (\d{1,18})kB, failcnt (\d{1,18})"
)
_HEADER = re.compile(rb"\[ *pid *\] +uid +tgid +total_vm +rss +.*name\s*$")
_ESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})|#([0-3][0-7]{2})")
_NO_LIMIT_KB = 1 << 51  # v1 writes PAGE_COUNTER_MAX, 9007199254740988 kB

_TABLE_COUNTS = (b"nr_ptes", b"nr_pmds", b"nr_puds")  # pages each
PAGE = 4096

INVOKED = b" invoked oom-killer: "
_BECAUSE = b"killed as a result of limit of"


class Killed(NamedTuple):
    """A line `Killed process ...`; sizes in bytes."""

    scope: str | None  # "memcg", "global"; None: the line does not say
    pid: int
    comm: bytes
    uid: int | None
    total_vm: int | None
    anon_rss: int | None
    file_rss: int | None
    shmem_rss: int | None
    pgtables: int | None
    oom_score_adj: int | None


class Broken(NamedTuple):
    """A line `Killed process ...` whose name goes on in the next line: it holds a newline."""

    text: bytes


class LimitLine(NamedTuple):
    """One counter of the cgroup whose limit was hit; bytes."""

    kind: str  # "memory", "memory+swap", "swap", "kmem"
    usage: int
    limit: int | None  # None: no limit
    failcnt: int


class TaskRow(NamedTuple):
    """One row of the process table in a dump; bytes, if its pages have 4 KiB. None: not there."""

    pid: int
    tgid: int
    uid: int
    total_vm: int
    rss: int
    pgtables: int | None
    swap: int | None
    oom_score_adj: int | None
    name: bytes


def scope_of(message: bytes | None) -> str | None:
    """Return which kind of limit a message's beginning names."""
    if not message:
        return None
    return "memcg" if message.startswith(b"Memory cgroup") else "global"


def plain_comm(raw: bytes) -> bytes:
    """Return a comm whose escapes (by dmesg or rsyslog) are seen from its being too long."""
    if len(raw) <= COMM:
        return raw
    plain = _ESCAPED.sub(lambda m: bytes((int(m[1], 16) if m[1] else int(m[2], 8),)), raw)
    return plain if len(plain) <= COMM else raw


def _values(tail: bytes) -> dict[bytes, int]:
    """The numbers after the name: sizes in bytes; one that was cut short is not there."""
    told: dict[bytes, int] = {}
    for name, number, unit in _VALUE.findall(tail[:400]):
        sized = name not in (b"UID", b"oom_score_adj")
        if sized == bool(unit):
            told.setdefault(name, int(number) * 1024 if sized else int(number))
    return told


def _bare(text: bytes, start: int, prefixed: bool) -> bytes | None:
    """The name where nothing follows it: before 2.6.33, and with a full stop before 2.6.18."""
    stop = text.endswith(b").")
    if prefixed and not stop:
        return None
    comm = plain_comm(text[start:].removesuffix(b".").removesuffix(b")"))
    return comm if (stop or text.endswith(b")")) and len(comm) <= COMM else None


def parse_killed(text: bytes) -> Killed | Broken | None:
    """Return what a line `Killed process ...` says; None where `text` is none."""
    found = _KILLED.match(text)
    if found is None:
        return None
    start, whole, text = found.end(), text, text.rstrip()
    ends = list(_SIZES.finditer(text, start, start + _LONG + 32))
    if ends:
        comm: bytes | None = plain_comm(text[start : ends[-1].start()])
    else:
        comm = _bare(text, start, bool(found[1]))
    if comm is None or len(comm) > _LONG:
        return Broken(whole) if len(whole) - start <= _LONG else None
    told = _values(text[ends[-1].start() :]) if ends else {}
    uid = found[3] or (ends[-1][1] if ends else None)  # two of RHEL's ways
    return Killed(
        scope_of(found[1]),
        int(found[2]),
        comm,
        int(uid) if uid else told.get(b"UID"),
        told.get(b"total-vm", told.get(b"vsz")),
        told.get(b"anon-rss"),
        told.get(b"file-rss"),
        told.get(b"shmem-rss"),
        told.get(b"pgtables"),
        told.get(b"oom_score_adj"),
    )


def parse_announced(text: bytes) -> tuple[str | None, int] | None:
    """Return the scope and PID of `Kill process PID (comm) ... or sacrifice child`, or None.

    It only announces: a child may die in its place. Linux before 5.1.
    """
    found = _ANNOUNCED.match(text)
    if found is None or _SHARING in text:
        return None
    return scope_of(found[1]), int(found[2])


def parse_invoked(text: bytes) -> bytes | None:
    """Return the comm of who asked for memory, from `comm invoked oom-killer: ...`, or None."""
    at = text.rfind(INVOKED, 0, _LONG + len(INVOKED))
    return plain_comm(text[:at]) if at >= 0 else None


def parse_group(text: bytes) -> bytes | None:
    """Return the cgroup all of whose tasks are going to be killed (memory.oom.group), or None."""
    found = _GROUP.match(text)
    return found[1] if found else None


def parse_limit(text: bytes) -> LimitLine | None:
    """Return what `memory: usage ..kB, limit ..kB, failcnt ..` says, or None."""
    found = _LIMIT.match(text)
    if found is None:
        return None
    usage, limit, failcnt = map(int, found.groups()[1:])
    ceiling = None if limit >= _NO_LIMIT_KB else limit * 1024
    return LimitLine(found[1].decode(), usage * 1024, ceiling, failcnt)


def parse_because(text: bytes) -> tuple[bytes, bytes] | None:
    """Return the victim's cgroup and the one whose limit was hit, of `Task in A killed as a ...`.

    Linux before 5.0. Either path may hold the words between them; the victim's begins with the
    other's.
    """
    if not text.startswith(b"Task in"):
        return None
    body, first, at = text[7:], None, -1
    for _ in range(8):
        at = body.find(_BECAUSE, at + 1)
        if at < 0:
            break
        pair = body[:at].strip(), body[at + len(_BECAUSE) :].strip()
        first = first or pair
        if pair[0].startswith(pair[1]) and pair[1]:
            return pair
    return first if first and all(first) else None


class Summary(NamedTuple):
    """A line `oom-kill:constraint=...`: Linux 5.0 and newer. None: not told, or cut off."""

    constraint: str
    pid: int | None
    uid: int | None
    oom_memcg: bytes | None
    victim: bytes | None  # `/task_memcg,task=comm`: only who knows the comm can part them

    def task_memcg(self, comm: bytes) -> bytes | None:
        """Return the victim's cgroup, where `comm` is its name."""
        if self.victim is None:
            return None
        path, found, _ = self.victim.rpartition(b",task=" + comm)
        if not found:
            path = self.victim.rpartition(b",task=")[0]
        return path or None


def parse_summary(text: bytes) -> Summary | None:
    """Return what the `oom-kill:` line says, or None."""
    found = _SUMMARY.match(text)
    if found is None:
        return None
    end = _SUMMARY_END.search(text, max(0, len(text) - 40))
    memcg, victim = _paths(text[found.end() : end.start() if end else len(text)])
    return Summary(
        found[1].decode(),
        int(end[1]) if end else None,
        int(end[2]) if end else None,
        memcg,
        victim if end else None,
    )


def _paths(text: bytes) -> tuple[bytes | None, bytes | None]:
    """Whose limit, and the victim's place and name. No slash stands in a cpuset's name before."""
    everywhere, parting = b",global_oom,task_memcg=/", b",task_memcg=/"
    at_host, at = text.find(everywhere), text.find(b",oom_memcg=/")
    if at_host >= 0 and (at < 0 or at_host < at):
        return None, text[at_host + len(everywhere) - 1 :]
    if at < 0:
        return None, None
    body = text[at + 11 :]
    first = end = body.find(parting)
    for _ in range(8):
        if end < 0 or body.startswith(body[:end], end + len(parting) - 1):
            break
        end = body.find(parting, end + 1)
    end = first if end < 0 else end
    return (body[:end], body[end + len(parting) - 1 :]) if end >= 0 else (None, None)


class Columns(NamedTuple):
    """The header of a process table: how many numbers stand before the name, and which."""

    row: re.Pattern[bytes]
    names: tuple[bytes, ...]

    def parse(self, text: bytes) -> TaskRow | None:
        """Return one row; None where `text` is none."""
        found = self.row.match(text)
        if found is None:
            return None
        told = dict(zip(self.names, map(int, found[2].split()), strict=True))
        counts = [told[name] for name in _TABLE_COUNTS if name in told]
        return TaskRow(
            int(found[1]),
            told[b"tgid"],
            told[b"uid"],
            told[b"total_vm"] * PAGE,
            told[b"rss"] * PAGE,
            told.get(b"pgtables_bytes", sum(counts) * PAGE if counts else None),
            told[b"swapents"] * PAGE if b"swapents" in told else None,
            told.get(b"oom_score_adj"),
            found[3],
        )


def parse_header(text: bytes) -> Columns | None:
    """Return the columns of a process table from its header line, or None.

    2.6.31 has cpu and oom_adj, then came oom_score_adj, nr_ptes and swapents; 4.15 has
    pgtables_bytes; 6.8 rss_anon, rss_file, rss_shmem.
    """
    if _HEADER.match(text) is None:
        return None
    names = tuple(text.partition(b"]")[2].split()[:-1])
    if len(names) > 24 or len(set(names)) < len(names):
        return None
    row = rb"\[ *(\d{1,10})\]((?: +-?\d{1,20}){%d}) (.*)" % len(names)
    return Columns(re.compile(row, re.S), names)
