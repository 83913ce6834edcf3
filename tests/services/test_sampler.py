"""The live source of snapshots, held against psutil."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from memtui.kernel.roots import LIVE, Roots
from memtui.model.snapshot import Proc, Snapshot
from memtui.model.victims import OomEvent
from memtui.services import sampler
from memtui.services.sampler import Processes, Sampler, descriptor_room
from tests.support.cgroups import Group
from tests.support.crowd import crowd
from tests.support.procs import run_python, sleeper, until

BUSY = """
import resource, threading
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
def spin():
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
"""
ROOMS = [10_000, 0]


@contextlib.contextmanager
def processes(room: int) -> Iterator[Processes]:
    made = Processes(LIVE, room)
    try:
        yield made
    finally:
        made.close()


def of(procs: list[Proc], pid: int) -> Proc:
    return next(p for p in procs if p.pid == pid)


@pytest.mark.parametrize("room", ROOMS)
def test_cpu_and_time_of_a_busy_child_equal_psutil(room: int) -> None:
    with sleeper(BUSY) as process, processes(room) as source:
        theirs = psutil.Process(process.pid)
        assert of(source.sample(), process.pid).cpu_pct is None, "unknown at first, not 0"
        began, before = time.monotonic(), sum(theirs.cpu_times()[:2])
        time.sleep(1)
        row = of(source.sample(), process.pid)
        used, span = sum(theirs.cpu_times()[:2]) - before, time.monotonic() - began
        assert row.cpu_pct == pytest.approx(100 * used / span, abs=15)
        assert row.cpu_time == pytest.approx(sum(theirs.cpu_times()[:2]), abs=0.3)
        assert row.state in "RS"


@pytest.mark.parametrize("room", ROOMS)
def test_an_idle_process_has_0_per_cent(room: int) -> None:
    with sleeper() as process, processes(room) as source:
        source.sample()
        source.sample()
        time.sleep(0.1)
        assert of(source.sample(), process.pid).cpu_pct == 0.0


@pytest.mark.parametrize("room", ROOMS)
def test_a_newborn_is_charged_for_what_it_used_since(room: int) -> None:
    with processes(room) as source:
        source.sample()
        code = "t = __import__('time')\nwhile t.process_time() < 0.3: pass\n"
        with sleeper(code) as process:
            row = of(source.sample(), process.pid)
            assert row.cpu_pct is not None
            assert row.cpu_pct > 5


@pytest.mark.parametrize("room", ROOMS)
def test_who_it_is_equals_psutil(room: int) -> None:
    with sleeper() as process, processes(room) as source:
        row, theirs = of(source.sample(), process.pid), psutil.Process(process.pid)
        assert (row.ppid, row.nice, row.threads) == (theirs.ppid(), theirs.nice(), 1)
        assert (row.uid, row.user) == (theirs.uids().effective, theirs.username())
        assert row.argv.decode().split("\0")[:-1] == theirs.cmdline()
        assert (row.rss, row.virt, row.shr) == tuple(theirs.memory_info()[:3])


def test_new_arguments_under_the_same_name_are_seen_even_when_it_sleeps() -> None:
    code = (
        "import os, sys; print('ready', flush=True); sys.stdin.readline();"
        "os.execv(sys.executable, [sys.executable, '-S', '-c',"
        " 'print(1, flush=True); import time; time.sleep(60)'])"
    )
    line = [sys.executable, "-S", "-c", code]
    made = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with made, processes(10_000) as source:
        assert made.stdin is not None
        assert made.stdout is not None
        assert made.stdout.readline() == b"ready\n"
        assert b"readline" in of(source.sample(), made.pid).argv
        made.stdin.write(b"\n")
        made.stdin.close()
        assert made.stdout.readline() == b"1\n"
        for _ in range(sampler._RECHECK):
            rows = source.sample()
        assert b"readline" not in of(rows, made.pid).argv
        assert "time.sleep" in of(rows, made.pid).command
        made.kill()


def test_cgroups_come_within_some_ticks_and_stay(memory_group: Group) -> None:
    with memory_group.start(["sleep", "60"]) as process, processes(10_000) as source:
        until(lambda: str(process.pid) in memory_group.read("cgroup.procs"))
        until(lambda: of(source.sample(), process.pid).cgroup == memory_group.cgroup)
        assert of(source.sample(), process.pid).cgroup == memory_group.cgroup
        process.kill()


def tree_with_a_process(root: Path) -> Path:
    """A captured tree that holds process 7; return its folder."""
    folder = root / "proc" / "7"
    folder.mkdir(parents=True)
    stat = "7 (a b) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0 20 5 3 0 55 0 0 " + "0 " * 28
    (folder / "stat").write_text(stat + "\n")
    (folder / "statm").write_text("1000 100 10 1 0 5 0\n")
    return folder


def test_a_move_to_another_cgroup_is_seen_though_the_name_stays(tmp_path: Path) -> None:
    file = tree_with_a_process(tmp_path) / "cgroup"
    source = Processes(Roots(str(tmp_path)), 0)
    file.write_text("0::/a\n")
    assert source.sample()[0].cgroup == "/a"
    file.write_text("0::/b\n")
    assert [source.sample()[0].cgroup for _ in range(2 * sampler._RECHECK)][-1] == "/b"
    file.unlink()
    assert [source.sample()[0].cgroup for _ in range(2 * sampler._RECHECK)][-1] == "/b"


def test_the_dead_are_gone_and_the_born_are_there() -> None:
    with crowd(20) as people, processes(10_000) as source:
        source.sample()
        lost = people.lose(10)
        people.more(10)
        pids = {p.pid for p in source.sample()}
        assert pids >= set(people.pids)
        assert not pids & set(lost)


def test_kept_descriptors_cost_at_most_a_hundredth_of_the_limit() -> None:
    assert descriptor_room(0) > 0, "0 is no limit that could be had"
    assert descriptor_room(64 << 20) * 4608 <= (64 << 20) // 100
    assert descriptor_room(1 << 20) == 2
    assert descriptor_room(None) >= descriptor_room(1 << 30)


def test_where_few_files_may_be_open_none_is_kept_and_all_is_right() -> None:
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from memtui.services.sampler import Sampler
s = Sampler()
for _ in range(3):
    procs = {str(p.pid) for p in s.sample().procs}
    print(len(set(sys.argv[1:]) - procs), s._processes._scan.kept)
"""
    with crowd(30) as people:
        people.stop()
        assert run_python(code, *map(str, people.pids)) == "0 0\n" * 3


