"""What only some columns show, of real processes, held against psutil and the kernel's files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from memtui.kernel import procfs
from memtui.kernel.roots import LIVE, Roots
from memtui.model.fields import BY_KEY, FIELDS
from memtui.model.snapshot import ADJ, LIMIT, NO_LIMIT, ROLLUP, STATUS, TREE, Proc
from memtui.services import depth
from memtui.services.depth import Depth
from memtui.services.sampler import Processes, Sampler
from tests.support.cgroups import MIB, Group
from tests.support.limited import as_nobody
from tests.support.procs import quota_now, sleeper, until
from tests.support.programs import running
from tests.support.steady import agree

ALL = sum(f.needs for f in {f.needs: f for f in FIELDS}.values()) | ADJ


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    made = Processes(LIVE, 10_000)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def sampling(needs: int) -> Iterator[Sampler]:
    made = Sampler()
    made.want(needs)
    try:
        yield made
    finally:
        made.stop()


def of(source: Sampler, pid: int) -> Proc:
    return next(p for p in source.sample().procs if p.pid == pid)


def read(source: Sampler, pid: int, known: Callable[[Proc], object]) -> Proc:
    """The process once `known` holds, over as many ticks as the budget needs."""
    found: list[Proc] = []

    def holds() -> bool:
        found[:] = [of(source, pid)]
        return bool(known(found[0]))

    until(holds)
    return found[0]


def test_pss_uss_and_swap_of_forks_that_share_equal_psutil() -> None:
    with running("forks", width=3, mib=4, shared=16) as tree, sampling(ROLLUP) as source:
        tree.wait_for("anon", times=4)
        for pid in tree.said["process"]:
            row = read(source, pid, lambda p: p.pss is not None and not p.stale)
            theirs = psutil.Process(pid)

            def said(theirs: psutil.Process = theirs) -> tuple[int, ...]:
                full = theirs.memory_full_info()
                return full.pss, full.uss, full.swap

            def ours(row: Proc = row) -> tuple[int, ...]:
                made = depth.read_rollup(LIVE, row)
                return made["pss"], made["uss"], made["swap"]

            agree(ours, said)
            assert row.uss is not None
            assert row.pss is not None
            assert row.pss_anon is not None
            assert 4 * MIB < row.uss <= row.pss < row.rss - 11 * MIB
            assert row.pss_anon + MIB >= 4 * MIB + 16 * MIB // 4


def test_status_lines_are_those_of_the_kernel() -> None:
    with sleeper(
        "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096]); del held"
    ) as p:
        with sampling(STATUS | ADJ) as source:
            row = read(source, p.pid, lambda r: r.peak is not None)
        status = procfs.read_status_sizes(LIVE, p.pid)
        assert (row.anon, row.shmem) == (status["RssAnon"], status["RssShmem"])
        assert row.peak == status["VmHWM"] > 24 * MIB
        assert row.adj == int(Path(f"/proc/{p.pid}/oom_score_adj").read_text())
        assert (row.pss, row.uss, row.limit) == (None, None, None), "nobody asked for those"


def test_columns_that_are_shown_no_more_are_forgotten() -> None:
    with sleeper() as p, sampling(ROLLUP | STATUS) as source:
        read(source, p.pid, lambda r: r.pss is not None and r.anon is not None)
        source.want(STATUS)
        row = of(source, p.pid)
        assert (row.pss, row.uss, row.anon is None) == (None, None, False)
        source.want(0)
        row = of(source, p.pid)
        assert (row.anon, row.peak, row.stale) == (None, None, 0)


def test_default_columns_read_nothing_more() -> None:
    with sampling(0) as source:
        source.sample()
        assert "memtui.services.depth" in sys.modules
        assert source._depth is None


FROZEN = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"


def test_who_did_not_run_is_never_read_again() -> None:
    filler, quota = Depth(LIVE), quota_now()
    with sleeper() as quiet, processes() as source:
        name = str(quiet.pid)

        def tick() -> Proc:
            source.sample()
            filler.fill(source.table, source.moved, source.gone, ROLLUP, (), quota, {}, 1.0)
            return source.table[name]

        until(lambda: tick().pss is not None)
        turn = filler._read[name]
        for _ in range(20):
            tick()
        assert filler._read[name] == turn


def test_what_a_fork_gave_back_is_seen_though_its_parent_slept() -> None:
    with running("forks", width=1, mib=2, shared=24) as tree, sampling(ROLLUP) as source:
        tree.wait_for("anon", times=2)
        child = next(p for p in tree.said["process"] if p != tree.pid)
        before = read(source, tree.pid, lambda p: p.uss is not None and not p.stale)
        os.kill(child, 9)
        after = read(source, tree.pid, lambda p: (p.uss or 0) > (before.uss or 0) + 20 * MIB)
        assert after.pss is not None


BIG = "held = bytearray(64 << 20); held[::4096] = b'x' * len(held[::4096])"


class Hand:
    """Two processes, filled by hand with as much to spend as a test allows."""

    def __init__(self, *pids: int) -> None:
        with processes() as source:
            source.sample()
            self.table = {str(pid): source.table[str(pid)] for pid in pids}
        self.depth, self.quota = Depth(LIVE), quota_now()

    def fill(
        self, moved: Sequence[str] = (), visible: Sequence[Proc] = (), spend: float = 1.0
    ) -> dict[str, Proc]:
        self.depth._credit = spend
        self.depth._at = time.monotonic()  # no time has passed: there is nothing else to spend
        shown = [p.identity for p in visible]
        self.depth.fill(self.table, moved, [], ROLLUP, shown, self.quota, {}, 1.0)
        return self.table


def test_the_first_readings_are_of_the_visible_then_the_biggest_then_of_who_waited() -> None:
    with sleeper(BIG) as one, sleeper(BIG) as two, sleeper() as small:
        hand = Hand(one.pid, two.pid, small.pid)
        one_, two_, small_ = (str(p.pid) for p in (one, two, small))
        hand.depth._on = ROLLUP
        visible = [hand.table[small_]]

        def read() -> list[bool]:
            return [hand.table[n].pss is not None for n in (one_, two_, small_)]

        hand.fill([one_, two_, small_], visible, 1e-9)
        assert read() == [False, False, True]
        hand.fill((), visible, 1e-9)
        assert sorted(read()) == [False, True, True]
        hand.fill((), visible, 1e-9)
        assert read() == [True, True, True]


def test_one_reading_that_was_too_dear_is_saved_by_those_that_follow() -> None:
    with sleeper(BIG) as big:
        hand = Hand(big.pid)
        hand.depth._on = ROLLUP
        hand.fill([str(big.pid)], spend=1e-9)
        assert hand.table[str(big.pid)].pss is not None, "once it has to be"
        assert hand.depth._credit < 0


def test_what_could_not_be_read_again_in_time_is_marked_stale() -> None:
    with sleeper() as one, sleeper() as two:
        hand = Hand(one.pid, two.pid)
        hand.fill()
        names = list(hand.table)
        assert {p.stale for p in hand.table.values()} == {0}
        hand.fill(names, spend=-1e9)
        assert {p.stale for p in hand.table.values()} == {ROLLUP}
        assert all(p.pss for p in hand.table.values()), "what was known stays to be seen"
        hand.fill()
        assert {p.stale for p in hand.table.values()} == {0}


def test_growth_of_a_process_that_grows_is_found() -> None:
    with running("hog", mib=60, pause=0.25) as hog, sampling(BY_KEY["growth"].needs) as source:

        def known() -> bool:
            time.sleep(0.2)  # a reading each 5 s is all that counts
            return bool(of(source, hog.pid).growth)

        until(known, 40)
        growth = of(source, hog.pid).growth
        assert growth is not None
        assert growth > 30 * MIB, "240 MiB a minute, on a machine that may be slow"


READ_AS_NOBODY = """
import sys, time
from memtui.services.sampler import Sampler
source = Sampler(); source.want(int(sys.argv[2]))
for _ in range(200):
    row = next(p for p in source.sample().procs if p.pid == int(sys.argv[1]))
    if row.unread and row.anon is not None:
        break
    time.sleep(0.05)
