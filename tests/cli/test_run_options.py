"""`memtui run`: what may be asked for beside the limit, and what becomes of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cgroups import MIB, Group, place
from tests.support.limited import run_cli, start_cli, unshared
from tests.support.programs import line

pytestmark = pytest.mark.world
RUN = ("--limit", "64M", "--method", "cgroup")


def told(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode()


def climb(pause: float = 0.005) -> list[str]:
    """A command that takes 200 MiB, 1 MiB at a time."""
    return line("hog", mib=200, tell=0, pause=pause)


def group_in(base: Group) -> Group:
    """The one group that a run has made there."""
    (made,) = [p for p in base.dir.iterdir() if p.is_dir()]
    return Group(made)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


@pytest.mark.parametrize("method", ["cgroup", "data"])
def test_the_command_begins_nice_and_first_to_die(method: str, memory_group: Group) -> None:
    code = "cat /proc/self/oom_score_adj; nice"
    asked = ("--limit", "64M", "--method", method, "--adj", "500", "--nice", "3")
    done = run_cli(*asked, "sh", "-c", code, base=memory_group)
    assert done.stdout.split() == [b"500", str(os.nice(0) + 3).encode()], told(done)


@pytest.mark.unprivileged
def test_what_an_ordinary_user_may_not_have_is_refused_with_the_reason() -> None:
    done = run_cli("--limit", "64M", "--method", "data", "--nice", "-5", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, b"")
    assert "nice -5 cannot be set: Permission denied" in told(done)
    assert "CAP_SYS_NICE" in told(done)


def test_swap_high_and_group_kill_are_what_the_kernel_says(memory_group: Group) -> None:
    asked = ("--swap", "16M", "--high", "48M", "--oom-group")
    process = start_cli(*RUN, *asked, "sh", "-c", "echo ready; sleep 60", base=memory_group)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    made = group_in(memory_group)
    assert int(made.limit_file.read_text()) == 64 * MIB
    if made.version == 2:
        assert int(made.read("memory.high")) == 48 * MIB
        assert int(made.read("memory.oom.group")) == 1
    swap = "memory.swap.max" if made.version == 2 else "memory.memsw.limit_in_bytes"
    if (made.dir / swap).exists():
        assert int(made.read(swap)) == 16 * MIB + (64 * MIB if made.version == 1 else 0)
    process.terminate()
    _, err = process.communicate(timeout=30)
    said = err.decode().splitlines()[0]
    assert "swap 16.0M" in said or "swap not counted" in said
    high = "memory.high 48.0 MiB, oom.group" if made.version == 2 else "not in force: --high"
    assert high in said


def test_with_oom_group_nobody_survives_the_one_that_is_killed(memory_group: Group) -> None:
    code = '"$@"; sleep 30; echo survived'
    done = run_cli(*RUN, "--oom-group", "sh", "-c", code, "sh", *climb(0), base=memory_group)
    assert (done.returncode, done.stdout) == (137, b"")
    assert "killed: it reached its limit of 64.0 MiB" in told(done)


@pytest.mark.parametrize("method", ["cgroup", "data"])
def test_time_is_up(method: str, memory_group: Group) -> None:
    asked = ("--limit", "64M", "--method", method, "--time", "1", "--grace", "1s")
    ignores = "trap '' TERM; while :; do sleep 0.1; done"
    for words, status in ((["sleep", "60"], 143), (["sh", "-c", ignores], 137)):
        done = run_cli(*asked, *words, base=memory_group)
        assert done.returncode == status
        assert "for its time limit" in told(done)


def test_a_time_of_a_thousand_years_is_as_good_as_none(memory_group: Group) -> None:
    asked = ("--time", "999999999d", "--grace", "999999999d")
    done = run_cli(*RUN, *asked, "sh", "-c", "exit 3", base=memory_group)
    assert (done.returncode, told(done).count("\n")) == (3, 1)


@pytest.mark.namespaces
def test_a_group_that_cannot_be_removed_does_not_change_how_it_ended(memory_group: Group) -> None:
    here = place()
    assert here
    frozen = f"mount -o remount,bind,ro {here.top} && exit 3"
    prefix = unshared("--mount")
    done = run_cli(*RUN, "sh", "-c", frozen, base=memory_group, prefix=prefix)
    left = group_in(memory_group)
    left.dir.rmdir()
    assert done.returncode == 3, told(done)
    assert f"its cgroup is left behind: {left.dir}: Read-only file system" in told(done)


def test_short_of_the_limit_it_is_asked_to_end(memory_group: Group) -> None:
    code = "trap 'echo saved; exit 7' TERM; \"$@\" & wait"
    asked = (*RUN, "--on-limit", "term", "sh", "-c", code, "sh")
    done = run_cli(*asked, *climb(), base=memory_group)
    assert (done.returncode, done.stdout) == (7, b"saved\n"), told(done)
    assert "SIGTERM at 60.0 MiB" in told(done)
    assert "ended by memtui for its limit of 64.0 MiB" in told(done)


def test_short_of_the_limit_it_is_stopped_and_goes_on_when_told(memory_group: Group) -> None:
    process = start_cli(*RUN, "--on-limit", "stop", *climb(), base=memory_group)
    assert process.stderr
    process.stderr.readline()
    said = process.stderr.readline().decode()
    assert "stopped at 6" in said
    assert f"`kill -CONT {process.pid}` lets it go on" in said
    made = group_in(memory_group)
    (pid,) = made.read("cgroup.procs").split()
    end = time.monotonic() + 30
    while state(int(pid)) != "T":  # v2 may hold it up for memory.high first
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 137
    assert b"killed: it reached its limit of 64.0 MiB" in err


def test_what_is_stopped_can_be_ended(memory_group: Group) -> None:
    process = start_cli(*RUN, "--on-limit", "stop", *climb(), base=memory_group)
    assert process.stderr
    process.stderr.readline()
    assert b"stopped at" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert not [p for p in memory_group.dir.iterdir() if p.is_dir()]


def test_throttled_it_is_held_and_not_killed(memory_group: Group) -> None:
    process = start_cli(*RUN, "--on-limit", "throttle", *climb(0.001), base=memory_group)
    try:
        assert process.stderr
        assert b"nobody is killed for it" in process.stderr.readline()
        made, end = group_in(memory_group), time.monotonic() + 60
        usage = "memory.current" if made.version == 2 else "memory.usage_in_bytes"
        while int(made.read(usage)) < 63 * MIB:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        assert made.oom_kills() == 0
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 143


def test_what_is_left_is_left_as_asked_and_its_group_goes_later(memory_group: Group) -> None:
    done = run_cli(*RUN, "--leave", "sh", "-c", "sleep 60 >&- 2>&- & echo $!", base=memory_group)
    pid = int(done.stdout)
    try:
        assert done.returncode == 0
        assert "left 1 process that was still running" in told(done)
        assert state(pid) in "SR"
        assert group_in(memory_group).read("cgroup.procs").split() == [str(pid)]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_next_start_removes_what_a_killed_memtui_left(memory_group: Group) -> None:
    process = start_cli(*RUN, "sh", "-c", "echo $$; exec sleep 60 >&- 2>&-", base=memory_group)
    assert process.stdout
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=30)
    made = group_in(memory_group)
    assert run_cli(*RUN, "true", base=memory_group).returncode == 0
    assert made.read("cgroup.procs").split() == [str(pid)], "the command goes on, limited"
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while made.read("cgroup.procs").split():
        assert time.monotonic() < end
    assert run_cli(*RUN, "true", base=memory_group).returncode == 0
    assert not made.dir.exists()


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--high", "64M"], "--high: it must be less than --limit"),
        (["--swap", "lots"], "--swap: 'lots' is not a size"),
        (["--adj", "1001"], "--adj: 1001 is not between -1000 and 1000"),
        (["--nice", "20"], "--nice: 20 is not between -20 and 19"),
        (["--time", "soon"], "--time: 'soon' is no time: write 90, 90s, 15m, 2h or 1d"),
        (["--time", "0"], "--time: 0 leaves no time"),
        (["--grace", "-1"], "--grace: '-1' is no time"),
    ],
)
def test_wrong_use_is_one_sentence(args: list[str], part: str) -> None:
    done = run_cli("--limit", "64M", *args, "true")
    assert done.returncode == 2
    assert part in told(done)
    assert told(done).count("\n") == 1
