"""The live line: what is told, and that it never wraps."""

from __future__ import annotations

import pytest

from memtui.render.progress import State, plain_line, progress_line
from memtui.render.spans import plain, width_of
from tests.support.cgroups import MIB

STATE = State(72.4, 48 * MIB, 56 * MIB, 64 * MIB, 900.0)


@pytest.mark.parametrize("width", [*range(20, 60), 80, 132, 400])
def test_the_line_leaves_the_last_column_free(width: int) -> None:
    for state in (STATE, State(0.0, None, None, 1 << 40), STATE._replace(per_process=True)):
        assert width_of(progress_line(state, width)) < max(width, 40)
    assert "48.0 MiB" in plain(progress_line(STATE, width))


def test_now_peak_limit_and_time_are_there_and_warn_by_level() -> None:
    line = progress_line(STATE, 100)
    assert plain(line).split("  ", 1)[0].startswith("memtui ████")
    words = plain(line)
    for told in ("48.0 MiB of 64.0 MiB", "1m12s of 15m00s", "peak 56.0 MiB", "75 %", "│"):
        assert told in words
    assert (" 48.0 MiB", "warn") in line


def test_what_is_not_known_is_not_nothing() -> None:
    assert "?" in plain(progress_line(State(1.0, None, None, MIB), 80))
    assert plain_line(State(1.0, None, None, MIB)) == "1s: ? of 1.00 MiB, peak ?"
    assert "largest process 48.0 MiB" in plain_line(STATE._replace(per_process=True))