print([row.pss, row.uss, row.pss_anon, row.swap is None, row.anon > 5 << 20, row.unread])
"""


@pytest.mark.world
def test_what_may_not_be_looked_at_is_unknown_and_says_why() -> None:
    prefix = as_nobody()
    with running("hidden", prefix=prefix, mib=6) as hidden:
        hidden.wait_for("done")
        argv = [
            *prefix,
            sys.executable,
            "-c",
            READ_AS_NOBODY,
            str(hidden.pid),
            str(ROLLUP | STATUS),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[None, None, None, False, True, 'PSS and USS: "), done.stdout
    assert "ermission denied" in done.stdout
    assert "CAP_SYS_PTRACE" in done.stdout


def test_kernel_threads_and_zombies_have_no_memory_and_that_is_known() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with sampling(ROLLUP | STATUS) as source:
            row = read(source, process.pid, lambda r: r.pss is not None)
        assert (row.state, row.pss, row.uss, row.swap, row.anon, row.peak) == ("Z", 0, 0, 0, 0, 0)


def test_the_tightest_limit_is_that_of_the_group_or_the_rlimit(memory_group: Group) -> None:
    inner = memory_group.child("in")
    memory_group.set_limit(96 * MIB)
    rlimit = ["sh", "-c", "ulimit -v 65536; exec sleep 60"]
    with inner.start(["sleep", "60"]) as plain, inner.start(rlimit) as tight:
        with sampling(LIMIT) as source:
            row = read(source, plain.pid, lambda r: r.limit not in (None, NO_LIMIT))
            assert row.limit == 96 * MIB
            until(lambda: b"sleep" in Path(f"/proc/{tight.pid}/comm").read_bytes())
            read(source, tight.pid, lambda r: r.limit == 64 * MIB)
        plain.kill()
        tight.kill()


@pytest.mark.parametrize("needs", [TREE, TREE | ROLLUP])
def test_a_tree_counts_all_its_descendants(needs: int) -> None:
    with running("forks", width=2, depth=2, mib=2, shared=8) as tree, sampling(needs) as source:
        tree.wait_for("anon", times=7)
        whole = bool(needs & ROLLUP)
        wanted = read(source, tree.pid, lambda r: r.tree is not None and r.tree_whole == whole)
        rows = [p for p in source.sample().procs if p.pid in tree.said["process"]]
        parts = [p.pss if whole else p.rss for p in rows]
        assert len(parts) == 7
        assert wanted.tree == pytest.approx(sum(n or 0 for n in parts), abs=MIB)
        if whole and wanted.tree:
            assert wanted.tree < sum(p.rss for p in rows) - 4 * 8 * MIB


def test_a_captured_tree_is_read_as_the_live_machine(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / "7"
    folder.mkdir(parents=True)
    stat = "7 (a b) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0 20 5 3 0 55 0 0 " + "0 " * 28
    (folder / "stat").write_text(stat + "\n")
    (folder / "statm").write_text("1000 100 10 1 0 5 0\n")
    (folder / "smaps_rollup").write_text(
        "0-1 [rollup]\nPss: 8 kB\nPrivate_Dirty: 4 kB\nSwap: 2 kB\n"
    )
    source = Sampler(Roots(str(tmp_path)))
    source.want(ALL)
    (row,) = source.sample().procs
    assert (row.pss, row.uss, row.swap, row.pss_anon) == (8192, 4096, 2048, None)
    assert (row.anon, row.adj, row.limit, row.badness) == (None, None, None, None)
