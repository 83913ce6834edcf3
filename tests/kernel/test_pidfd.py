"""pidfds and `/proc/PID/stat` on real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel import pidfd
from memtui.kernel.errors import Gone, Malformed
from tests.support.procs import IGNORING, NO_PIDFD, run_python, sleeper, state_of, until

LINE = b"42 (%b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 1 1 " + b"0 " * 6


def line(comm: bytes) -> bytes:
    return LINE % comm + b"1 2 4 0 0 0 17 1\n"


@pytest.mark.parametrize("comm", [b"sh", b"a) R 1 (b", b"(sd-pam)", b"x y", b"\xff\n)", b""])
def test_the_name_may_hold_anything(comm: bytes) -> None:
    stat = pidfd.parse_stat(line(comm))
    assert (stat.pid, stat.comm, stat.state, stat.ppid, stat.start) == (42, comm, "S", 7, 9876)
    assert (stat.blocked, stat.ignored, stat.caught) == (1, 2, 4)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        pidfd.parse_stat(data)
    with contextlib.suppress(Malformed):
        pidfd.parse_owner(data)


def test_it_reads_this_very_process() -> None:
    stat = pidfd.read_stat(os.getpid())
    assert (stat.ppid, stat.kernel_thread) == (os.getppid(), False)
    assert pidfd.read_owner(os.getpid()) == (os.getpid(), os.getuid())
    assert pidfd.read_rss(os.getpid()) > 1 << 20
    assert b"python" in pidfd.read_cmdline(os.getpid())


def test_the_start_time_stays_and_tells_processes_apart() -> None:
    with sleeper() as process:
        start = pidfd.read_stat(process.pid).start
        assert start >= pidfd.read_stat(os.getpid()).start
        assert pidfd.read_stat(process.pid).start == start


def test_the_masks_show_what_a_process_ignores() -> None:
    with sleeper(IGNORING) as process:
        ignored = pidfd.read_stat(process.pid).ignored
        assert ignored >> (signal.SIGTERM - 1) & 1
        assert not ignored >> (signal.SIGHUP - 1) & 1


def test_a_signal_by_pidfd_arrives_and_the_end_is_seen() -> None:
    with sleeper() as process:
        fd = pidfd.open_pidfd(process.pid)
        assert fd is not None
        try:
            assert not pidfd.wait_exit(fd)
            pidfd.send_pidfd(fd, signal.SIGTERM)
            assert pidfd.wait_exit(fd, 20)
            assert state_of(process.pid) == "Z"
            assert process.wait() == -signal.SIGTERM
            assert pidfd.wait_exit(fd)
            with pytest.raises(Gone):
                pidfd.send_pidfd(fd, signal.SIGTERM)
        finally:
            os.close(fd)


def test_a_reaped_process_is_gone() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    for call in (pidfd.open_pidfd, pidfd.read_stat, pidfd.read_owner, pidfd.read_rss):
        with pytest.raises(Gone):
            call(process.pid)
    with pytest.raises(Gone):
        pidfd.send_pid(process.pid, signal.SIGTERM)


def test_a_thread_is_not_a_process() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert pidfd.read_owner(thread.native_id)[0] == os.getpid()
        with pytest.raises(pidfd.NotProcess):
            pidfd.open_pidfd(thread.native_id)
    finally:
        release.set()
        thread.join()


def test_a_kernel_that_refuses_pidfds_gives_none() -> None:
    code = (
        NO_PIDFD
        + "import os; from memtui.kernel import pidfd; print(pidfd.open_pidfd(os.getpid()))"
    )
    assert run_python(code) == "None\n"


def test_a_signal_by_number_arrives() -> None:
    with sleeper() as process:
        pidfd.send_pid(process.pid, signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
