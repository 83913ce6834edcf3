"""Processes that a test makes, and that are gone and reaped when it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memtui.kernel import procfs
from memtui.kernel.roots import LIVE, Roots
from memtui.model.snapshot import Proc, Quota
from memtui.services.identify import user_name
from memtui.services.quota import QuotaSource

READY = "import signal, sys, time\n{setup}\nprint('ready', flush=True)\ntime.sleep(60)\n"
IGNORING = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
HANDLING = "signal.signal(signal.SIGTERM, lambda *_: None)"


@contextlib.contextmanager
def sleeper(setup: str = "", **options: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that ran `setup`, then sleeps; it ends by itself within a minute."""
    line = [sys.executable, "-S", "-c", READY.format(setup=setup)]
    made = subprocess.Popen(  # type: ignore[call-overload]
        line, stdout=subprocess.PIPE, text=True, **options
    )
    process: subprocess.Popen[str] = made
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def row(pid: int, name: str = "python3", start: int | None = None) -> Proc:
    """The row that a table would show for `pid`."""
    stat = procfs.read_stat(LIVE, pid)
    uid = procfs.read_owner(LIVE, pid)[1]
    return Proc(
        pid=pid,
        start=stat.start if start is None else start,
        ppid=stat.ppid,
        uid=uid,
        user=user_name(uid),
        state=stat.state.decode(),
        threads=1,
        nice=0,
        kernel_thread=stat.kernel_thread,
        virt=0,
        rss=procfs.read_statm(LIVE, pid).rss,
        shr=0,
        cpu_time=0.0,
        cpu_pct=None,
        majflt=0,
        comm=stat.comm,
        argv=b"",
        name=name,
        command=name,
        cgroup=None,
    )


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until `condition` holds; fails after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.01)


def state_of(pid: int) -> str:
    """The state letter that the kernel shows."""
    return procfs.read_stat(LIVE, pid).state.decode()


NO_PIDFD = """
import ctypes, struct
def no_pidfd():
    # Load the system call's number; 434 is pidfd_open on every architecture: ENOSYS; else allow.
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 434), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("=HBBI", *line) for line in code)
    held = ctypes.create_string_buffer(program)
    head = struct.pack("@HP", len(code), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.create_string_buffer(head), 0, 0) == 0
no_pidfd()
"""


def run_python(code: str, *argv: str, **options: object) -> str:
    """Run `code` in a fresh interpreter; return what it printed, fail where it failed."""
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-c", code, *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def require(held: bool, reason: str) -> None:
    """Skip the test where `held` is false; in CI fail, for there nothing may skip."""
    if held:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip this: {reason}")
    pytest.skip(reason)


def quota_now(roots: Roots = LIVE) -> Quota:
    """The quota, read once."""
    with contextlib.closing(QuotaSource(roots)) as source:
        return source.read()


def tree_of(pid: int) -> list[int]:
    """A process and its descendants, itself first."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    return found
