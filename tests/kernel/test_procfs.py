"""/proc/PID on real processes, held against psutil and ps, and on bytes that no kernel wrote."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel import procfs
from memtui.kernel.errors import Denied, Gone, KernelError, Malformed
from memtui.kernel.roots import LIVE, Roots
from tests.support.procs import IGNORING, require, sleeper
from tests.support.steady import agree

LINE = b"42 (%b) S 7 42 43 0 -1 4194560 1 2 3 4 5 6 7 8 20 -3 9 0 9876 1 1 1 " + b"0 " * 6
TOUCH = "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096])"


def line(comm: bytes) -> bytes:
    return LINE % comm + b"1 2 4 0 0 0 17 1\n"


@pytest.mark.parametrize("comm", [b"sh", b"a) R 1 (b", b"(sd-pam)", b"x y", b"\xff\n)", b"", b")"])
def test_the_name_may_hold_anything(comm: bytes) -> None:
    stat = procfs.parse_stat(line(comm))
    assert stat == procfs.Stat(42, comm, b"S", 7, False, 3, 11, -3, 9, 9876)
    assert procfs.parse_masks(line(comm)) == (1, 2, 4)
    assert (procfs.parse_kin(line(comm)) or ())[:4] == (b"S", 7, 43, 9876)


def test_a_kernel_thread_is_known_by_its_flag() -> None:
    flags = str(0x00208040).encode()
    assert procfs.parse_stat(line(b"kthreadd").replace(b"4194560", flags)).kernel_thread


PARSERS: list[Callable[[bytes], object]] = [
    procfs.parse_stat,
    procfs.parse_masks,
    procfs.parse_kin,
    procfs.parse_statm,
    procfs.parse_kb_table,
    procfs.parse_uid,
    procfs.parse_owner,
    procfs.parse_rollup,
    lambda data: procfs.parse_limit(data, b"Max data size"),
]
REAL = [
    line(b"x"),
    b"5 4 3 2 1 0 0\n",
    b"Name:\tx\nTgid:\t1\nUid:\t1\t2\t3\t4\nVmRSS:\t  12 kB\nPrivate_Dirty: 3 kB\nPss: 1 kB\n",
    b"Limit  Soft\nMax data size             unlimited  unlimited  bytes\n",
]


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_malformed(data: bytes) -> None:
    for parse in PARSERS:
        with contextlib.suppress(Malformed):
            parse(data)


@given(st.sampled_from(REAL), st.integers(0, 300), st.binary(max_size=4), st.integers(0, 300))
def test_records_cut_and_damaged_are_parsed_or_malformed(
    data: bytes, at: int, put: bytes, end: int
) -> None:
    damaged = (data[:at] + put + data[at + len(put) :])[:end]
    for parse in PARSERS:
        with contextlib.suppress(Malformed):
            parse(damaged)


@given(st.binary(max_size=40), st.integers(0, 2**64), st.integers(-(2**31), 2**31))
def test_every_stat_line_of_a_kernel_is_read_back(comm: bytes, start: int, number: int) -> None:
    made = line(comm).replace(b"9876", str(start).encode()).replace(b" 7 ", b" %d " % number, 1)
    stat = procfs.parse_stat(made)
    assert (stat.comm, stat.start) == (comm, start)


def test_status_lines() -> None:
    status = REAL[2]
    assert procfs.parse_uid(status) == 2, "the effective one"
    assert procfs.parse_owner(status) == (1, 1), "the real one"
    assert procfs.parse_rollup(status)[:3] == (1024, 3072, None)
    assert procfs.parse_uid(b"Name:\tx\nUid:\t1") is None


def test_limits_lines() -> None:
    head = b"Limit                     Soft Limit           Hard Limit           Units\n"
    row = b"Max data size             %b            unlimited            bytes\n"
    assert procfs.parse_limit(head + row % b"4096", b"Max data size") == 4096
    assert procfs.parse_limit(head + row % b"unlimited", b"Max data size") is None
    assert procfs.parse_limit(b"Max data size", b"Max data size") is None


def test_sizes_equal_psutil_and_ps() -> None:
    with sleeper(TOUCH) as process:
        ours = procfs.read_statm(LIVE, process.pid)
        theirs = psutil.Process(process.pid).memory_info()
        assert ours == (theirs.vms, theirs.rss, theirs.shared)
        assert ours.rss > 24 << 20
        said = subprocess.run(
            ["ps", "-o", "rss=,vsz=", "-p", str(process.pid)], capture_output=True, check=True
        ).stdout.split()
        assert [ours.rss >> 10, ours.virt >> 10] == [int(n) for n in said]


def test_sizes_of_all_processes_equal_psutil_unless_they_moved() -> None:
    compared = 0
    for name in procfs.list_pids(LIVE):
        with contextlib.suppress(KernelError, psutil.Error):
            before = procfs.read_statm(LIVE, name)
            theirs = psutil.Process(int(name)).memory_info()
            after = procfs.read_statm(LIVE, name)
            if before == after:
                assert before == (theirs.vms, theirs.rss, theirs.shared), name
                compared += 1
    assert compared > 2


def test_pss_and_uss_equal_psutil() -> None:
    with sleeper(TOUCH) as process:
        theirs = psutil.Process(process.pid)

        def said() -> tuple[int, int, int]:
            full = theirs.memory_full_info()
            return full.pss, full.uss, full.swap

        agree(lambda: procfs.read_rollup(LIVE, process.pid)[:3], said)


def test_who_it_is_equals_psutil() -> None:
    with sleeper() as process:
        stat, theirs = procfs.read_stat(LIVE, process.pid), psutil.Process(process.pid)
        assert (stat.ppid, stat.nice, stat.threads) == (os.getpid(), theirs.nice(), 1)
        assert procfs.read_uid(LIVE, process.pid) == theirs.uids().effective
        assert procfs.read_owner(LIVE, process.pid) == (process.pid, theirs.uids().real)
        assert procfs.read_cmdline(LIVE, process.pid) == (
            "\0".join(theirs.cmdline()).encode() + b"\0"
        )
        boot = procfs.read_boot_time(LIVE)
        assert boot == int(psutil.boot_time())
        started = boot + stat.start / procfs.TICKS_PER_S
        assert abs(started - theirs.create_time()) < 1.5
        assert abs(started - time.time()) < 60


def test_the_masks_show_what_a_process_ignores() -> None:
    with sleeper(IGNORING) as process:
        ignored = procfs.read_masked(LIVE, process.pid)[1].ignored
        assert ignored >> (signal.SIGTERM - 1) & 1
        assert not ignored >> (signal.SIGHUP - 1) & 1


def test_rss_in_pages_is_the_same_rss() -> None:
    with sleeper() as process:
        pages = procfs.read_rss_pages(LIVE, str(process.pid))
        assert pages * procfs.PAGE == procfs.read_statm(LIVE, process.pid).rss


def test_a_zombie_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert procfs.read_stat(LIVE, process.pid).state == b"Z"
        assert procfs.read_statm(LIVE, process.pid) == procfs.NO_MEMORY
        assert procfs.read_cmdline(LIVE, process.pid) == b""
        kin = procfs.read_kin(process.pid)
        assert kin is not None
        assert not kin.living


def test_a_reaped_process_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    process.wait()
    readers: list[Callable[[Roots, int], object]] = [
        procfs.read_stat,
        procfs.read_statm,
        procfs.read_masked,
        procfs.read_owner,
        procfs.read_uid,
        procfs.read_cmdline,
        procfs.read_rollup,
        procfs.read_status_sizes,
    ]
    for read in readers:
        with pytest.raises(Gone):
            read(LIVE, process.pid)
    assert procfs.read_oom_score_adj(LIVE, process.pid) is None
    assert procfs.read_kin(process.pid) is None
    assert procfs.read_limit(process.pid, b"Max data size") is None


def test_the_rollup_of_a_foreign_process_is_denied() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with sleeper() as process:
        pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                os.setgid(65534)
                os.setuid(65534)
                try:
                    procfs.read_rollup(LIVE, process.pid)
                except Denied:
                    status = 0
            os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0


def test_without_a_proc_the_list_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        procfs.list_pids(Roots(str(tmp_path)))
    assert procfs.read_boot_time(Roots(str(tmp_path))) is None
