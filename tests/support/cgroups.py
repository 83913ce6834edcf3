"""Real memory cgroups for tests: made, limited, filled, and always removed."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

V1_MEMORY = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
MIB = 1 << 20
NAME = "memtui-test-"


class Place(NamedTuple):
    """Where groups are made: at the top as root; on v2 as a user beside the group we are in."""

    version: int
    top: Path  # the mount point
    base: Path


def _own(top: Path) -> Path:
    """The v2 group that we are in."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return top / next(line[3:] for line in lines if line.startswith("0::")).lstrip("/")


def place() -> Place | None:
    """Which version has the memory controller here, and where in it groups can be made."""
    if (V1_MEMORY / "memory.limit_in_bytes").exists():
        return Place(1, V1_MEMORY, V1_MEMORY)
    controllers = V2 / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        return None
    return Place(2, V2, V2 if os.geteuid() == 0 else _own(V2).parent)


def _missing_in(found: Place) -> str | None:
    """Say why no group with a limit can be made and entered there, or None."""
    if not os.access(found.base, os.W_OK) or not os.access(found.base / "cgroup.procs", os.W_OK):
        return "needs root, to make a memory cgroup"
    if found.version == 1:
        return None
    control = found.base / "cgroup.subtree_control"
    with contextlib.suppress(OSError):  # EBUSY, or another's
        if "memory" not in control.read_text().split():
            control.write_text("+memory")
        return None
    return f"needs the memory controller below {found.base}"


def missing(version: int | None = None) -> str | None:
    """Say why no memory cgroup (of that version) can be made here, or None where one can."""
    found = place()
    if found is None or version not in (None, found.version):
        return f"needs the memory controller on cgroup v{version or '1 or v2'}"
    return _missing_in(found)


def missing_v1() -> str | None:
    """Say why no v1 memory cgroup can be made here, or None where one can."""
    return missing(1)


class Group:
    """One memory cgroup, v1 or v2."""

    def __init__(self, path: Path) -> None:
        self.dir = path
        self.version = 2 if (path / "cgroup.controllers").exists() else 1
        self.limit_file = path / ("memory.max" if self.version == 2 else "memory.limit_in_bytes")

    @property
    def cgroup(self) -> str:
        """The path as /proc/PID/cgroup writes it."""
        return "/" + str(self.dir.relative_to(V2 if self.version == 2 else V1_MEMORY))

    def child(self, name: str, limit: int | None = None) -> Group:
        """Make a group below; on v2 none may live in this one from then on."""
        if self.version == 2:
            (self.dir / "cgroup.subtree_control").write_text("+memory")
        path = self.dir / name
        path.mkdir()
        group = Group(path)
        if limit is not None:
            group.set_limit(limit)
        return group

    def set_limit(self, limit: int, swap: int = 0) -> None:
        """Limit memory, and how much more may be in swap."""
        self.limit_file.write_text(str(limit))
        name = "memory.swap.max" if self.version == 2 else "memory.memsw.limit_in_bytes"
        with contextlib.suppress(OSError):  # no swap accounting
            (self.dir / name).write_text(str(swap if self.version == 2 else limit + swap))

    def read(self, name: str) -> str:
        return (self.dir / name).read_text()

    def oom_kills(self) -> int:
        """How many processes of this very group the OOM killer killed."""
        name = "memory.events.local" if self.version == 2 else "memory.oom_control"
        return int(self.read(name).split("oom_kill ")[1].split()[0])

    def start(self, argv: list[str], **options: object) -> subprocess.Popen[bytes]:
        """Start `argv` inside the group: it enters by itself, so nothing is charged elsewhere."""
        enter = 'echo 0 >"$1" || exit 125; shift; exec "$@"'
        line = ["/bin/sh", "-c", enter, "sh", str(self.dir / "cgroup.procs"), *argv]
        return subprocess.Popen(line, **options)  # type: ignore[call-overload,no-any-return]

    def python(self, code: str, **options: object) -> subprocess.Popen[bytes]:
        """Start Python code inside the group."""
        return self.start([sys.executable, "-S", "-c", code], **options)

    def remove(self) -> None:
        """Kill what lives in the group and below, then remove it; deepest first."""
        groups = [Path(d) for d, _, _ in os.walk(self.dir)]
        for path in sorted(groups, key=lambda p: -len(p.parts)):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                for pid in (path / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                with contextlib.suppress(OSError):
                    path.rmdir()
                    break
                time.sleep(0.01)


@contextlib.contextmanager
def memory_group_of(
    version: int | None = None, limit: int | None = None, name: str = NAME
) -> Iterator[Group]:
    """A fresh memory cgroup; skips where none (of that version) can be made."""
    found = place()
    if (reason := missing(version)) or found is None:
        pytest.skip(reason or "")
    path = found.base / f"{name}{secrets.token_hex(4)}"
    path.mkdir()
    group = Group(path)
    try:
        if limit is not None:
            group.set_limit(limit)
        yield group
    finally:
        group.remove()


@contextlib.contextmanager
def v1_group(limit: int | None = None, name: str = NAME) -> Iterator[Group]:
    """A fresh v1 memory cgroup; skips where none can be made."""
    with memory_group_of(1, limit, name) as group:
        yield group
