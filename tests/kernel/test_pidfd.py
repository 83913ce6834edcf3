"""pidfds and signals on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from memtui.kernel import pidfd, procfs
from memtui.kernel.errors import Gone
from memtui.kernel.roots import LIVE
from tests.support.procs import NO_PIDFD, run_python, sleeper, state_of, until


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
    with pytest.raises(Gone):
        pidfd.open_pidfd(process.pid)
    with pytest.raises(Gone):
        pidfd.send_pid(process.pid, signal.SIGTERM)


def test_a_thread_is_not_a_process() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert procfs.read_owner(LIVE, thread.native_id)[0] == os.getpid()
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
