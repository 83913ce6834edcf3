"""Limits: what was asked for, what can be had, what is read back, what the end means."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memtui.kernel import cgroupmake, cgroupsweep
from memtui.kernel.cgroupset import Wanted
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model.limits import MIN_LIMIT, Limits, parse_amount, parse_limit
from memtui.model.runlimit import Ending, derive_verdict
from memtui.services import cgrouplimit
from memtui.services.cgrouplimit import bases
from memtui.services.limits import CgroupLimiter, Unavailable, choose, read_room
from tests.support.cgroups import MIB, Group
from tests.support.trees import copy

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("500M", 500 * MIB),
        (" 2G ", 2 * GIB),
        ("1.5GiB", GIB * 3 // 2),
        ("1M", MIN_LIMIT),
        ("1048576", MIN_LIMIT),
        ("50%", 2 * GIB),
        ("12.5 %", GIB // 2),
        ("100%", 4 * GIB),
        ("64MB", 64_000_000),
        ("2MiB", 2 * MIB),
        ("free", 3 * GIB),
        ("free-10%", 3 * GIB - 3 * GIB // 10),
        (" FREE - 1G", 2 * GIB),
    ],
)
def test_limits_that_are_meant(text: str, limit: int) -> None:
    assert parse_limit(text, 4 * GIB, 3 * GIB) == limit


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0%", "-1", "-1%", "5", "1023K", "x", "5X", "%", "1e3%", "NaN%", "inf", "101%"),
        *("2000000T", "9" * 29, "9" * 5000, "1..5M", "٣M", "٣%", "50%%", "1 2M"),
        *("free-", "free-3G", "free-100%", "free-101%", "free+1M", "freed", "free-x", "free-free"),
    ],
)
def test_limits_that_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{1,120}$"):
        parse_limit(text, 4 * GIB, 3 * GIB)


def test_a_share_of_an_unknown_quota_is_refused() -> None:
    with pytest.raises(ValueError, match="quota is not known here"):
        parse_limit("50%", None)
    with pytest.raises(ValueError, match="free is not known here"):
        parse_limit("free-10%", 4 * GIB)


def test_an_amount_may_be_nothing_where_a_limit_may_not() -> None:
    assert parse_amount("0") == 0


def test_the_quota_is_no_more_than_the_machine_has() -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < (read_room().quota or 0) <= total


def verdict(**known: object) -> str:
    fields = {"method": "cgroup", "limit": 64 * MIB, "status": None, "signal": None} | known
    return derive_verdict(Ending(**fields)).kind  # type: ignore[arg-type]


def test_verdicts_follow_the_evidence() -> None:
    assert verdict(status=0, oom_kills=0) == "ok"
    assert verdict(status=1, oom_kills=0, nearest=64 * MIB) == "failed"
    assert verdict(signal=15, oom_kills=0) == "signal"
    assert verdict(signal=9, oom_kills=0) == "sigkill"
    assert verdict(signal=9, oom_kills=1, own=True) == "limit"
    assert verdict(signal=9, oom_kills=1, own=False) == "above"
    assert verdict(status=3, oom_kills=2, own=True) == "limit-part"
    assert verdict(status=0, oom_kills=1, own=True) == "limit-part"
    assert verdict(method="data", status=1, nearest=60 * MIB) == "probably-limit"
    assert verdict(method="data", status=1, nearest=30 * MIB) == "maybe-limit"
    assert verdict(method="data", signal=15, nearest=30 * MIB) == "signal"
    assert {verdict(method="as", signal=n) for n in (5, 6, 11)} == {"maybe-limit"}
    assert {verdict(signal=n, oom_kills=0) for n in (5, 6, 11)} == {"signal"}
    assert verdict(method="data", status=0, nearest=64 * MIB) == "ok"
    assert verdict(method="as", signal=6, nearest=60 * MIB) == "probably-limit"


@pytest.fixture
def based(memory_group: Group, monkeypatch: pytest.MonkeyPatch) -> Group:
    monkeypatch.setenv("MEMTUI_CGROUP_BASE", str(memory_group.dir))
    return memory_group


def test_cgroup_limit_is_what_the_kernel_says(based: Group) -> None:
    limiter = choose("auto", Limits(64 * MIB + 1)).limiter
    try:
        assert isinstance(limiter, CgroupLimiter)
        made = Path(limiter.group.directory)
        assert made.parent == based.dir
        assert (made / based.limit_file.name).read_text() == f"{64 * MIB}\n"
        assert limiter.group.limit == 64 * MIB, "whole pages, as read back"
        name = "memory.max" if based.version == 2 else "memory.limit_in_bytes"
        words = f"cgroup v{based.version} {based.cgroup}/{made.name}: {name} 64.0 MiB, swap 0"
        assert limiter.describe().partition("; outside")[0] == words
    finally:
        limiter.close()
    assert not made.exists()
    limiter.close()


def test_a_limit_that_cannot_be_set_leaves_no_group(based: Group) -> None:
    before = set(based.dir.iterdir())
    with pytest.raises(KernelError, match=based.limit_file.name):
        cgroupmake.make_group(based.version, str(based.dir), "memtui-run-test", Wanted(1 << 70))
    assert set(based.dir.iterdir()) == before


def test_groups_of_killed_makers_are_removed_and_no_others(based: Group) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    here = cgroupsweep.namespace()
    ours = based.child(f"memtui-run-{os.getpid()}-99{here}")
    theirs, elsewhere = (
        based.child("other-99999999-0"),
        based.child(f"memtui-run-{process.pid}-2-7"),
    )
    stale, busy = (based.child(f"memtui-run-{process.pid}-{n}{here}") for n in (0, 1))
    stale.child("made-by-the-command")
    with busy.start(["sleep", "30"]) as living:
        while str(living.pid) not in busy.read("cgroup.procs"):
            assert living.poll() is None
        cgrouplimit.sweep([str(based.dir)])
        kept = [g.dir.exists() for g in (ours, theirs, elsewhere, busy)]
        assert (stale.dir.exists(), kept) == (False, [True] * 4)
        living.kill()


def test_a_group_older_than_who_has_its_makers_number_is_stale(based: Group) -> None:
    with subprocess.Popen(["sleep", "30"]) as process:
        made = based.child(f"memtui-run-{process.pid}-0{cgroupsweep.namespace()}")
        cgrouplimit.sweep([str(based.dir)])
        assert made.dir.exists(), "its maker lives"
        os.utime(made.dir, (time.time() - 3600,) * 2)
        cgrouplimit.sweep([str(based.dir)])
        assert not made.dir.exists()
        process.kill()


def test_kill_all_ends_forking_processes(based: Group) -> None:
    limiter = choose("cgroup", Limits(64 * MIB)).limiter
    assert isinstance(limiter, CgroupLimiter)
    try:
        enter, argument = limiter.shell_enter()
        code = f"{enter} && while :; do sleep 5 & sleep 0.01; done"
        with subprocess.Popen(["sh", "-c", code, "sh", argument]) as process:
            while len(cgroupmake.read_procs(limiter.group)) < 5:
                assert process.poll() is None
            assert cgroupmake.kill_all(limiter.group)
            assert process.wait(10) == -9
        assert cgroupmake.read_procs(limiter.group) == set()
    finally:
        limiter.close()


def test_v1_groups_are_made_at_the_top_and_v2_groups_beside_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MEMTUI_CGROUP_BASE", raising=False)
    assert bases(cgroupmake.Place(1, "/cg/memory", "/cg/memory/a/b")) == ["/cg/memory"]
    assert bases(cgroupmake.Place(2, "/cg", "/cg/a/b")) == ["/cg/a", "/cg/a/b"]
    assert bases(cgroupmake.Place(2, "/cg", "/cg")) == ["/cg"], "never above the mount point"
    monkeypatch.setenv("MEMTUI_CGROUP_BASE", "/cg/mine/")
    assert bases(cgroupmake.Place(2, "/cg", "/cg/a")) == ["/cg/mine"]


def test_the_limit_that_a_group_escapes_is_the_least_around_us(tmp_path: Path) -> None:
    root = copy("v1_hybrid", tmp_path)
    roots, top = Roots(str(root)), root / "sys/fs/cgroup/memory"
    for name, limit in (("jobs", 1 << 63), ("jobs/j1", 80 * MIB), ("jobs/j1/step", 90 * MIB)):
        (top / name / "memory.limit_in_bytes").write_text(f"{limit}\n")
    found = [
        cgroupmake.read_escaped(str(top / name), roots)
        for name in ("new", "jobs/j1x", "jobs/j1/new", "jobs/j1/step/new")
    ]
    assert found == [(80 * MIB, "/jobs/j1")] * 2 + [(90 * MIB, "/jobs/j1/step"), None]


def test_no_cgroup_means_the_watchdog_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = str(tmp_path / "absent")
    monkeypatch.setenv("MEMTUI_CGROUP_BASE", absent)
    chosen = choose("auto", Limits(64 * MIB))
    assert chosen.limiter.method == "watch"
    assert chosen.fallback.startswith("no cgroup: ")
    assert absent in chosen.fallback
    with pytest.raises(Unavailable, match="absent"):
        choose("cgroup", Limits(64 * MIB))
    assert choose("data", Limits(64 * MIB)).fallback == "", "it was asked for"


@pytest.mark.parametrize(("method", "which"), [("data", "RLIMIT_DATA"), ("as", "RLIMIT_AS")])
def test_rlimit_is_read_back_from_the_process(method: str, which: str) -> None:
    limiter = choose(method, Limits(512 * MIB)).limiter
    enter, argument = limiter.shell_enter()
    line = ["sh", "-c", f"{enter}; read x", "sh", argument]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as process:
        while resource.prlimit(process.pid, getattr(resource, which))[0] != 512 * MIB:
            assert process.poll() is None
        assert limiter.confirm(process.pid) == 512 * MIB
        assert process.stdin
        process.stdin.close()


def test_a_limit_that_is_not_there_is_not_claimed() -> None:
    limiter = choose("data", Limits(512 * MIB)).limiter
    with pytest.raises(Unavailable, match="could not be read back"):
        limiter.confirm(os.getpid())


def test_a_process_outside_the_group_is_not_claimed(based: Group) -> None:
    limiter = choose("cgroup", Limits(64 * MIB)).limiter
    try:
        with pytest.raises(Unavailable, match="is not in"):
            limiter.confirm(os.getpid())
    finally:
        limiter.close()


def test_the_command_line_needs_no_heavy_import() -> None:
    code = (
        "import sys, memtui.cli.run; "
        "print([m for m in ('textual','rich','psutil','dataclasses','subprocess') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=False)
    if done.returncode:  # installed, not in the current directory
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
