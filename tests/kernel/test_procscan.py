"""Kept descriptors never say anything else than a fresh look at every process."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memtui.kernel import procfs, procscan
from memtui.kernel.errors import KernelError
from memtui.kernel.procscan import ProcScan, Reading, biggest, read_once
from memtui.kernel.roots import LIVE, Roots
from tests.support.cgroups import MIB, Group
from tests.support.crowd import crowd
from tests.support.procs import require, run_python, sleeper, until

ROOMY = 10_000


@contextlib.contextmanager
def scanning(room: int = ROOMY, roots: Roots = LIVE) -> Iterator[ProcScan]:
    scan = ProcScan(roots, room)
    try:
        yield scan
    finally:
        scan.close()


def descriptors() -> set[str]:
    """What our descriptors of /proc are open on."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
    return {path for path in found if path.startswith("/proc/")}


def same(readings: dict[str, Reading], pids: list[int]) -> None:
    for pid in pids:
        assert readings[str(pid)] == read_once(LIVE, str(pid))


@pytest.mark.parametrize("room", [ROOMY, 37, 1, 0])
def test_a_crowd_that_works_stops_and_is_replaced(room: int) -> None:
    with crowd(30) as people, scanning(room) as scan:
        for _ in range(4):
            scan.sample()
            time.sleep(0.05)
            scan.sample()
            people.stop()
            same(scan.sample(), people.pids)
            same(scan.sample(), people.pids)
            people.resume()
            lost = people.lose(10)
            people.more(10)
            readings = scan.sample()
            assert not [pid for pid in lost if str(pid) in readings]
            assert not [pid for pid in people.pids if str(pid) not in readings]
            assert {str(pid) for pid in lost} <= set(scan.gone)
            assert {str(pid) for pid in people.pids[-10:]} <= set(scan.touched)
            assert scan.kept <= max(room, 0)


def test_quiet_processes_are_not_touched_and_busy_ones_are() -> None:
    busy = "import threading\nthreading.Thread(target=lambda: [x for x in iter(int, 1)]).start()"
    with sleeper() as quiet, sleeper(busy, preexec_fn=limit_cpu) as worker, scanning() as scan:
        scan.sample()
        scan.sample()
        seen = []
        for _ in range(4):
            time.sleep(0.05)
            scan.sample()
            seen += scan.touched
        assert seen.count(str(worker.pid)) == 4
        assert seen.count(str(quiet.pid)) <= 1  # a rotation reads each now and then


def limit_cpu() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


GROW = """
import threading
def grow():
    sys.stdin.readline()
    global held
    held = b"x" * (16 << 20)
    print("grown", flush=True)
threading.Thread(target=grow, daemon=True).start()
"""


@pytest.mark.parametrize("room", [ROOMY, 0])
def test_growth_in_another_thread_is_seen(room: int) -> None:
    with sleeper(GROW, stdin=subprocess.PIPE) as process, scanning(room) as scan:
        assert process.stdin is not None
        assert process.stdout is not None
        scan.sample()
        before = scan.sample()[str(process.pid)].memory.rss
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.readline() == "grown\n"
        after = scan.sample()[str(process.pid)].memory.rss
        assert after - before >= 16 * MIB


