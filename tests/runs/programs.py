"""Programs that take a known amount of memory, each in its own way."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple

from tests.support.programs import line

SHM = "/dev/shm"

_NUMPY = "import sys, numpy; held = numpy.ones(int(sys.argv[1]) << 17); print(len(held))"
_NODE = "held = Buffer.alloc(process.argv[1] << 20, 1); console.log(held.length)"
_CHILDREN = 4  # and their parent


class Program(NamedTuple):
    """One kind of program; sizes are MiB."""

    name: str
    what: str
    argv: Callable[[int], list[str]]
    processes: int = 1  # that share it out
    shared: bool = False  # in files of a tmpfs: no process's own

    def taken(self, mib: int, per_process: bool) -> int | None:
        """What a method counts of `mib` MiB, in bytes; None: nothing, it escapes."""
        if per_process and self.shared:
            return None
        each = mib // self.processes
        return (each if per_process else each * self.processes) << 20

    def missing(self) -> str | None:
        """Say why it cannot run here, or None."""
        if self.name == "numpy":
            return None if importlib.util.find_spec("numpy") else "numpy is not installed"
        program = self.argv(1)[0]
        return None if shutil.which(program) else f"{program} is not installed"


def _java(mib: int) -> list[str]:
    """The heap is touched as a whole before the program begins."""
    heap = [f"-Xms{mib}m", f"-Xmx{mib}m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC"]
    return ["java", *heap, "-Xshare:auto", "-version"]


def _forks(mib: int) -> list[str]:
    return line("forks", mib=mib // (_CHILDREN + 1), width=_CHILDREN, depth=1, hold=0, linger=0.7)


PROGRAMS = {
    p.name: p
    for p in (
        Program("python", "one MiB after the other", lambda mib: line("hog", mib=mib, tell=0)),
        Program("numpy", "an array of ones", lambda n: [sys.executable, "-c", _NUMPY, str(n)]),
        Program("node", "a Buffer", lambda mib: ["node", "-e", _NODE, str(mib)]),
        Program("java", "a heap that is touched at start", _java),
        Program("fork tree", "a parent and four children", _forks, processes=_CHILDREN + 1),
        Program("daemon", "forks twice, leaves the session", lambda n: line("daemon", mib=n)),
        Program("burst", "all at once", lambda mib: line("burst", mib=mib)),
        Program("tmpfs", f"a file in {SHM}",
                lambda mib: line("tmpfs", mib=mib, directory=SHM, hold=0), shared=True),
    )
}  # fmt: skip
