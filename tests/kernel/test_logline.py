"""Prefixes of log lines: whose the line is, when, and what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.logline import LineReader, LogLine, split
from memtui.kernel.logtime import with_year
from tests.support.oomlogs import SHAPES

TEXT = b"Memory cgroup out of memory: Killed process 7 (x) total-vm:1kB"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine that reads is in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(data: bytes) -> LogLine:
    """What the first entry of `data` says."""
    reader = LineReader()
    told = [entry for line in data.split(b"\n") if (entry := reader.read(line))]
    return told[0]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_text_and_its_time(name: str) -> None:
    shape = SHAPES[name]
    entry = read(shape.wrap(TEXT) + b"\n\n")
    assert entry.text == TEXT
    assert entry.kernel
    assert (entry.time, entry.monotonic, entry.log_time) == shape[1:]


@pytest.mark.parametrize(
    "name", sorted(set(SHAPES) - {"raw", "export", "json", "json-sse", "json-pretty"})
)
def test_crlf_changes_nothing(name: str) -> None:
    wrap = SHAPES[name].wrap
    assert LineReader().read(wrap(TEXT) + b"\r\n") == LineReader().read(wrap(TEXT) + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"12,672,1234567890,-;" + TEXT,  # written to /dev/kmsg by a program
        b"user  :warn  : [ 1234.567890] " + TEXT,
        b"<14>[ 1234.567890] " + TEXT,
        b"May  1 10:00:00 host app[12]: " + TEXT,
        b"May  1 10:00:00 host app: " + TEXT,
        b"May  1 10:00:00 host kernel[12]: " + TEXT,
        b"May  1 10:00:00 host user.notice kernel: " + TEXT,
        b"<13>May  1 10:00:00 host kernel: " + TEXT,
        b"2024-05-01T12:00:00+02:00 host app: [ 1234.567890] " + TEXT,
        b"<13>1 2024-05-01T12:00:00Z host kernel - - - " + TEXT,
        b"<3>1 2024-05-01T12:00:00Z host app 12 - - " + TEXT,
        b"Wed 2024-05-01 10:00:00 UTC host dockerd[1]: " + TEXT,
        b'{"_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"x"}',
        b'{"_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"x","SYSLOG_FACILITY":"1","MESSAGE":"x"}',
        b'{"_TRANSPORT":"kernel","SYSLOG_FACILITY":"3","MESSAGE":"x"}',
        b'{"MESSAGE":"x"}',
        b"{not json",
        b"[" * 5000,
    ],
)
def test_what_programs_write_is_not_the_kernels(line: bytes) -> None:
    if line[:1] == b"[":
        assert split(line).text == line
    else:
        assert not split(line).kernel


def test_properties_of_a_record_are_not_lines() -> None:
    reader = LineReader()
    assert reader.read(b"6,1,2,-;usb 1-1: new device") is not None
    assert reader.read(b" SUBSYSTEM=usb") is None
    assert reader.read(b" Killed process 1 (x)") is None
    following = reader.read(b"6,2,3,-;next")
    assert following is not None
    assert following.text == b"next"


def test_a_zone_that_means_nothing_here_gives_no_epoch() -> None:
    entry = split(b"Wed 2024-05-01 10:00:00 ACWST host kernel: x")
    assert (entry.text, entry.time) == (b"x", None)


@pytest.mark.parametrize(
    "stamp",
    ["2024-13-01T10:00:00", "2024-05-01T25:00:00", "0000-00-00T00:00:00", "1066-05-01T10:00:00"],
)
def test_an_impossible_date_is_none(stamp: str) -> None:
    entry = split(stamp.encode() + b"Z host kernel: x")
    assert (entry.text, entry.time) == (b"x", None)


@pytest.mark.parametrize(
    ("stamp", "reference", "expected"),
    [
        (b"May  1 10:00:00", 1_714_600_000, 1_714_557_600),
        (b"Dec 31 23:59:59", 1_704_067_300, 1_704_067_199),  # the log went on in the new year
        (b"Jan  1 00:00:30", 1_704_067_100, 1_704_067_230),  # its clock is a little ahead
        (b"Feb 29 00:00:00", 1_709_251_200, 1_709_164_800),
        (b"1234.5", 1_714_600_000, None),
        (b"foo  1 10:00:00", 1_714_600_000, None),
    ],
)
def test_a_year_comes_from_when_the_log_was_written(
    stamp: bytes, reference: float, expected: float | None
) -> None:
    assert with_year(stamp, reference) == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_a_line(line: bytes) -> None:
    entry = LineReader().read(line)
    assert entry is None or isinstance(entry.text, bytes)


@given(st.sampled_from(sorted(SHAPES)), st.binary(max_size=80), st.integers(0, 400), st.binary())
def test_damaged_prefixes_are_survived(name: str, text: bytes, at: int, noise: bytes) -> None:
    whole = SHAPES[name].wrap(text)
    reader = LineReader()
    for line in (whole[:at] + noise + whole[at:]).split(b"\n"):
        reader.read(line)
