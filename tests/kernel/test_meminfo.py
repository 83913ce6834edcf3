"""The host's numbers: bytes, and None for what is absent or cut short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.files import find_field, parse_number
from memtui.kernel.meminfo import (
    HostReader,
    Psi,
    parse_meminfo,
    parse_pressure,
    parse_vmstat,
    read_oom_kill,
)
from memtui.kernel.roots import LIVE, Roots
from tests.support.trees import tree

PSI = b"some avg10=1.50 avg60=0.5 avg300=0 total=9\nfull avg10=0.25 avg60=0 avg300=0 total=5\n"


def test_meminfo_is_in_bytes() -> None:
    info = HostReader(tree("no_cgroup")).meminfo()
    assert (info.total, info.available) == (8_000_000 * 1024, 5_000_000 * 1024)
    assert (info.swap_total, info.swap_free) == (1_000_000 * 1024, 900_000 * 1024)
    assert info.slab_reclaimable == 73_928 * 1024


def test_cut_short_is_unknown() -> None:
    info = parse_meminfo(b"MemTotal:    8000 kB\nMemFree:    12")
    assert info.total == 8000 * 1024
    assert info.free is None
    assert parse_meminfo(b"MemTotal:   80\nMemFree:  7 kB\n")[:2] == (None, 7 * 1024)


def test_this_machine() -> None:
    reader = HostReader(LIVE)
    info = reader.meminfo()
    assert info.total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for _ in range(2):
        assert reader.meminfo().total == info.total
        assert reader.oom_kill() == read_oom_kill(LIVE)
    reader.close()


def test_absent_files_are_unknown(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path))
    assert set(HostReader(roots).meminfo()) == {None}
    assert read_oom_kill(roots) is None
    assert HostReader(roots).pressure() == Psi()
    assert HostReader(roots).oom_kill() is None


def test_vmstat() -> None:
    assert parse_vmstat(b"pgfault 1\noom_kill 3\nx 1\n") == 3
    assert parse_vmstat(b"pgfault 1\nnot_oom_kill 3\n") is None


def test_pressure() -> None:
    assert parse_pressure(PSI) == Psi(1.5, 0.25, 9, 5)
    assert parse_pressure(b"some avg10=x\n") == Psi()
    assert parse_pressure(b"full avg10=1.00 total=7\n") == Psi(None, 1.0, None, 7)


def test_a_total_that_is_cut_short_is_unknown() -> None:
    assert parse_pressure(PSI[:-1]) == Psi(1.5, 0.25, 9, None)
    assert parse_pressure(PSI.split(b"\n")[0]) == Psi(1.5, None)
    assert parse_pressure(b"some avg10=1.50 avg60=0.50\n") == Psi(1.5, None)


@pytest.mark.parametrize("data", [None, b"", b"max\n", b"-1\n", b"1 2\n", b"9" * 30, b"\xb2\n"])
def test_no_number(data: bytes | None) -> None:
    assert parse_number(data) is None


def test_find_field() -> None:
    data = b"anon 1\nanon_thp 2\ninactive_anon 3\nfile 4"
    assert find_field(data, b"anon") == 1
    assert find_field(data, b"inactive_anon") == 3
    assert find_field(data, b"file") is None
    assert find_field(data, b"file", whole=False) == 4
    assert find_field(data, b"non") is None


@given(st.binary(max_size=200) | st.text("MemTotal: kB\n0123456789someavg10=.").map(str.encode))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    parse_meminfo(data)
    parse_meminfo(b"MemTotal:" + data)
    parse_pressure(data)
    parse_pressure(b"some avg10=" + data)
    parse_vmstat(b"oom_kill " + data)
