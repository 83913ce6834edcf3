"""The panel of a command under a limit, in words."""

from __future__ import annotations

from memtui.model.job import JobView, Request
from memtui.model.runlimit import Ending, Result, derive_verdict
from memtui.render.course import LIMIT, course_lines, sampled
from memtui.render.jobs import (
    job_panel,
    job_row,
    jobs_key_at,
    jobs_keys,
    state_words,
    verdict_lines,
)
from memtui.render.spans import Line, plain, width_of
from tests.support.made import MIB


def view(usage: int | None = 32 * MIB, result: Result | None = None, **more: object) -> JobView:
    made = JobView(
        1, Request("make", 64 * MIB), "make", 64 * MIB, "limit 64.0 MiB", usage, 40 * MIB,
        frozenset({7}), result, seconds=12.0, limits=((0.0, 64 * MIB),),
    )  # fmt: skip
    return made._replace(**more)  # type: ignore[arg-type]


def test_a_group_has_a_share_and_a_process_has_a_limit_of_its_own() -> None:
    assert plain(state_words(view())) == "32.0M / 64.0M 50%  peak 40.0M  12s"
    each = plain(state_words(view(per_process=True)))
    assert each == "largest process 32.0M of 64.0M each  peak 40.0M  12s"
    assert plain(state_words(view(usage=None))).startswith("? / 64.0M  peak")


def test_an_end_that_may_be_a_refused_allocation_is_told() -> None:
    verdict = derive_verdict(Ending("data", 64 * MIB, 1, None, nearest=12 * MIB))
    ended = view(None, Result(1, None, verdict, 12 * MIB, "", 1.0, 0), peak=12 * MIB)
    assert plain(state_words(ended)).startswith("ended, exit status 1  peak 12.0M")
    lines = verdict_lines(ended, 60)
    assert [role for line in lines for _, role in line].count("warn") == len(lines)
    assert " ".join(map(plain, lines)) == (
        "exited with status 1; largest process 12.0 MiB of 64.0 MiB private memory: "
        "an allocation may have been refused"
    )


def test_a_panel_of_any_size_has_its_lines_and_the_end_of_the_output() -> None:
    output = [[(f"line {i} 日本語", "")] for i in range(50)]
    course = ([0.0, 6.0, 12.0], [1.0 * MIB, 60.0 * MIB, 32.0 * MIB])
    for height in range(2, 12):
        lines = job_panel(view(output=output, course=course), 48, height)
        assert len(lines) == height
        assert all(width_of(line) <= 48 for line in lines)
        assert "line 49" in plain(lines[-1])


def test_the_graph_has_every_limit_at_its_height_and_leaves_no_peak_out() -> None:
    times, sizes = [float(t) for t in range(25)], [10.0 * MIB] * 25
    sizes[7] = 90.0 * MIB
    assert max(v or 0 for v in sampled((times, sizes), 24.0, 20)) == 90 * MIB
    limits = ((0.0, 50 * MIB), (15.0, 100 * MIB))
    lines = [plain(line) for line in course_lines((times, sizes), limits, 24.0, 60, 8)]
    assert all(len(line) == 60 for line in lines)
    assert lines[0].count(LIMIT) == 30
    assert lines[0].strip(" " + LIMIT) == ""
    (lower,) = (line for line in lines[1:] if LIMIT in line)
    assert 27 <= lower.count(LIMIT) < 30  # the peak stands in it
    assert lower.rstrip()[-1] == LIMIT


def test_a_row_tells_the_end_and_the_keys_that_are_named_can_be_clicked() -> None:
    oom = derive_verdict(Ending("cgroup", 64 * MIB, None, 9, 1, True))
    row: Line = job_row(view(None, Result(None, 9, oom, 64 * MIB, "", 3.0, 0)), 120)
    assert "exit 137" in plain(row)
    assert "crit" in {role for _, role in row}
    for width in (40, 80, 120):
        bar = plain(jobs_keys(width, some=True))
        assert len(bar) == width
        assert jobs_key_at(bar.index("k stop"), width, some=True) == "stop"
        assert jobs_key_at(bar.index("R again") + 3, width, some=True) == "again"
