"""`--since`: what people write, and what is no time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from memtui.cli.common import UsageError
from memtui.cli.since import parse_since

NOW = 1_714_557_600.0  # 2024-05-01 10:00:00 UTC
BOOT = NOW - 5000


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("2h", 7200),
        ("13h ago", 13 * 3600),
        ("90s", 90),
        ("90 s", 90),
        ("1h30m", 5400),
        ("1.5 hours", 5400),
        ("2 days ago", 172800),
        ("1 day, 2 hours and 3 minutes", 86400 + 7200 + 180),
        ("3 WEEKS", 3 * 7 * 86400),
        ("5min", 300),
        ("boot", 5000),
        ("now", 0),
        ("today", 36000),
        ("yesterday", 36000 + 86400),
        ("2024-05-01", 36000),
        ("2024-05-01 09:00", 3600),
        ("2024-05-01T09:00:00+02:00", 3 * 3600),
        ("2024-05-01T09:59:59Z", 1),
        ("@1714557000", 600),
        ("1970-01-01", NOW),
        ("99999999w", NOW),
    ],
)
def test_a_moment_in_the_past(text: str, ago: float) -> None:
    assert NOW - parse_since(text, NOW, BOOT) == ago


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "2", "h", "2x", "soon", "2h ago ago", "-2h", "2024-13-01", "2024-05-01x"),
        *("@", "@x", "2026-01-01", "@99999999999999999", "2h" * 40 + "x", "²h", "1\0h", "٣h"),
    ],
)
def test_what_is_no_time_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="--since") as told:
        parse_since(text, NOW, BOOT)
    assert "\n" not in str(told.value)