def test_growth_in_another_thread_is_seen_when_the_room_is_full() -> None:
    with scanning() as scan:
        scan.sample()
        scan.room = scan.kept + 1
        with sleeper(GROW, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            scan.sample()
            before = scan.sample()[str(process.pid)].memory.rss
            process.stdin.write("\n")
            process.stdin.close()
            assert process.stdout.readline() == "grown\n"
            assert scan.sample()[str(process.pid)].memory.rss - before >= 16 * MIB


MAPPED = """
import mmap, os, sys
path = sys.argv[1]
with open(path, "w+b") as f:
    f.write(os.urandom(8 << 20))
    f.flush()
    os.fsync(f.fileno())
    pages = mmap.mmap(f.fileno(), 8 << 20, prot=mmap.PROT_READ)
os.unlink(path)
sum(pages[i] for i in range(0, 8 << 20, 4096))
print("ready", flush=True)
import time
time.sleep(60)
"""


def steals() -> dict[str, int]:
    lines = Path("/proc/vmstat").read_text().splitlines()
    return {k: int(v) for k, v in map(str.split, lines) if k.startswith("pgsteal_")}


@pytest.mark.memory_v1
@pytest.mark.one_world  # the file has to lie on a disk: pages of a tmpfs cannot be taken
def test_memory_taken_from_a_quiet_process_is_noticed_at_once(v1: Group) -> None:
    path = f"/var/tmp/{v1.dir.name}"
    line = [sys.executable, "-S", "-c", MAPPED, path]
    with v1.start(line, stdout=subprocess.PIPE) as process, scanning() as scan:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        name = str(process.pid)
        scan.sample()
        scan.sample()
        before, counted = scan.sample()[name], steals()
        assert before.memory.shr > 8 * MIB
        v1.set_limit(4 * MIB)  # the kernel reclaims for us, the process does not run
        after = scan.sample()[name]
        assert after.stat == before.stat
        assert after.memory == procfs.read_statm(LIVE, name)
        assert before.memory.rss - after.memory.rss > MIB
        assert steals()["pgsteal_file"] - counted["pgsteal_file"] > MIB // procfs.PAGE
        process.kill()


def test_what_nobody_announces_is_found_by_the_rotation() -> None:
    """Another process takes the pages: the file that is mapped is cut short."""
    setup = MAPPED.replace("sys.argv[1]", "sys.argv[1]").partition("print(")[0]
    setup = setup.replace("os.unlink(path)\n", "")
    path = f"/var/tmp/memtui-test-{os.getpid()}"
    code = setup + "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"
    with (
        subprocess.Popen([sys.executable, "-S", "-c", code, path], stdout=subprocess.PIPE) as made,
        scanning() as scan,
    ):
        try:
            assert made.stdout is not None
            assert made.stdout.readline() == b"ready\n"
            before = scan.sample()[str(made.pid)].memory.rss
            os.truncate(path, 0)
            # births and deaths shift whose turn it is, so the number of samples is not asserted
            until(lambda: before - scan.sample()[str(made.pid)].memory.rss > 7 * MIB)
        finally:
            made.kill()
            os.unlink(path)


REUSE = """
import os, signal, sys, time
from memtui.kernel.procscan import ProcScan
from memtui.kernel.roots import LIVE
def child():
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid
scan = ProcScan(LIVE, int(sys.argv[1]))
first = child()
spare = child()
scan.sample()
time.sleep(0.05)
before = scan.sample()[str(first)].stat.start
for pid in (first, spare):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
time.sleep(0.05)
with open("/proc/sys/kernel/ns_last_pid", "w") as f:
    f.write(str(first - 1))
second, *_ = child(), child(), child()
reading = scan.sample()[str(second)]
print(first == second, reading.stat.start > before, str(second) in scan.gone,
      str(second) in scan.touched, str(spare) in scan.sample())
"""


@pytest.mark.parametrize("room", [ROOMY, 0])
def test_a_reused_pid_is_a_new_process(room: int) -> None:
    line = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    usable = shutil.which("unshare") and not subprocess.run([*line, "true"]).returncode
    require(bool(usable), "needs root and unshare, for a PID namespace")
    done = subprocess.run(
        [*line, sys.executable, "-c", REUSE, str(room)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["True"] * 5, done.stdout + done.stderr


def test_an_exec_is_seen() -> None:
    code = "import os, sys\nsys.stdin.readline()\nos.execv('/bin/sleep', ['sleep', '60'])"
    with sleeper() as other, scanning() as scan:
        made = subprocess.Popen(
            [sys.executable, "-S", "-c", "print(1, flush=True)\n" + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with made:
            assert made.stdin is not None
            assert made.stdout is not None
            made.stdout.readline()
            before = scan.sample()[str(made.pid)]
            assert before.stat.comm.startswith(b"python")
            made.stdin.write(b"\n")
            made.stdin.close()
            until(lambda: procfs.read_stat(LIVE, made.pid).comm == b"sleep")
            after = scan.sample()[str(made.pid)]
            assert (after.stat.comm, after.stat.start) == (b"sleep", before.stat.start)
            made.kill()
        assert str(other.pid) in scan.readings


SCARCE = """
import resource, sys
from memtui.kernel.procscan import ProcScan, read_once
from memtui.kernel.roots import LIVE
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
scan = ProcScan(LIVE, 10_000)
pids = sys.argv[1:]
for _ in range(3):
    readings = scan.sample()
    missing = [p for p in pids if p not in readings]
    wrong = [p for p in pids if p in readings and readings[p] != read_once(LIVE, p)]
    print(len(missing), len(wrong))
"""


def test_when_descriptors_run_out_the_readings_are_still_right() -> None:
    with crowd(40) as people:
        people.stop()
        said = run_python(SCARCE, *map(str, people.pids))
        assert said.splitlines() == ["0 0"] * 3


def test_close_leaves_no_descriptor_open() -> None:
    before = descriptors()
    with crowd(10), scanning() as scan:
        scan.sample()
        scan.sample()
        assert scan.kept > 10
        assert len(descriptors() - before) >= 10
        scan.close()
        assert scan.kept == 0
        assert descriptors() <= before
    assert descriptors() <= before


def test_the_dead_keep_no_descriptor() -> None:
    with scanning() as scan:
        with crowd(10) as people:
            scan.sample()
            pids = list(people.pids)
        until(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
        scan.sample()
        held = descriptors()
        assert not [p for p in pids if any(path.startswith(f"/proc/{p}/") for path in held)]


def test_processes_that_vanish_in_mid_read_are_no_error(tmp_path: Path) -> None:
    churn = "while True:\n  if not os.fork(): os._exit(0)\n  os.wait()"
    code = f"import os, signal\nsignal.alarm(30)\nprint(1, flush=True)\n{churn}"
    line = [sys.executable, "-S", "-c", code]
    with contextlib.ExitStack() as stack, scanning() as scan:
        makers = []
        for _ in range(3):
            made = stack.enter_context(subprocess.Popen(line, stdout=subprocess.PIPE))
            stack.callback(made.kill)
            assert made.stdout is not None
            made.stdout.readline()
            makers.append(made)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            readings = scan.sample()
            assert all(str(m.pid) in readings for m in makers)
            readings_of_biggest, count = biggest(LIVE, 1000)
            assert 0 < len(readings_of_biggest) <= count


def test_the_biggest_come_first() -> None:
    with sleeper("held = b'x' * (48 << 20)") as big, sleeper() as small:
        readings, count = biggest(LIVE, ROOMY)
        pids = [r.stat.pid for r in readings]
        assert pids.index(big.pid) < pids.index(small.pid)
        assert count >= len(readings)
        assert biggest(LIVE, 0) == ([], len(procfs.list_pids(LIVE))) or count
        first, _ = biggest(LIVE, 1)
        assert len(first) == 1


def damaged(
    tmp_path: Path, change: Callable[[Path], None], unreadable: int = 0
) -> dict[str, Reading]:
    proc = tmp_path / "proc"
    for pid, rss in ((7, 100), (8, 50)):
        folder = proc / str(pid)
        folder.mkdir(parents=True)
        stat = f"{pid} (p{pid}) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 55 0 0 " + "0 " * 28
        (folder / "stat").write_text(stat + "\n")
        (folder / "statm").write_text(f"1000 {rss} 10 1 0 5 0\n")
    change(proc)
    with scanning(ROOMY, Roots(str(tmp_path))) as scan:
        scan.sample()
        assert scan.kept == 0, "a captured tree may have its files replaced"
        assert scan.unreadable == unreadable
        return dict(scan.sample())


def test_a_captured_tree(tmp_path: Path) -> None:
    readings = damaged(tmp_path, lambda proc: None)
    assert {n: r.memory.rss for n, r in readings.items()} == {
        "7": 100 * procfs.PAGE,
        "8": 50 * procfs.PAGE,
    }


@pytest.mark.parametrize("file", ["stat", "statm"])
@pytest.mark.parametrize("content", [None, b"", b"7", b"7 (p7) S 1", b"\xff" * 2000, b"x y z"])
def test_a_damaged_file_costs_its_process_only(
    tmp_path: Path, file: str, content: bytes | None
) -> None:
    def change(proc: Path) -> None:
        path = proc / "7" / file
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    assert list(damaged(tmp_path, change, unreadable=1)) == ["8"]


def test_a_process_that_ends_while_it_is_read_is_not_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(roots: Roots, name: str) -> Reading:
        if name == "7":
            shutil.rmtree(tmp_path / "proc/7", ignore_errors=True)
        return read_once(roots, name)

    monkeypatch.setattr(procscan, "read_once", end)
    assert list(damaged(tmp_path, lambda proc: None, unreadable=0)) == ["8"]


def test_names_that_are_no_processes_are_left_out(tmp_path: Path) -> None:
    def change(proc: Path) -> None:
        for name in ("self", "0", "7x", "٣", "-1", "meminfo"):
            (proc / name).mkdir()
        (proc / "9").write_text("a file")

    assert set(damaged(tmp_path, change)) == {"7", "8"}


def test_without_a_proc_there_is_one_error(tmp_path: Path) -> None:
    with scanning(0, Roots(str(tmp_path))) as scan, pytest.raises(KernelError):
        scan.sample()


def test_stopping_is_a_change_of_state_that_is_seen() -> None:
    with sleeper() as process, scanning() as scan:
        scan.sample()
        process.send_signal(signal.SIGSTOP)
        until(lambda: procfs.read_stat(LIVE, process.pid).state == b"T")
        assert scan.sample()[str(process.pid)].stat.state == b"T"
