"""Processes that hold as much memory, and of the kind, that a test asks for; and one that kills.

A `Holder` obeys lines on its stdin. `fill` writes to a file in memory that nobody maps: that
fills a cgroup and makes no process bigger, so whoever was the worst before is so at the end.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.cgroups import Group

PROGRAM = """
import mmap, os, signal, sys, time
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
blocks, files = [], []
def say(word, number):
    os.write(1, f"{word} {number}\\n".encode())
def block(size, step, flags):
    made = mmap.mmap(-1, size, flags=PRIVATE | flags)
    try:
        made.madvise(mmap.MADV_NOHUGEPAGE)
    except (AttributeError, OSError):
        pass  # a kernel without huge pages
    for i in range(0, size, step):
        made[i] = 1
    blocks.append(made)
def hold(kib):
    block(kib << 10, mmap.PAGESIZE, 0)
def spread(pages):
    block(pages << 21, 1 << 21, 0x4000)  # MAP_NORESERVE: one page, and one of tables, in 2 MiB
def fork(kib):
    pid = os.fork()
    if pid:
        return pid
    hold(kib)
    say("grown", 0)
    time.sleep(120)
    os._exit(0)
def fill(kib):
    if not files:
        files.append(os.memfd_create("full"))
    os.write(files[0], bytes(1024) * kib)
def empty(_):
    os.ftruncate(files[0], 0)
    os.lseek(files[0], 0, 0)
verbs = dict(hold=hold, spread=spread, fork=fork, fill=fill, empty=empty)
signal.alarm(120)
say("ready", 0)
for line in sys.stdin:
    verb, number = line.split()
    say("done", verbs[verb](int(number)) or 0)
"""
ADJ = "oom_score_adj"
STEP_KIB = 1024


def set_adj(pid: int, adj: int) -> None:
    """Make a process likelier to be killed, or, with the right to, less so."""
    Path(f"/proc/{pid}/{ADJ}").write_text(str(adj))


class Holder:
    """A process that does as it is told; once killed it says so by `alive`."""

    def __init__(self, group: Group) -> None:
        self.process = group.python(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._line() == ["ready", "0"]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def hold(self, mib: float) -> Holder:
        """Touch so much more memory of its own."""
        self._tell("hold", int(mib * 1024))
        return self

    def spread(self, pages: int) -> Holder:
        """Touch pages so far apart that each needs another page of page tables."""
        self._tell("spread", pages)
        return self

    def fork(self, mib: float) -> int:
        """Make a child that touches so much memory; return its PID once it has."""
        self._send("fork", int(mib * 1024))
        lines = sorted([self._line(), self._line()])
        assert lines[1] == ["grown", "0"], lines
        return int(lines[0][1])

    def fill(self, group: Group, most_mib: int) -> None:
        """Fill the group, but for no more than `most_mib`, until the OOM killer struck in it."""
        before = kills(group)
        for _ in range(most_mib * 1024 // STEP_KIB):
            self._send("fill", STEP_KIB)
            answer = self._line()
            if kills(group) > before:
                return
            assert answer, "it ended, and not by the OOM killer"
        raise AssertionError(f"{most_mib} MiB more, and nobody was killed")

    def empty(self) -> None:
        """Give back what `fill` wrote."""
        self._tell("empty", 0)

    def adj(self, value: int) -> Holder:
        """Set its oom_score_adj."""
        set_adj(self.pid, value)
        return self

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _line(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().split()

    def _send(self, verb: str, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{verb} {number}\n".encode())
        self.process.stdin.flush()

    def _tell(self, verb: str, number: int) -> None:
        self._send(verb, number)
        assert self._line()[:1] == ["done"], f"{verb} {number}: it ended"


class Holders:
    """Holders in groups, all gone at the end."""

    def __init__(self) -> None:
        self.made: list[Holder] = []

    def __call__(self, group: Group, mib: float = 0, adj: int = 0) -> Holder:
        """Start one; it holds `mib` MiB beside what an interpreter needs."""
        made = Holder(group)
        self.made.append(made)
        if adj:
            made.adj(adj)
        return made.hold(mib) if mib else made

    def dead(self) -> list[int]:
        """Who ended, each by SIGKILL."""
        dead = [h for h in self.made if not h.alive]
        assert all(h.process.returncode == -9 for h in dead)
        return [h.pid for h in dead]

    def bury(self, pids: Iterable[int]) -> None:
        """Forget these."""
        for each in [h for h in self.made if h.pid in pids]:
            each.close()
            self.made.remove(each)


@contextlib.contextmanager
def holders() -> Iterator[Holders]:
    """A way to start holders, which end with the test."""
    made = Holders()
    try:
        yield made
    finally:
        for each in made.made:
            each.close()


def kills(group: Group) -> int:
    """The OOM kills in a group and below it."""
    dirs = [d for d, _, _ in os.walk(group.dir)]
    return sum(Group(Path(d)).oom_kills() for d in dirs)


def relimit(group: Group, limit: int) -> None:
    """Set another limit, without swap: v1 wants the limit with swap raised before."""
    if group.version == 1 and limit > int(group.limit_file.read_text()):
        with contextlib.suppress(OSError):  # no swap accounting
            (group.dir / "memory.memsw.limit_in_bytes").write_text(str(limit))
    group.set_limit(limit)
