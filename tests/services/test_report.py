"""The `-v` report: GNU time's labels to the letter, then memtui's own."""

from __future__ import annotations

import sys

from memtui.services.report import _clock
from tests.support.cgroups import MIB, Group
from tests.support.limited import hog, run_cli

LABELS = """\
Command being timed
User time (seconds)
System time (seconds)
Percent of CPU this job got
Elapsed (wall clock) time (h:mm:ss or m:ss)
Average shared text size (kbytes)
Average unshared data size (kbytes)
Average stack size (kbytes)
Average total size (kbytes)
Maximum resident set size (kbytes)
Average resident set size (kbytes)
Major (requiring I/O) page faults
Minor (reclaiming a frame) page faults
Voluntary context switches
Involuntary context switches
Swaps
File system inputs
File system outputs
Socket messages sent
Socket messages received
Signals delivered
Page size (bytes)
Exit status""".splitlines()


def report(*command: str, method: str = "data", limit: str = "256M") -> list[str]:
    done = run_cli("-v", "-q", "--limit", limit, "--method", method, "--", *command)
    return done.stderr.decode().splitlines()


def fields(lines: list[str]) -> dict[str, str]:
    rows = [line[1:].partition(": ") for line in lines if line.startswith("\t")]
    return {label: value for label, _, value in rows}


def labels(lines: list[str]) -> list[str]:
    return list(fields(lines))


def test_labels_are_gnu_times_in_its_order() -> None:
    lines = report("sh", "-c", "exit 3")
    assert lines[0] == "Command exited with non-zero status 3"
    assert lines[1] == '\tCommand being timed: "sh -c exit 3"'
    assert labels(lines)[: len(LABELS)] == LABELS
    assert fields(lines)["Exit status"] == "3"


def test_signal_is_told_as_gnu_time_does() -> None:
    lines = report("sh", "-c", "kill -15 $$")
    assert lines[0] == "Command terminated by signal 15"
    assert fields(lines)["Exit status"] == "0"
    assert fields(lines)["Verdict"] == "was killed by signal 15 (SIGTERM)"


def test_size_of_a_big_command_is_exact() -> None:
    code = "import time; held = b'x' * (100 << 20); time.sleep(0.1)"
    got = fields(report(sys.executable, "-S", "-c", code))
    assert got["Maximum resident set size is"] == "exact"
    assert 100 * 1024 <= int(got["Maximum resident set size (kbytes)"]) < 140 * 1024


def test_our_own_size_is_never_shown_for_a_small_command() -> None:
    got = fields(report("sleep", "0.2"))
    assert got["Maximum resident set size is"].startswith("sampled")
    assert int(got["Maximum resident set size (kbytes)"]) < 4096
    got = fields(report("true"))
    size = got["Maximum resident set size (kbytes)"]
    assert size == "?" or int(size) < 4096


def test_cgroup_report_has_limit_peak_and_verdict(memory_group: Group) -> None:
    got = fields(report(*hog(), method="cgroup", limit="64M"))
    assert got["Memory limit in force"].startswith(f"cgroup v{memory_group.version} /")
    assert got["Peak memory (kbytes)"] == f"{64 * MIB // 1024} (64.0 MiB)"
    assert got["Peak memory is of"] == "all processes together, page cache included"
    assert "its limit of 64.0 MiB" in "\n".join(report(*hog(), method="cgroup", limit="64M"))


def test_command_line_cannot_act_on_the_terminal() -> None:
    line = "\n".join(report("true", "\x1b[2J", "a\nb"))
    assert "\x1b" not in line
    assert '"true ␛[2J a␊b"' in line


def test_clock_is_gnu_times() -> None:
    assert [_clock(s) for s in (0.0, 1.239, 61.5, 3600.0, 3725.9)] == [
        "0:00.00",
        "0:01.23",
        "1:01.50",
        "1:00:00",
        "1:02:05",
    ]
