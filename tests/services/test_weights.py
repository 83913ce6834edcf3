"""What the OOM killer weighs, read from the running kernel and from captured trees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE, Roots
from memtui.model.badness import Doomed, sees_all
from memtui.model.snapshot import Proc, Quota
from memtui.services.quota import QuotaSource
from memtui.services.sampler import Processes, Sampler
from memtui.services.weights import Weigher, Weight
from tests.support.crowd import crowd
from tests.support.made import MIB, proc
from tests.support.procs import quota_now, sleeper, state_of, until
from tests.support.trees import copy

TOUCH = "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096])"
RAISE = "open('/proc/self/oom_score_adj', 'w').write('{}')"
HEADLESS = """
import ctypes, threading
def go_on():
    time.sleep(60)
threading.Thread(target=go_on).start()
print('ready', flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[__import__("os").uname().machine], 0)
"""
V2_GROUP = "/user.slice/user-1000.slice/session-3.scope"


class Watched:
    """The running machine, looked at tick by tick, as if its memory were the limit."""

    def __init__(self) -> None:
        self.weigher = Weigher(LIVE)
        self._processes = Processes(LIVE, 0)
        if not sees_all(self._processes.sample()):
            pytest.skip("needs to see every process of the machine")
        quota = quota_now()
        host = quota.binding and quota.binding._replace(level=None)
        self.quota = quota._replace(binding=host)

    def tick(self) -> tuple[dict[tuple[int, int], Weight], Doomed]:
        self.procs = self._processes.sample(cgroups=True)
        return self.weigher.look(self.procs, self.quota)

    def identity(self, pid: int) -> tuple[int, int]:
        return next(p.identity for p in self.procs if p.pid == pid)


def set_adj(pid: int, adj: int) -> None:
    Path(f"/proc/{pid}/oom_score_adj").write_text(str(adj))


def status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key + ":"))


def test_a_process_weighs_what_the_kernel_says() -> None:
    with sleeper(RAISE.format(321) + "\n" + TOUCH) as process:
        watched = Watched()
        found = watched.tick()[0][watched.identity(process.pid)]
        tables = status(process.pid, "VmPTE")
        assert found == Weight(321, status(process.pid, "VmSwap"), tables)
        assert tables > 24 * MIB // 512


def test_the_next_tick_knows_another_adj_and_another_victim() -> None:
    with sleeper(RAISE.format(900)) as one, sleeper(RAISE.format(950)) as two:
        watched = Watched()
        assert watched.tick()[1].identity == watched.identity(two.pid)
        set_adj(one.pid, 1000)
        weights, doomed = watched.tick()
        assert doomed.identity == watched.identity(one.pid)
        assert weights[watched.identity(one.pid)].adj == 1000


def test_who_is_gone_is_weighed_no_more() -> None:
    with sleeper(RAISE.format(1000)) as process:
        watched = Watched()
        doomed = watched.tick()[1].identity
        assert doomed == watched.identity(process.pid)
    weights, after = watched.tick()
    assert doomed not in weights
    assert after.identity != doomed


def test_among_many_an_adj_is_found_within_sixteen_ticks_and_at_once_where_it_matters() -> None:
    with crowd(120) as many, sleeper(RAISE.format(1000)) as worst, sleeper() as quiet:
        many.stop()
        watched = Watched()
        assert watched.tick()[1].identity == watched.identity(worst.pid)
        set_adj(quiet.pid, 1000)
        seen = [watched.tick()[0][watched.identity(quiet.pid)].adj for _ in range(16)]
        assert seen[-1] == 1000
        set_adj(quiet.pid, 500)
        assert watched.tick()[0][watched.identity(quiet.pid)].adj == 500


def test_a_death_nobody_collects_is_a_death() -> None:
    with sleeper(RAISE.format(1000)) as process:
        watched = Watched()
        assert watched.tick()[1].identity == watched.identity(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        weights, after = watched.tick()
        assert watched.identity(process.pid) not in weights
        assert after.identity != watched.identity(process.pid)


def test_who_goes_on_without_its_first_thread_hides_its_memory() -> None:
    with sleeper(HEADLESS) as process:
        until(lambda: state_of(process.pid) == "Z")
        watched = Watched()
        doomed = watched.tick()[1]
        assert doomed.identity is None
        assert f"{process.pid} hides its memory" in doomed.reason
    assert "hides its memory" not in watched.tick()[1].reason


def test_kernel_threads_and_zombies_have_no_weight() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        watched = Watched()
        weights = watched.tick()[0]
        assert watched.identity(process.pid) not in weights
    assert not {p.identity for p in watched.procs if p.kernel_thread} & weights.keys()


def test_a_snapshot_carries_both() -> None:
    with sleeper(RAISE.format(1000)) as process:
        sampler = Sampler()
        snapshot = sampler.sample()
        sampler.stop()
        assert snapshot.doomed is not None
        assert snapshot.doomed.identity is not None or snapshot.doomed.reason
        if snapshot.quota.binding and snapshot.quota.binding.is_host:
            named = snapshot.doomed.identity
            assert named is None or named[0] == process.pid


# -- captured trees


class Machine:
    """A captured v2 machine with processes of ours in it."""

    def __init__(self, tmp_path: Path, cgroup: str = V2_GROUP) -> None:
        self.root = copy("v2_systemd", tmp_path)
        self.weigher = Weigher(Roots(str(self.root)))
        self.source = QuotaSource(Roots(str(self.root)), cgroup)

    @property
    def quota(self) -> Quota:
        quota = self.source.read()
        level = next(lv for lv in quota.levels if lv.limit is not None)
        binding = quota.binding
        assert binding is not None
        return quota._replace(
            binding=binding._replace(
                level=quota.levels.index(level), bytes=level.limit or 0, path=level.limit_file
            )
        )

    def process(self, pid: int, mib: float, cgroup: str, adj: int | None, swap: int = 0) -> Proc:
        place = self.root / "proc" / str(pid)
        place.mkdir(parents=True, exist_ok=True)
        if adj is not None:
            (place / "oom_score_adj").write_text(f"{adj}\n")
        sizes = f"VmSize:\t 1 kB\nVmPTE:\t 4 kB\nVmSwap:\t {swap} kB\n"
        (place / "status").write_text("Name:\tR\n" + sizes)
        return proc(pid, mib, cgroup, virt=1 << 30)

    def look(self, *procs: Proc) -> Doomed:
        kernel = proc(2, 0, "/", kernel_thread=True)
        return self.weigher.look([kernel, *procs], self.quota)[1]

    def vm(self, name: str, value: int) -> None:
        (self.root / "proc/sys/vm").mkdir(parents=True, exist_ok=True)
        (self.root / "proc/sys/vm" / name).write_text(f"{value}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_swap_makes_a_small_one_the_worst(machine: Machine) -> None:
    big = machine.process(10, 20, V2_GROUP, 0)
    swapped = machine.process(11, 1, V2_GROUP, 0, swap=30 << 10)
    found = machine.look(big, swapped)
    assert found.identity == swapped.identity
    assert found.badness == 31 * MIB + 4096


def test_a_file_that_cannot_be_read_is_no_adj_of_0(machine: Machine) -> None:
    found = machine.look(machine.process(10, 20, V2_GROUP, None))
    assert (found.identity, "oom_score_adj" in found.reason) == (None, True)


def test_the_whole_group_is_named_where_an_ancestor_says_so(machine: Machine) -> None:
    one, two = machine.process(10, 20, V2_GROUP, 0), machine.process(11, 1, V2_GROUP, 0)
    assert machine.look(one, two).all == (one.identity,)
    (machine.root / "sys/fs/cgroup" / V2_GROUP.lstrip("/") / "memory.oom.group").write_text("1\n")
    found = machine.look(one, two)
    assert (found.group, set(found.all)) == (V2_GROUP, {one.identity, two.identity})


@pytest.mark.parametrize(
    ("switch", "value", "named"),
    [("panic_on_oom", 2, False), ("panic_on_oom", 1, True), ("oom_kill_allocating_task", 1, True)],
)
def test_what_the_kernel_does_instead_is_said(
    machine: Machine, switch: str, value: int, named: bool
) -> None:
    machine.vm(switch, value)
    found = machine.look(machine.process(10, 20, V2_GROUP, 0))
    assert (found.identity is not None) == named
    assert named or switch in found.reason


def test_without_swappiness_an_adj_is_a_share_of_less(machine: Machine) -> None:
    process = machine.process(10, 20, V2_GROUP, 500)
    before = machine.look(process).total
    machine.vm("swappiness", 0)
    for _ in range(8):
        found = machine.look(process)
    assert machine.quota.binding is not None
    assert found.total == machine.quota.binding.bytes
    assert before is not None
    assert before >= found.total
