"""The kernel log as a service: followed by its descriptor, or by the journal, or refused."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from memtui.kernel.oomlog import LogKill, OtherKill
from memtui.services.kernellog import KernelLog, NoLog, open_kernel_log, wait
from tests.support.cgroups import MIB, Group
from tests.support.oomlogs import SECOND, memcg, wrapped

HOG = "held = [bytearray(b'x' * (1 << 20)) for _ in range(200)]"
NONE = "/nonexistent/kmsg"


def opened(since: float | None = None, follow: bool = True, path: str = NONE) -> KernelLog:
    log = open_kernel_log(since, follow, kmsg_path=path)
    assert not isinstance(log, NoLog), log
    return log


def until(log: KernelLog, wanted: Callable[[LogKill], bool], limit_s: float = 30.0) -> LogKill:
    """The first kill of that kind, by polling the descriptor."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if wait(log, 1.0):
            for told in log.read():
                if isinstance(told, LogKill) and wanted(told):
                    return told
    raise AssertionError("no such kill was told")


def here(group: Group) -> Callable[[LogKill], bool]:
    end = group.cgroup.encode()
    return lambda kill: kill.oom_memcg is not None and kill.oom_memcg.endswith(end)


@pytest.mark.kmsg
@pytest.mark.world
def test_a_kill_wakes_who_polls_the_descriptor(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    with closing(opened(path="/dev/kmsg")) as log:
        assert (log.name, log.ended, log.begins) == ("/dev/kmsg", False, None)
        before = time.time()
        with memory_group.python(HOG) as child:
            assert child.wait(60) == -signal.SIGKILL
        kill = until(log, here(memory_group))
        assert kill.time is not None
        assert before - 1 <= kill.time <= time.time()
        assert kill.limits[0].limit == 24 * MIB
        assert kill.pid in {row.tgid for row in kill.table}
        assert any(b"invoked oom-killer" in line for line in kill.record)
        assert log.lost == 0


@pytest.mark.kmsg
@pytest.mark.world
def test_history_goes_back_to_a_moment_and_ends(memory_group: Group) -> None:
    memory_group.set_limit(24 * MIB)
    with memory_group.python(HOG) as child:
        assert child.wait(60) == -signal.SIGKILL
    with closing(opened(time.time() - 120, follow=False, path="/dev/kmsg")) as log:
        kills = [told for told in log.read() if isinstance(told, LogKill)]
        assert log.ended
    assert any(map(here(memory_group), kills))
    with closing(opened(time.time() + 60, follow=False, path="/dev/kmsg")) as log:
        assert not any(here(memory_group)(k) for k in log.read() if isinstance(k, LogKill))


def journalctl(to: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A program of that name that is found first; it notes how it was called, and its PID."""
    script = to / "journalctl"
    script.write_text(f'#!/bin/sh\necho "$$ $*" >>{to}/calls\n{body}\n')
    script.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{to}:{os.environ['PATH']}")


def test_without_dev_kmsg_the_journal_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlyoom = b'{"SYSLOG_IDENTIFIER":"earlyoom","__REALTIME_TIMESTAMP":"1714557601000000",' + (
        b'"MESSAGE":"sending SIGTERM to process 9 uid 1 \\"x\\": badness 1"}\n'
    )
    (tmp_path / "entries").write_bytes(wrapped("json", memcg(5, b"j")) + earlyoom)
    case = f"cat {tmp_path}/entries; case $* in *--follow*) exec sleep 60;; esac"
    journalctl(tmp_path, monkeypatch, case)
    with closing(opened(SECOND)) as log:
        assert log.name == "the journal"
        told: list[object] = []
        end = time.monotonic() + 30
        while len(told) < 2 and time.monotonic() < end:
            told += log.read() if wait(log, 1.0) else []
        kill, other = told
        assert isinstance(kill, LogKill)
        assert isinstance(other, OtherKill)
        assert (kill.pid, kill.comm, kill.time) == (5, b"j", SECOND + 0.25)
        assert (other.who, other.pid, other.time) == ("earlyoom", 9, SECOND + 1)
        assert not log.ended
    child, *words = (tmp_path / "calls").read_text().splitlines()[-1].split()
    assert not Path(f"/proc/{child}").exists()  # ended, and reaped
    assert {"--follow", "--boot", f"--since=@{SECOND}", "_TRANSPORT=kernel"} <= set(words)


def test_history_of_the_journal_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "entries").write_bytes(wrapped("json", memcg(5)))
    journalctl(tmp_path, monkeypatch, f"cat {tmp_path}/entries")
    with closing(opened(SECOND, follow=False)) as log:
        told: list[object] = []
        end = time.monotonic() + 30
        while not log.ended and time.monotonic() < end:
            told += log.read() if wait(log, 1.0) else []
        assert log.ended
    assert len(told) == 1


@pytest.mark.parametrize(
    ("body", "why", "grant"),
    [
        (
            "echo 'You are currently not seeing messages from other users' >&2",
            "not readable",
            "adm",
        ),
        ("exit 1", "no kernel messages", "host"),
        ("echo '-- No entries --'", "no kernel messages", "host"),
    ],
)
def test_why_there_is_no_log_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str, grant: str
) -> None:
    journalctl(tmp_path, monkeypatch, body)
    log = open_kernel_log(kmsg_path=NONE)
    assert isinstance(log, NoLog)
    assert NONE in log.why
    assert why in log.why
    assert grant in (log.grant or "")


def test_without_journalctl_there_is_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    log = open_kernel_log(kmsg_path="/dev/null")
    assert isinstance(log, NoLog)
    assert "something else" in log.why
    assert "no journalctl" in log.why
