"""Numbers to text and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.units import cpu_time, duration, parse_size, percent, size, size_long

K, M, G = 1 << 10, 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("n", "text", "long"),
    [
        (None, "?", "?"),
        (0, "0", "0"),
        (1, "1B", "1B"),
        (999, "999B", "999B"),
        (1023, "1023B", "1023B"),
        (K, "1.00K", "1.00 KiB"),
        (812 * K, "812K", "812 KiB"),
        (999 * K, "999K", "999 KiB"),
        (1000 * K, "1000K", "1000 KiB"),
        (round(1023.6 * K), "1.00M", "1.00 MiB"),
        (round(9.994 * M), "9.99M", "9.99 MiB"),
        (round(9.996 * M), "10.0M", "10.0 MiB"),
        (round(99.96 * M), "100M", "100 MiB"),
        (round(1.31 * G), "1.31G", "1.31 GiB"),
        (-3 * M, "-3.00M", "-3.00 MiB"),
    ],
)
def test_sizes(n: int | None, text: str, long: str) -> None:
    assert size(n) == text
    assert size_long(n) == long


@given(st.integers(0, 2**63))
def test_sizes_fit_five_cells_and_mean_what_they_say(n: int) -> None:
    text = size(n)
    assert len(text) <= 5
    assert parse_size(text) == pytest.approx(n, rel=0.006)


@given(st.integers(0, 2**80))
def test_bytes_are_read_back_exactly(n: int) -> None:
    assert parse_size(str(n)) == parse_size(f" {n} b ") == n
    assert parse_size(f"{n}KiB") == parse_size(f"{n}k") == n * K


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("500M", 500 * M), ("2G", 2 * G), ("1.5GiB", G * 3 // 2), ("64000", 64000),
        ("500MB", 500_000_000), (".5K", 512), ("5.", 5), ("1 kB", 1000), ("3T", 3 * 1024 * G),
    ],
)  # fmt: skip
def test_sizes_that_are_meant(text: str, n: int) -> None:
    assert parse_size(text) == n


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_size(text) >= 0


@pytest.mark.parametrize("text", ["", "x", "M", "-1", "1e3", "1..5", "٣M", "1M2", "5X", ".", "0x5"])
def test_sizes_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_percent() -> None:
    assert percent(1, 4) == 25
    assert percent(None, 4) is None
    assert percent(1, None) is None
    assert percent(1, 0) is None, "there is no whole"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.00"), (5.678, "0:05.68"), (385.1, "6:25.10"), (59.996, "1:00.00"),
     (3599.999, "60:00.00"), (3600, "1h00m"), (4920, "1h22m"), (273_600, "3d04h")],
)  # fmt: skip
def test_cpu_time(seconds: float, text: str) -> None:
    assert cpu_time(seconds) == text


@given(st.floats(0, 8.6e8))
def test_times_fit_eight_cells(seconds: float) -> None:
    assert len(cpu_time(seconds)) <= 8
    assert len(duration(seconds)) <= 8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0s"), (42, "42s"), (185, "3m05s"), (90000, "1d01h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
