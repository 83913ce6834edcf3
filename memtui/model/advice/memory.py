"""Advice on memory of no process: files in tmpfs, shared memory, page cache, the kernel."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from memtui.model.advice.terms import (
    HARMLESS,
    LOSES,
    SHARE,
    Action,
    Advice,
    File,
    Held,
    Left,
    Mounted,
    Seen,
    amount,
)
from memtui.text import elide_left, safe
from memtui.units import duration, size

_PATH = 60  # cells
_NEARLY, _CALM = 0.9, 0.6
_DIRTY, _STALLED = 0.3, 10.0
_KERNEL = 0.2
_FRESH_S = 60.0


def shown(path: str) -> str:
    """Return a path that is safe to display and not too long; its end tells most."""
    return elide_left(safe(path), _PATH)


def _file(seen: Seen, file: File) -> str:
    age = duration(max(0.0, seen.time - file.modified))
    who = f", open in {', '.join(file.holders[:2])}" if file.holders else ""
    return f"  {size(file.bytes):>6}  {shown(file.path)}  ({file.user}, {age} ago{who})"


def _of_mount(seen: Seen, mount: Mounted) -> Advice:
    place = shown(mount.point)
    return Advice(
        "tmpfs-files",
        f"Files in {place}{mount.more} take {amount(mount.used)} of memory: what lies there is not"
        " on a disk, and stays until it is deleted.",
        mount.used,
        f"{place} is a tmpfs; the size is the file system's own, as far as it is charged here",
        "What is deleted is gone: look at each file first. Memory comes back once nobody has it"
        " open any more.",
        ("Move or delete what is not needed; the biggest:", *(_file(seen, f) for f in mount.files))
        if mount.files
        else ("Move or delete what is not needed there.",),
        Action("files", f"look at the files in {place}", text=mount.point),
        LOSES,
        at_most=True,
    )


def tmpfs_files(seen: Seen) -> Iterator[Advice]:
    """Files in /tmp and /dev/shm, where those are memory."""
    for mount in seen.mounts:
        rest = _without_left(seen, mount)
        if seen.share(rest.used) > SHARE:
            yield _of_mount(seen, rest)


def _without_left(seen: Seen, mount: Mounted) -> Mounted:
    """The same without what `shm_leftover` tells of."""
    left = {(x.device, x.inode): x.bytes for x in seen.left if not x.sysv}
    gone = sum(n for (device, _), n in left.items() if device == mount.device)
    files = tuple(f for f in mount.files if (f.device, f.inode) not in left)
    return mount._replace(used=max(0, mount.used - gone), files=files)


def _of_held(seen: Seen, held: Held) -> Advice:
    p = held.proc
    return Advice(
        "deleted-open",
        f"{seen.called(p)} has a file of {amount(held.bytes)} in memory open that was deleted:"
        f" {shown(held.path)}. The memory comes back when it closes it, or ends.",
        held.bytes,
        f"/proc/{p.pid}/fd: it has no name any more, and nobody maps it",
        "What the process is at work on is lost when it ends.",
        ("Restart the program, or close the file in it.",),
        Action("kill", f"end {seen.called(p)}", (p.identity,)),
        LOSES + 1,
        at_most=True,
    )


def deleted_open(seen: Seen) -> Iterator[Advice]:
    """A file in memory that was deleted and is still open."""
    for held in seen.held:
        if seen.share(held.bytes) > SHARE:
            yield _of_held(seen, held)


def _of_left(seen: Seen, left: Left) -> Advice:
    age = duration(max(0.0, seen.time - left.changed))
    many = "1 process" if left.doubt == 1 else f"{left.doubt} processes"
    doubt = f"; {many} could not be asked" if left.doubt else ""
    if left.sysv:
        what, typed = f"SysV segment {left.what}", f"ipcrm -m {left.what}"
        action = Action("copy", f"copy {typed}", text=typed)
        why = f"/proc/sysvipc/shm: nobody is attached; changed {age} ago"
    else:
        what, typed = shown(left.what), f"rm -- {shlex.quote(safe(left.what))}"
        file = File(left.what, left.bytes, left.user, left.changed, left.device, left.inode)
        action = Action("delete", f"delete {what}", file=file)
        why = f"nobody has it open or mapped, of all whom one may ask; changed {age} ago{doubt}"
    return Advice(
        "shm-leftover",
        f"{what} is shared memory of {amount(left.bytes)} that a program of {left.user}"
        " left behind.",
        left.bytes,
        why,
        "A program that means to come back to it loses it.",
        (f"  {typed}",),
        action,
        LOSES,
    )


def shm_leftover(seen: Seen) -> Iterator[Advice]:
    """Shared memory of programs that crashed."""
    for left in seen.left:
        if seen.time - left.changed >= _FRESH_S:
            yield _of_left(seen, left)


def cache_only(seen: Seen) -> Iterator[Advice]:
    """A bar that is full of cache, which is no danger."""
    usage, hard = seen.usage, seen.hard
    if hard is None or seen.share(usage) <= _NEARLY or seen.share(hard) >= _CALM:
        return
    yield Advice(
        "cache-only",
        f"Nothing is wrong: {amount(usage)} of {amount(seen.limit)} are in use, but"
        f" {amount((usage or 0) - hard)} of that are cached files, which the kernel gives back when"
        " memory is asked for.",
        None,
        f"only {amount(hard)} ({100 * seen.share(hard):.0f} %) cannot be reclaimed",
        "None.",
        ("Nothing is to be done.",),
        None,
        HARMLESS,
        tells=True,
    )


def dirty_cache(seen: Seen) -> Iterator[Advice]:
    """Files that are written faster than the disk takes them."""
    dirty, usage = seen.level.dirty, seen.usage
    if not dirty or not usage or dirty <= _DIRTY * usage:
        return
    thrash = seen.trend.thrash if seen.trend else None
    stalls = max(seen.level.io_some_pct or 0.0, (thrash.some_pct or 0.0) if thrash else 0.0)
    if stalls <= _STALLED:
        return
    yield Advice(
        "dirty-cache",
        f"{amount(dirty)} wait to be written to disk: a program writes faster than the disk takes,"
        " and has to wait for it.",
        None,
        f"memory.stat; tasks waited {stalls:.0f} % of the last 10 s",
        "None.",
        ("Wait, or let the program write less at once; sync waits until all is written.",),
        None,
        HARMLESS,
        tells=True,
    )


def kernel_mem(seen: Seen) -> Iterator[Advice]:
    """Memory that the kernel needs on behalf of processes."""
    kernel, version = seen.quota.parts.kernel, seen.quota.version
    if kernel is None or seen.share(kernel) <= _KERNEL or (version == 1 and not seen.short):
        return  # v1 does not tell what of it can be given back: there is much while there is room
    threads = sum(p.threads for p in seen.procs)
    most = max(seen.procs, key=lambda p: p.threads, default=None)
    if most is None:
        return
    yield Advice(
        "kernel-mem",
        f"The kernel itself needs {amount(kernel)} for {len(seen.procs)} processes with {threads}"
        f" threads, their page tables, sockets and files; {seen.called(most)} has most threads:"
        f" {most.threads}.",
        None,
        "memory.stat" + ("; on cgroup v1 some of it can be reclaimed" if version == 1 else ""),
        "That depends on what is ended.",
        ("Fewer processes and threads, sockets and open files need less.",),
        Action("filter", "show who has many threads", text="threads>=20"),
        HARMLESS,
    )
