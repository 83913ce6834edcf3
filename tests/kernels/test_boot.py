"""The launcher: what a command gets from a guest, and what a guest leaves here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels import boot
from tests.kernels.boot import Guest

pytestmark = pytest.mark.skipif(
    boot.missing(Guest()) is not None, reason=str(boot.missing(Guest()))
)
BOOT = [sys.executable, "-m", "tests.kernels.boot"]


def guest(*args: str, to: Path) -> subprocess.CompletedProcess[str]:
    """Run a guest that keeps its own files below `to`."""
    environment = {**os.environ, "TMPDIR": str(to)}
    line = [*BOOT, "--memory=256M", *args]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=90)


def test_status_and_streams_are_the_commands(tmp_path: Path) -> None:
    inside, named = tmp_path / "inside", tmp_path / "named"
    named.mkdir()
    code = f"cat /proc/self/cgroup; echo lost >{inside}; echo kept >{named}/kept; pwd >&2; exit 9"
    done = guest(f"--write={named}", "--", "sh", "-c", code, to=tmp_path)
    assert (done.returncode, done.stdout) == (9, "0::/system.slice/tests.service\n")
    assert done.stderr == os.getcwd() + "\n"
    assert [p.name for p in tmp_path.iterdir()] == ["named"], "the rest is gone with the guest"
    assert (named / "kept").read_text() == "kept\n"


def test_a_user_has_a_subtree_and_is_no_root(tmp_path: Path) -> None:
    code = "id -un; cd /sys/fs/cgroup; mkdir no; cd .$(sed s/0:://\\;s,/[^/]*$,, /proc/self/cgroup)"
    code += "; mkdir yes && echo 64M >yes/memory.max && cat yes/memory.max"
    done = guest("--user=somebody", "--", "sh", "-c", code, to=tmp_path)
    assert done.stdout.split() == ["somebody", str(64 << 20)]
    assert "Permission denied" in done.stderr


def test_it_has_the_swap_that_is_asked_for(tmp_path: Path) -> None:
    done = guest("--swap=64M", "--", "cat", "/proc/swaps", to=tmp_path)
    name, kind, size, used, _ = done.stdout.splitlines()[1].split()
    assert (name, kind, used) == ("/dev/ubda", "partition", "0")
    assert 63 << 10 < int(size) <= 64 << 10
    assert list(tmp_path.iterdir()) == []


def test_the_time_limit_ends_it_without_a_trace(tmp_path: Path) -> None:
    done = guest("--timeout=4", "--", "sh", "-c", "echo begun; sleep 60", to=tmp_path)
    assert (done.returncode, done.stdout) == (boot.TIMED_OUT, "begun\n")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_it_without_a_trace(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    line = [*BOOT, "--memory=256M", "--", "sh", "-c", "echo begun; sleep 60"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "kernel", lambda: None)
    with pytest.raises(boot.NotSetUp, match="user-mode-linux is not installed"):
        boot.run(Guest(), ["true"])
