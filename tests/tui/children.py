"""Processes with names of a test's choosing; they end by themselves and are reaped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.support.procs import READY

FIRST = "!memtui-test"  # sorts before every other command line


@contextlib.contextmanager
def named(
    name: str | bytes = FIRST, setup: str = "", *args: str | bytes
) -> Iterator[subprocess.Popen[bytes]]:
    """A sleeping process whose command line begins with `name`, after it ran `setup`."""
    home = f"{sys.base_prefix}:{sys.base_exec_prefix}"  # its own name does not lead there
    made = subprocess.Popen(
        [name, "-S", "-c", READY.format(setup=setup), *args],
        executable=sys.executable,
        env={**os.environ, "PYTHONHOME": home},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert made.stdout is not None
        assert made.stdout.readline() == b"ready\n"
        yield made
    finally:
        made.kill()
        made.wait()
        if made.stdout is not None:
            made.stdout.close()


def called(comm: bytes) -> str:
    """Setup code that gives a process the short name `comm` (PR_SET_NAME)."""
    return f"import ctypes; ctypes.CDLL(None).prctl(15, {comm!r}, 0, 0, 0)"


def ended_by(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end; the number of the signal that ended it, 0 for none."""
    return max(0, -process.wait(20))


TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)
