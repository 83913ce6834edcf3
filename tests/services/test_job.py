"""Jobs in the background: started, shown, ended; nothing of them is ever left."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memtui.kernel import cgroupmake
from memtui.kernel.errors import KernelError
from memtui.model.job import Request
from memtui.model.limits import Limits
from memtui.model.runlimit import Result
from memtui.render.spans import plain
from memtui.services.job import Job
from memtui.services.jobs import Jobs
from memtui.services.launch import NotStarted
from memtui.services.limits import Unavailable
from memtui.services.output import KEPT
from tests.support.cgroups import MIB, Group
from tests.support.limited import hog

Start = Callable[..., Job]


@pytest.fixture(params=["cgroup", "data"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start jobs by one method; afterwards each is closed and nothing of it is left."""
    if request.param == "cgroup":
        group: Group = request.getfixturevalue("memory_group")
        monkeypatch.setenv("MEMTUI_CGROUP_BASE", str(group.dir))
    jobs: list[Job] = []
    before = set(os.listdir("/proc/self/fd"))

    def begin(command: str, limit: int = 256 * MIB) -> Job:
        jobs.append(Job.start(command, Limits(limit), request.param))
        return jobs[-1]

    yield begin
    for job in jobs:
        job.close()
        job.close()
        assert job.pids() == set()
        with pytest.raises(ChildProcessError):
            os.waitpid(job.pid, os.WNOHANG)
    assert set(os.listdir("/proc/self/fd")) - before == set()
    if request.param == "cgroup":
        assert [p for p in group.dir.iterdir() if p.is_dir()] == []


def tail(job: Job, n: int) -> list[str]:
    return [plain(line) for line in job.output_tail(n)]


def wait(job: Job, seconds: float = 30) -> Result:
    return until(job.poll, seconds)


def until(ask: Callable[[], Result | None], seconds: float) -> Result:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := ask():
            return got
        time.sleep(0.01)
    raise AssertionError("it did not end")


def await_output(job: Job, line: str) -> None:
    end = time.monotonic() + 20
    while line not in tail(job, 100):
        assert time.monotonic() < end, tail(job, 100)
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_output_status_and_method_are_told(start: Start) -> None:
    job = start("echo out; echo err >&2; exit 3")
    assert job.limit == 256 * MIB
    assert job.method_line.startswith("limit: ")
    assert "256 MiB" in job.method_line
    assert abs(job.started - time.time()) < 60
    result = wait(job)
    assert (result.status, result.signal, result.exit_status, result.left) == (3, None, 3, 0)
    assert result.verdict.text.partition(";")[0] == "exited with status 3"
    assert result.verdict.kind == ("maybe-limit" if job.per_process else "failed")
    assert tail(job, 10) == ["out", "err"]
    assert tail(job, 1) == ["err"]
    assert job.poll() is result
    assert job.usage() is None


def test_running_job_has_processes_and_usage(start: Start) -> None:
    job = start("sleep 30 & sleep 30 & echo ready; wait")
    await_output(job, "ready")
    assert job.poll() is None
    assert job.pid in job.pids()
    assert len(job.pids()) == 3
    assert 0 < (job.usage() or 0) < 256 * MIB
    assert (job.peak() or 1) > 0


@pytest.mark.parametrize("method", ["data", "as"])
def test_under_an_rlimit_usage_and_peak_are_of_the_largest_process(method: str) -> None:
    hold = f"{sys.executable} -S -c 'import time; b = b\"x\" * (40 << 20); time.sleep(30)'"
    job = Job.start(f"{hold} & {hold} & {hold} & wait", Limits(512 * MIB), method)
    try:
        end = time.monotonic() + 20
        while (job.usage() or 0) < 40 * MIB or (job.peak() or 0) < 40 * MIB:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.1)
        usage, peak = job.usage(), job.peak()
        assert job.per_process
        assert 40 * MIB <= (usage or 0) <= (peak or 0)
        assert method == "as" or (peak or 0) < 80 * MIB, "not of all together"
    finally:
        job.close()


