"""What advice needs beyond a sample, read on demand: of the few biggest processes, under a budget.

For one thread that is not the UI's. Costs: 0.2 ms for each of the biggest processes and 10 ms per
GiB of them (smaps_rollup); where much memory is shared, about 0.1 ms for every process, to see who
holds what; where a tmpfs is big, 5 us for each of its files. Nothing is raised.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from memtui.kernel import procfs, procmore, sharing
from memtui.kernel.errors import Denied, KernelError
from memtui.kernel.groupmore import read_more
from memtui.kernel.levels import at_or_below
from memtui.kernel.mounts import Tmpfs, read_tmpfs, tmpfs_mounts
from memtui.kernel.roots import Roots
from memtui.kernel.sharing import Node, OpenInMemory
from memtui.model import known
from memtui.model.advice.terms import (
    LIBRARIES,
    SHARE,
    Fact,
    File,
    Held,
    Left,
    Level,
    Mounted,
    Seen,
    biggest,
    families,
    is_python,
)
from memtui.model.badness import level_of
from memtui.model.classify import split
from memtui.model.snapshot import Proc, Quota
from memtui.services import bigfiles
from memtui.services.identify import Identify, user_name
from memtui.text import decode

BUDGET_S = 0.6
"""Seconds of CPU for the biggest processes, and the same for who holds shared memory."""

_BIG = 12
_LEAST = 16 << 20  # bytes of RES, of a process whose facts are read
_CRUMB = 1 << 20
_FILES = 4
_WORKERS = 64
_JAVA_VARIABLES = (b"JAVA_TOOL_OPTIONS=", b"JDK_JAVA_OPTIONS=", b"_JAVA_OPTIONS=")
_HEAP = (b"-Xmx", b"-XX:MaxRAMPercentage", b"-XX:MaxHeapSize", b"-XX:MaxRAMFraction")
_LEFT = ("psm_", "torch_", "joblib", "plasma", "pym-", "sem.")


def held_by(roots: Roots, procs: Sequence[Proc], quota: Quota) -> list[Proc]:
    """Return the processes that the limit holds which binds."""
    level = level_of(quota)
    if level is not None:
        cgroup = Identify(roots).cgroup
        procs = [p if p.cgroup else p._replace(cgroup=cgroup(str(p.pid))) for p in procs]
        here = [p for p in procs if p.cgroup is not None and at_or_below(p.cgroup, level.path)]
        pids = {p.pid for p in here}
        # who has ended has left its cgroup on v1
        dead = [p for p in procs if p.state == "Z" and p.ppid in pids and p.pid not in pids]
        return [*here, *dead]
    return list(procs)


def gather(roots: Roots, seen: Seen, everybody: Sequence[Proc]) -> Seen:
    """Return `seen` with what can be read beside it.

    `seen` has the processes that the limit holds (`held_by`), `everybody` all of the machine.
    """
    facts, unread = _facts(roots, seen)
    seen = seen._replace(facts=facts, unread=unread, level=_level(roots, seen.quota))
    seen = seen._replace(kernels=families(seen))
    return _shared(roots, seen, everybody) if roots.live else seen


def _level(roots: Roots, quota: Quota) -> Level:
    level = level_of(quota)
    return Level(*read_more(roots, quota.version, None if level is None else level.directory))


# -- facts of the biggest processes


def _asked(seen: Seen) -> Iterator[Proc]:
    """Who is to be read: the biggest, and workers that are big together."""
    big = [p for p in biggest(seen.procs, _BIG) if p.rss >= _LEAST]
    stuck = [p for p in seen.procs if p.state == "D" and p not in big]
    yield from [*big, *stuck[:_BIG]]
    known_pids = {p.pid for p in big}
    crews: dict[int, list[Proc]] = defaultdict(list)
    for p in seen.procs:
        if is_python(p) or (p.who is not None and p.who.kind == known.R):
            crews[p.ppid].append(p)
    for crew in crews.values():
        if len(crew) >= 4 and seen.share(sum(p.rss for p in crew)) > SHARE:
            yield from (p for p in crew[:_WORKERS] if p.pid not in known_pids)


def _facts(roots: Roots, seen: Seen) -> tuple[dict[tuple[int, int], Fact], int]:
    """The facts of each, and of how many of them the shares are not for us to read."""
    end = time.thread_time() + BUDGET_S
    found, unread = {}, 0
    for proc in _asked(seen):
        if time.thread_time() > end:
            break
        found[proc.identity], denied = _fact(roots, proc)
        unread += denied
    return found, unread


def _fact(roots: Roots, proc: Proc) -> tuple[Fact, bool]:
    """The facts of one, and whether its shares are not for us to read."""
    status: dict[str, int] = {}
    rollup = procfs.Rollup(None, None, None)
    limits: dict[str, procmore.Rlimit] = {}
    with contextlib.suppress(KernelError):
        status = procfs.read_status_sizes(roots, proc.pid)
        limits = procmore.read_limits(roots, proc.pid)
    denied, dying = False, None
    try:
        rollup = procfs.read_rollup(roots, proc.pid)
    except KernelError as e:
        denied = isinstance(e, Denied)
    if proc.state == "D":
        with contextlib.suppress(KernelError):
            dying = sharing.read_dying(roots, proc.pid)
    unlimited = procmore.Rlimit(None, None)
    fact = Fact(
        peak=status.get("VmHWM"),
        anon=status.get("RssAnon"),
        data=status.get("VmData"),
        pss=rollup.pss,
        pss_anon=rollup.pss_anon,
        as_limit=limits.get("Max address space", unlimited).soft,
        data_limit=limits.get("Max data size", unlimited).soft,
        libraries=_libraries(roots, proc) if is_python(proc) else None,
        heap=_heap(roots, proc) if proc.who and proc.who.kind == known.JAVA else None,
        dying=dying,
    )
    return fact, denied


def _libraries(roots: Roots, proc: Proc) -> frozenset[str] | None:
    try:
        paths = sharing.read_maps(roots, proc.pid).paths
    except KernelError:
        return None
    folders = {name for path in paths for name in path.split(b"/")[:-1]}
    return frozenset(name for name in LIBRARIES if name.encode() in folders)


def _heap(roots: Roots, proc: Proc) -> str | None:
    """What limits a Java heap; "": nothing does, neither argument nor environment."""
    try:
        variables = procmore.read_environment(roots, proc.pid)
    except KernelError:
        variables = None
    words = list(split(proc.argv))
    for value in variables or ():
        if value.startswith(_JAVA_VARIABLES):
            words += value.partition(b"=")[2].split()
    told = [w for w in words if w.startswith(_HEAP)]
    if told:
        return decode(told[-1])
    return None if variables is None else ""


# -- memory of no process


def _mounts(seen: Seen) -> list[Tmpfs]:
    """The tmpfs that are here, the biggest first."""
    found = read_tmpfs(tmpfs_mounts(Roots()))
    return sorted(found, key=lambda t: -t.used)


def _shared(roots: Roots, seen: Seen, everybody: Sequence[Proc]) -> Seen:
    """Add files in memory: named, deleted but open, and left behind."""
    mounts = _mounts(seen)
    charged = seen.quota.parts.shmem
    total = sum(t.used for t in mounts) if charged is None else charged
    least = max(_CRUMB, int(SHARE * (seen.limit or 0)))
    if total < (_CRUMB if seen.short else least):
        return seen
    big = [t for t in mounts if t.used >= min(least, total)]
    listed = {t.point: bigfiles.biggest(t.point, _FILES) for t in big}
    candidates = list(_candidates(mounts, _CRUMB if seen.short else least))
    holders, maps, doubt, whole = holders_of(
        roots, everybody, [t.point for t in mounts], bool(candidates)
    )
    rows = [_mounted(t, listed[t.point], holders) for t in big]
    return seen._replace(
        mounts=_charged(rows, charged),
        held=_held(roots, holders, seen.procs),
        left=[*_left(candidates, holders, maps, doubt), *_segments(roots)] if whole else (),
    )


class Holders(dict[Node, list[tuple[Proc, OpenInMemory]]]):
    """Who has which file in memory open."""

    def names(self, node: Node) -> tuple[str, ...]:
        """Who has it open."""
        return tuple(f"{p.name} {p.pid}" for p, _ in self.get(node, ()))


def holders_of(
    roots: Roots, everybody: Iterable[Proc], points: Sequence[str], mapped: bool
) -> tuple[Holders, set[Node], int, bool]:
    """Return who has what open, what is `mapped`, who could not be asked, and whether all were.

    The biggest are asked first.
    """
    found, maps, denied = Holders(), set[Node](), 0
    leads = [os.fsencode(p) for p in points]
    end = time.thread_time() + BUDGET_S
    for proc in sorted((p for p in everybody if p.virt), key=lambda p: -p.rss):
        if time.thread_time() > end:
            return found, maps, denied, False
        try:
            for file in sharing.read_open(roots, proc.pid, leads):
                found.setdefault(file.node, []).append((proc, file))
            if mapped:
                maps |= sharing.read_maps(roots, proc.pid).nodes
        except KernelError:
            denied += procfs.read_kin(proc.pid, roots) is not None
    return found, maps, denied, True


def as_file(big: bigfiles.Big, holders: Holders | None = None) -> File:
    """Return a file, with who has it open as far as that was looked for."""
    names = () if holders is None else holders.names((big.device, big.inode))
    user = user_name(big.uid)
    return File(big.path, big.bytes, user, big.modified, big.device, big.inode, names)


def _mounted(tmpfs: Tmpfs, listed: bigfiles.Listing, holders: Holders) -> Mounted:
    """One tmpfs; its size is without what was deleted."""
    gone = sum(
        rows[0][1].taken
        for node, rows in holders.items()
        if node[0] == tmpfs.device and rows[0][1].deleted
    )
    used, files = max(0, tmpfs.used - gone), listed.files
    if listed.whole and not listed.unreadable:
        used = min(used, listed.total)
    few = [f for f in files if f.bytes * 20 >= files[0].bytes]
    shown = tuple(as_file(f, holders) for f in few)
    return Mounted(tmpfs.point, used, shown, device=tmpfs.device)


def _charged(mounts: list[Mounted], charged: int | None) -> list[Mounted]:
    """The same, but where less is charged here, one for all: which of them is not told."""
    if charged is None or sum(m.used for m in mounts) <= charged or not mounts:
        return mounts
    first = max(mounts, key=lambda m: m.used)
    files = sorted((f for m in mounts for f in m.files), key=lambda f: -f.bytes)
    more = f" and {len(mounts) - 1} more tmpfs" if len(mounts) > 1 else ""
    return [
        Mounted(first.point, min(charged, first.used), tuple(files[:_FILES]), more, first.device)
    ]


def _held(roots: Roots, holders: Holders, procs: Sequence[Proc]) -> list[Held]:
    """Files without a name, of the processes that the limit holds; who is biggest is named.

    What somebody maps is left out: it is in his RES, and in use.
    """
    ours = {p.identity: p for p in procs}
    below: dict[int, list[Proc]] = defaultdict(list)
    for p in procs:
        below[p.ppid].append(p)
    found = []
    for node, rows in holders.items():
        mine = [ours[p.identity] for p, f in rows if f.deleted and p.identity in ours]
        taken = rows[0][1].taken
        if mine and taken >= _CRUMB and not _mapped(roots, node, mine, below):
            found.append(Held(mine[0], decode(rows[0][1].path), taken))
    return sorted(found, key=lambda h: -h.bytes)


def _mapped(
    roots: Roots, node: Node, holders: Sequence[Proc], below: dict[int, list[Proc]]
) -> bool:
    """Whether a holder, or a child of one, maps a file."""
    for proc in [*holders, *(c for p in holders for c in below[p.pid])][:_WORKERS]:
        with contextlib.suppress(KernelError):
            if node in sharing.read_maps(roots, proc.pid).nodes:
                return True
    return False


def _candidates(mounts: Sequence[Tmpfs], least: int) -> Iterator[bigfiles.Big]:
    """Files in /dev/shm with names that programs give to shared memory."""
    for tmpfs in mounts:
        if tmpfs.point.endswith("/shm"):
            for file in bigfiles.biggest(tmpfs.point, 50).files:
                below = file.path[len(tmpfs.point) :].lstrip("/")
                if file.bytes >= least and below.startswith(_LEFT):
                    yield file


def _left(
    candidates: Iterable[bigfiles.Big], holders: Holders, maps: set[Node], doubt: int
) -> Iterator[Left]:
    for file in candidates:
        node = file.device, file.inode
        if node not in holders and node not in maps:
            yield Left(
                file.path,
                file.bytes,
                user_name(file.uid),
                file.modified,
                False,
                file.device,
                file.inode,
                doubt,
            )


def _segments(roots: Roots) -> Iterator[Left]:
    for s in sharing.read_segments(roots):
        if not s.attached and s.resident >= _CRUMB:
            yield Left(str(s.id), s.resident, user_name(s.uid), s.changed, sysv=True)
