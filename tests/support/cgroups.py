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

import pytest

V1_MEMORY = Path("/sys/fs/cgroup/memory")
MIB = 1 << 20
NAME = "memtui-test-"


def missing_v1() -> str | None:
    """Say why no v1 memory cgroup can be made here, or None where one can."""
    if not (V1_MEMORY / "memory.limit_in_bytes").exists():
        return "needs the memory controller on cgroup v1"
    if not os.access(V1_MEMORY, os.W_OK):
        return "needs root, to make a memory cgroup"
    return None


class Group:
    """One cgroup v1 directory below the memory hierarchy's top."""

    def __init__(self, path: Path) -> None:
        self.dir = path

    @property
    def cgroup(self) -> str:
        """The path as /proc/PID/cgroup writes it."""
        return "/" + str(self.dir.relative_to(V1_MEMORY))

    def child(self, name: str, limit: int | None = None) -> Group:
        path = self.dir / name
        path.mkdir()
        group = Group(path)
        if limit is not None:
            group.set_limit(limit)
        return group

    def set_limit(self, limit: int) -> None:
        (self.dir / "memory.limit_in_bytes").write_text(str(limit))
        with contextlib.suppress(OSError):  # no swap accounting
            (self.dir / "memory.memsw.limit_in_bytes").write_text(str(limit))

    def read(self, name: str) -> str:
        return (self.dir / name).read_text()

    def oom_kills(self) -> int:
        return int(self.read("memory.oom_control").split("oom_kill ")[1].split()[0])

    def start(self, argv: list[str], **options: object) -> subprocess.Popen[bytes]:
        """Start `argv` inside the group: it enters by itself, so nothing is charged elsewhere."""
        enter = 'echo 0 >"$1" || exit 125; shift; exec "$@"'
        line = ["/bin/sh", "-c", enter, "sh", str(self.dir / "cgroup.procs"), *argv]
        return subprocess.Popen(line, **options)  # type: ignore[call-overload,no-any-return]

    def python(self, code: str, **options: object) -> subprocess.Popen[bytes]:
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
def v1_group(limit: int | None = None, name: str = NAME) -> Iterator[Group]:
    """A fresh v1 memory cgroup; skips (in CI: fails) where none can be made."""
    if reason := missing_v1():
        if os.environ.get("CI"):
            pytest.fail(f"CI must not skip this: {reason}")
        pytest.skip(reason)
    path = V1_MEMORY / f"{name}{secrets.token_hex(4)}"
    path.mkdir()
    group = Group(path)
    try:
        if limit is not None:
            group.set_limit(limit)
        yield group
    finally:
        group.remove()


HOG = """
import sys, time
print("ready", flush=True)
held = []
for _ in range({mib}):
    held.append(bytearray(1 << 20))
    for i in range(0, 1 << 20, 4096):
        held[-1][i] = 1
    time.sleep({pause})
print("holds", len(held), flush=True)
time.sleep({linger})
"""


def hog(mib: int, pause: float = 0.0, linger: float = 30.0) -> str:
    """Python code that touches `mib` MiB, then lingers; it ends by itself within a minute."""
    return HOG.format(mib=mib, pause=pause, linger=linger)