def test_hog_ends_at_its_limit(start: Start) -> None:
    job = start(shlex.join(["exec", *hog(0.03)]), 64 * MIB)
    result = wait(job)
    assert "64.0 MiB" in result.verdict.text
    if job.method == "cgroup":
        assert (result.signal, result.verdict.kind, result.peak) == (9, "limit", 64 * MIB)
    else:
        assert (result.status, result.verdict.kind) == (1, "probably-limit")
        assert "MemoryError" in "\n".join(tail(job, 40))  # without memory it may come garbled


def test_one_big_refusal_shows_in_the_output_where_no_size_tells(start: Start) -> None:
    code = "b'x' * (1 << 30)"
    job = start(shlex.join(["exec", sys.executable, "-S", "-c", code]), 64 * MIB)
    result = wait(job)
    if job.method == "cgroup":
        assert result.verdict.kind == "limit", "a group refuses nothing, and kills"
    else:
        assert (result.status, result.verdict.kind) == (1, "probably-limit")
        assert "as its output says (MemoryError)" in result.verdict.text


def test_kill_ends_all_processes_even_stopped_ones(start: Start) -> None:
    job = start("sleep 30 & echo ready; wait")
    await_output(job, "ready")
    pids = job.pids()
    job.kill(signal.SIGSTOP)
    job.kill()
    result = wait(job)
    assert (result.signal, result.exit_status) == (15, 143)
    assert result.verdict.text == "ended from here, by signal 15"
    assert all(gone(pid) for pid in pids)


