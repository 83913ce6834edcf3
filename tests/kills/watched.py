"""Starting a watcher as this user, as nobody or without CAP_SYSLOG, and reading what it tells."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.kernels.places import ROOT, as_nobody
from tests.support import worlds
from tests.support.waiting import readable

Told = dict[str, Any]
"""An event as `tests.kills.watcher` writes it."""

SURE = ("kernel-log", "exit-status")

_COVER = """
set -e
mount --bind "$1" /dev/kmsg
shift
exec "$@"
"""


class Mode(NamedTuple):
    """With which rights the watcher runs."""

    name: str
    what: str
    missing: Callable[[], str | None]
    prefix: Callable[[str], list[str]]  # of its command line, given an empty file that is closed


def _restricted() -> bool:
    return Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() == "1"


def _no_nobody() -> str | None:
    if not worlds.is_root():
        return "needs root, to become nobody"
    missing = [p for p in ("setpriv", "unshare") if not shutil.which(p)]
    return f"{missing[0]} is not installed" if missing else None


def _no_caps() -> str | None:
    if not worlds.is_root() or not shutil.which("setpriv"):
        return "needs root and setpriv, to run without CAP_SYSLOG"
    if not _restricted():
        return "here everybody may read the kernel log (kernel.dmesg_restrict is 0)"
    return None


def _nobody(closed: str) -> list[str]:
    """Where the log is open to all, it is covered by a file that is open to none."""
    cover = [] if _restricted() else ["unshare", "--mount", "sh", "-c", _COVER, "sh", closed]
    return [*cover, *as_nobody()]


MODES = {
    "self": Mode("self", "as this user", lambda: None, lambda _: []),
    "nobody": Mode("nobody", "as nobody, without the log", _no_nobody, _nobody),
    "no-syslog": Mode(
        "no-syslog",
        "as root without CAP_SYSLOG",
        _no_caps,
        lambda _: ["setpriv", "--bounding-set=-syslog,-sys_admin", "--"],
    ),
}


def _lives(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


class Watched:
    """A watcher that runs, and what it told so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.log = False  # it reads the kernel log
        self.lines: list[Told] = []
        self._rest = b""

    def read(self, timeout_s: float) -> bool:
        """Read what it says now; False when nothing came in that time."""
        out = self.process.stdout
        assert out is not None
        if not readable(out.fileno(), timeout_s):
            return False
        data = os.read(out.fileno(), 1 << 16)
        assert data, f"the watcher ended: {self.process.wait()}"
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.lines += [json.loads(line) for line in whole]
        return True

    def until(self, enough: Callable[[], bool], timeout_s: float) -> bool:
        """Read until that holds; whether it came to hold in time."""
        end = time.monotonic() + timeout_s
        while not enough():
            if not self.read(end - time.monotonic()) and time.monotonic() >= end:
                return False
        return True

    def cpu_s(self) -> float:
        """How much CPU time it has used so far."""
        return float(self._ask("cpu", "cpu_s", 10)["cpu_s"])

    def see(self, pid: int) -> None:
        """Let it refresh until it has seen a process, or that has ended."""
        end = time.monotonic() + 20
        while pid not in self._ask("refresh", "pids", 20)["pids"] and _lives(pid):
            assert time.monotonic() < end, f"it never saw {pid}"

    def told(self, *groups: str) -> list[Told]:
        """Everything told of these groups, updates included, oldest first."""
        return [t for t in self.lines if t.get("cgroup") in groups and "kind" in t]

    def events(self, *groups: str) -> list[Told]:
        """The events in these groups, each as it was told last."""
        return list({t["id"]: t for t in self.told(*groups)}.values())

    def _ask(self, question: str, word: str, timeout_s: float) -> Told:
        """Ask; return the answer, which has `word`."""
        assert self.process.stdin is not None
        count = len(self.lines)
        self.process.stdin.write(f"{question}\n".encode())
        self.process.stdin.flush()
        assert self.until(lambda: any(word in t for t in self.lines[count:]), timeout_s)
        return next(t for t in self.lines[count:] if word in t)


@contextlib.contextmanager
def watching(
    mode: str = "self", cgroup: str | None = None, delay_s: float = 5.0
) -> Iterator[Watched]:
    """A watcher that has made its first sample."""
    line = [sys.executable, "-m", "tests.kills.watcher", f"--delay={delay_s}"]
    line += [] if cgroup is None else [f"--cgroup={cgroup}"]
    with (
        tempfile.TemporaryDirectory(prefix="memtui-state-") as state,
        tempfile.NamedTemporaryFile(prefix="memtui-closed-") as closed,
    ):
        os.chmod(state, 0o777)  # nobody's watcher remembers there, too; nothing is of earlier runs
        os.fchmod(closed.fileno(), 0)
        process = subprocess.Popen(
            [*MODES[mode].prefix(closed.name), *line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "XDG_STATE_HOME": state},
        )
        watched = Watched(process)
        try:
            assert watched.until(lambda: any("ready" in t for t in watched.lines), 60)
            watched.log = next(t["log"] for t in watched.lines if "ready" in t)
            yield watched
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                stream.close()