def test_the_first_look_is_the_beginning_of_the_whole() -> None:
    with sleeper("held = b'x' * (48 << 20)") as big:
        source = Sampler()
        first, whole = source.first_look(10), source.sample()
        assert len(first.procs) <= 10
        there = {p.pid for p in first.procs}
        assert big.pid in there or min(p.rss for p in first.procs) >= 48 << 20  # a busy machine
        assert first.count >= len(first.procs)
        assert whole.count == len(whole.procs)
        assert first.quota.binding == whole.quota.binding or first.quota.binding is not None
        assert first.took_s > 0
        assert whole.mono >= first.mono
        before = len(os.listdir("/proc/self/fd"))
        source.stop()  # gives back what it kept of every process
        assert len(os.listdir("/proc/self/fd")) < before - len(whole.procs) // 2


def test_ticks_come_to_the_listener_until_it_is_stopped() -> None:
    heard: list[Snapshot] = []
    work: list[int] = []

    def listen(snapshot: Snapshot, events: Sequence[OomEvent]) -> None:
        heard.append(snapshot)

    source = Sampler(delay_s=0.05)
    source.also(lambda: work.append(1))
    source.start()
    source.listen(listen)
    until(lambda: len(heard) >= 3)
    assert source.latest is not None
    assert [s.mono for s in heard] == sorted(s.mono for s in heard)
    assert len(work) >= 3
    source.stop()
    until(lambda: not any(t.name == "sampler" and t.is_alive() for t in threading.enumerate()))


def test_refresh_samples_at_once() -> None:
    heard = threading.Event()
    source = Sampler(delay_s=3600)
    source.start()
    until(lambda: source.latest is not None)
    source.listen(lambda snapshot, events: heard.set())
    source.refresh()
    assert heard.wait(20)
    source.stop()
    until(lambda: not any(t.name == "sampler" and t.is_alive() for t in threading.enumerate()))


def test_a_captured_tree_needs_no_live_kernel(tmp_path: Path) -> None:
    tree_with_a_process(tmp_path)
    source = Sampler(Roots(str(tmp_path)))
    for snapshot in (source.first_look(5), source.sample(), source.sample()):
        (row,) = snapshot.procs
        assert (row.pid, row.name, row.command, row.uid, row.user) == (7, "a b", "a b", None, "?")
        assert (row.threads, row.nice, row.cpu_time) == (3, 5, 150 / os.sysconf("SC_CLK_TCK"))
        assert snapshot.quota.binding is None