def test_a_limit_that_is_raised_in_time_lets_it_end_well(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait_for = f"while ! [ -e {go} ]; do sleep 0.02; done"
    job = start(f"echo ready; {wait_for}; {shlex.join(hog())}", 64 * MIB)
    await_output(job, "ready")
    assert job.set_limit(512 * MIB) == 512 * MIB
    assert job.method_line.startswith("limit: ")
    assert "512 MiB" in job.method_line
    go.touch()
    assert wait(job).exit_status == 0
    with pytest.raises(Unavailable, match="has ended"):
        job.set_limit(64 * MIB)


def test_a_limit_that_is_lowered_is_in_force_on_all_of_it(start: Start) -> None:
    job = start("sleep 30 & echo ready; wait")
    await_output(job, "ready")
    assert job.set_limit(96 * MIB) == 96 * MIB
    if job.per_process:
        soft = {Path(f"/proc/{p}/limits").read_text().split("data size")[1].split()[0]
                for p in job.pids()}  # fmt: skip
        assert soft == {str(96 * MIB)}
        assert job.set_limit(128 * MIB) == 128 * MIB  # only the soft one was lowered
        return
    (group,) = (p for p in Path(os.environ["MEMTUI_CGROUP_BASE"]).iterdir() if p.is_dir())
    files = ["memory.max"] if (group / "memory.max").exists() else ["memory.limit_in_bytes"]
    files += (
        ["memory.memsw.limit_in_bytes"] if (group / "memory.memsw.limit_in_bytes").exists() else []
    )
    assert {(group / f).read_text().strip() for f in files} == {str(96 * MIB)}


def test_a_limit_below_what_is_used_kills_on_v2_and_is_refused_on_v1(
    memory_group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTUI_CGROUP_BASE", str(memory_group.dir))
    code = (
        "import time; b = bytearray(b'x') * (48 << 20); print('ready', flush=True); time.sleep(60)"
    )
    job = Job.start(f"exec {sys.executable} -S -c {shlex.quote(code)}", Limits(96 * MIB), "cgroup")
    try:
        await_output(job, "ready")
        assert job.warning(64 * MIB) == ""
        if memory_group.version == 2:
            assert "killing" in job.warning(16 * MIB)
            job.set_limit(16 * MIB)
            assert wait(job).verdict.kind == "limit"
            return
        assert "refuses" in job.warning(16 * MIB)
        with pytest.raises(KernelError):
            job.set_limit(16 * MIB)
        assert job.limit == 96 * MIB
        (group,) = (p for p in memory_group.dir.iterdir() if p.is_dir())
        assert Group(group).limit_file.read_text().strip() == str(96 * MIB)
    finally:
        job.close()


def test_close_ends_what_ignores_signals(start: Start) -> None:
    job = start("trap '' TERM INT HUP; sleep 30 & echo ready; wait")
    await_output(job, "ready")
    pids = job.pids()
    job.close()
    result = job.poll()
    assert result
    assert result.signal == 9
    assert all(gone(pid) for pid in pids)


def test_close_does_not_wait_for_what_does_not_die(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start("echo ready; exec sleep 30")
    await_output(job, "ready")
    begun = time.monotonic()
    with monkeypatch.context() as patch, contextlib.suppress(KernelError):
        patch.setattr(os, "kill", lambda *_: None)
        patch.setattr(cgroupmake, "_kill_once", lambda _: None)
        job.close()
    assert time.monotonic() - begun < 4
    assert (job.poll(), job.pids()) == (None, set())
    os.kill(job.pid, signal.SIGKILL)
    os.waitpid(job.pid, 0)
    job._limiter.close()


def test_start_does_not_wait_for_a_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, polled, go_on = Jobs(), threading.Event(), threading.Event()
    sleeping = Request("exec sleep 30", 256 * MIB)
    slow = jobs.start(sleeping).id
    poll = Job.poll

    def wait_and_poll(job: Job) -> Result | None:
        if threading.current_thread() is poller:
            polled.set()
            go_on.wait(20)
        return poll(job)

    monkeypatch.setattr(Job, "poll", wait_and_poll)
    poller = threading.Thread(target=jobs.poll)
    poller.start()
    try:
        assert polled.wait(20)
        added = threading.Thread(target=jobs.start, args=(sleeping,))
        added.start()
        added.join(10)
        assert not added.is_alive()
    finally:
        go_on.set()
        poller.join()
        jobs.close()
    assert [view.id for view in jobs.views] == [slow, slow + 1]
    with pytest.raises(NotStarted, match="quit"):
        jobs.start(sleeping)


def test_daemons_that_leave_the_session_are_ended(start: Start, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    job = start(
        f"(setsid sh -c 'echo $$ >{pid_file}; exec sleep 30' &); "
        f"while ! [ -s {pid_file} ]; do sleep 0.01; done; exit 4"
    )
    result = wait(job)
    assert (result.status, result.left) == (4, 1)
    assert gone(int(pid_file.read_text()))


def test_a_flood_of_output_is_bounded_and_never_blocks(start: Start) -> None:
    job = start("i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero; i=$((i+1)); done; echo end")
    assert wait(job).status == 0
    last = tail(job, 5)
    assert last[-1].endswith("␀") or last[-1].endswith("end")
    assert sum(map(len, tail(job, 10**6))) <= KEPT


def test_many_jobs_at_once(start: Start) -> None:
    jobs = [start(f"echo {i}; exit {i}") for i in range(12)]
    assert [wait(j).status for j in jobs] == list(range(12))
    assert [tail(j, 1) for j in jobs] == [[str(i)] for i in range(12)]


def test_foreign_command_text_is_safe_and_stdin_is_empty(start: Start) -> None:
    job = start("cat; : '\x1b[31m'")
    assert "\x1b" not in job.command
    assert wait(job).status == 0


def test_refused_job_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMTUI_CGROUP_BASE", str(tmp_path / "absent"))
    with pytest.raises(Unavailable):
        Job.start("true", Limits(64 * MIB), "cgroup")
    job = Job.start("true", Limits(64 * MIB))
    try:
        assert "watchdog: " in job.method_line
        assert "; no cgroup: " in job.method_line
    finally:
        job.close()
