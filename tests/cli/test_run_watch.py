"""`memtui run --method watch`: a limit that needs nothing, and that no fork escapes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.cgroups import MIB
from tests.support.limited import run_cli, start_cli
from tests.support.procs import state_of
from tests.support.programs import line

pytestmark = pytest.mark.world
RUN = ("--limit", "64M", "--method", "watch")

# a double fork out of session and process group, with a clean environment; then memory is taken
ESCAPE = """
import os, sys, time
if os.fork():
    time.sleep(60)
os.setsid()
if os.fork():
    os._exit(0)
os.execve(sys.executable, sys.argv[1:], {})
"""


def ended(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return not path.exists() or ") Z " in path.read_text()


def test_all_processes_together_are_ended_at_the_limit() -> None:
    done = run_cli(*RUN, "--", *line("forks", width=4, mib=20, seconds=60))
    err = done.stderr.decode()
    assert done.returncode == 137, err
    assert "limit: watchdog: 64.0 MiB of all processes together" in err
    assert "ended by memtui for its limit of 64.0 MiB" in err
    pids = [int(x.split()[1]) for x in done.stdout.decode().splitlines() if "process" in x]
    assert all(map(ended, pids))


def test_what_several_share_counts_once() -> None:
    shared = line("forks", width=6, mib=1, shared=40, hold=0)
    done = run_cli("--limit", "100M", "--method", "watch", "--", *shared)
    assert done.returncode == 0, done.stderr.decode()


def test_a_daemon_that_leaves_everything_is_still_watched() -> None:
    hog = line("hog", mib=200, tell=0, pause=0.002)
    done = run_cli(*RUN, "--", sys.executable, "-S", "-c", ESCAPE, *hog)
    assert done.returncode == 137, "else it would have slept for a minute"
    assert "ended by memtui for its limit" in done.stderr.decode()


@pytest.mark.parametrize("method", ["watch", "data"])
def test_a_daemon_is_ended_with_the_command_and_told(method: str) -> None:
    done = run_cli("--limit", "1G", "--method", method, "--", *line("daemon", mib=1, status=4))
    assert done.returncode == 4
    assert "killed 1 process that was still running" in done.stderr.decode()
    pid = next(int(x.split()[1]) for x in done.stdout.decode().splitlines() if "process" in x)
    assert ended(pid)


@pytest.mark.parametrize("method", ["watch", "data"])
def test_what_a_shell_had_begun_before_it_became_memtui_is_left_alone(method: str) -> None:
    shell = ("sh", "-c", 'sleep 60 >/dev/null 2>&1 & echo $!; exec "$@"', "sh")
    done = run_cli("--limit", "64M", "--method", method, "--", "true", prefix=shell)
    pid = int(done.stdout)
    try:
        assert (done.returncode, b"still running" in done.stderr) == (0, False), done.stderr
        assert not ended(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_daemon_is_left_as_asked() -> None:
    asked = ("--limit", "1G", "--method", "watch", "--leave")
    done = run_cli(*asked, "--", *line("daemon", mib=1))
    pid = next(int(x.split()[1]) for x in done.stdout.decode().splitlines() if "process" in x)
    try:
        assert "left 1 process that was still running" in done.stderr.decode()
        assert not ended(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_at_the_limit_it_can_be_stopped_and_go_on() -> None:
    climb = line("hog", mib=100, tell=0, pause=0.005)
    process = start_cli(*RUN, "--on-limit", "stop", *climb)
    assert process.stderr
    process.stderr.readline()
    stops = 0
    while b"stopped at" in process.stderr.readline():
        stops += 1
        process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, f"done {100 * MIB}\n".encode())
    assert stops > 1, "each tenth of the limit it is stopped again"


GREEDY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: None)
held = []
for _ in range(300):
    held.append(b"x" * (1 << 20))
    time.sleep(0.003)
print("has them", flush=True)
time.sleep(45)
"""


def test_who_takes_more_in_place_of_ending_is_not_waited_for() -> None:
    asked = (*RUN, "--on-limit", "term", "--grace", "40s")
    done = run_cli(*asked, "--", sys.executable, "-S", "-c", GREEDY)
    assert (done.returncode, done.stdout) == (137, b""), done.stderr
    assert b"ended by memtui for its limit of 64.0 MiB" in done.stderr


def test_throttled_it_hardly_moves() -> None:
    process = start_cli(*RUN, "--on-limit", "throttle", *line("hog", mib=300, pause=0.005))
    try:
        assert process.stdout
        assert process.stderr
        process.stderr.readline()
        said = process.stderr.readline().decode()
        assert "slowed down at " in said
        at = float(said.split("slowed down at ")[1].split()[0]) * MIB
        taken, end = 0, time.monotonic() + 60
        while taken < at + 2 * MIB and time.monotonic() < end:
            taken = int(process.stdout.readline().split()[1])
        assert taken >= at + 2 * MIB, "it goes on"
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 143


def test_ctrl_z_is_not_lost_while_it_is_slowed_down() -> None:
    named = ("sh", "-c", 'echo $$; exec "$@"', "sh", *line("hog", mib=300, tell=0, pause=0.005))
    process = start_cli(*RUN, "--on-limit", "throttle", *named)
    try:
        assert process.stdout
        assert process.stderr
        command = int(process.stdout.readline())
        process.stderr.readline()
        assert b"slowed down at " in process.stderr.readline()
        end = time.monotonic() + 30
        while state_of(process.pid) != "T":
            assert time.monotonic() < end
            if state_of(command) == "T":
                process.send_signal(signal.SIGTSTP)
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 143
