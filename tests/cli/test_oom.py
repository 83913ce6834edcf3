"""`memtui oom`: kills from saved logs and from the kernel that runs here."""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memtui.kernel.probe import in_first_namespace
from tests.support.cgroups import MIB, Group
from tests.support.oomlogs import LOGS, SECOND, killed, lines, log, memcg, wrapped
from tests.support.waiting import readable

DESIGN = (
    *("time", "log_time", "pid", "comm", "uid", "scope", "constraint", "oom_memcg", "task_memcg"),
    *("invoked_by", "total_vm", "anon_rss", "file_rss", "shmem_rss", "pgtables"),
    *("oom_score_adj", "group_kill", "evidence"),
)
UTC = {**os.environ, "TZ": "UTC", "XDG_STATE_HOME": "/nonexistent/state"}  # no own record
NAMED = """
open("/proc/self/comm", "w").write({name!r})
held = [bytearray(b"x" * (1 << 20)) for _ in range(200)]
"""


def oom(*args: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "memtui", "oom", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**UTC, **env},
    )


def kills(*args: str, stdin: bytes = b"") -> list[dict[str, object]]:
    done = oom("--json", *args, stdin=stdin)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == "memtui.oom/1"
    found: list[dict[str, object]] = told["kills"]
    return found


def saved(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_the_json_has_the_keys_that_are_promised() -> None:
    (kill,) = kills("--log", str(LOGS / "kmsg_6.18_v1.txt"))
    assert {key: kill[key] for key in DESIGN} == {
        "time": None,
        "log_time": "2288420196",
        "pid": 10757,
        "comm": "python3",
        "uid": 0,
        "scope": "memcg",
        "constraint": "CONSTRAINT_MEMCG",
        "oom_memcg": "/memtui-test-10716",
        "task_memcg": "/memtui-test-10716",
        "invoked_by": "python3",
        "total_vm": 76588 << 10,
        "anon_rss": 65152 << 10,
        "file_rss": 5356 << 10,
        "shmem_rss": 0,
        "pgtables": 184 << 10,
        "oom_score_adj": 0,
        "group_kill": False,
        "evidence": "kernel-log",
    }
    assert kill["rss"] == (65152 + 5356) << 10


def test_names_are_lossless_in_json_and_harmless_in_text() -> None:
    data = wrapped("kmsg", memcg(7, b"\x1b[31m\xff\n"))
    (kill,) = kills("--log", "-", stdin=data)
    assert kill["comm"] == "\x1b[31m\udcff\n"
    text = oom("--log", "-", stdin=data).stdout
    assert b"\x1b" not in text
    assert "␛[31m" in text.decode()
    assert len(text.splitlines()) == 3


def test_a_line_for_each_kill_and_what_they_come_to() -> None:
    data = wrapped("short-iso", [*memcg(1), *memcg(20000, b"b"), killed(3, scope=b"Out")])
    heading, *rows, totals = oom("--log", "-", stdin=data).stdout.decode().splitlines()
    assert heading.split() == ["TIME", "NAME", "PID", "RSS", "ADJ", "LIMIT", "OF", "EVIDENCE"]
    assert [r.split()[:7] for r in rows] == [
        ["2024-05-01", "10:00:00", "x", "1", "68.9M", "-17", "/a"],
        ["2024-05-01", "10:00:00", "b", "20000", "68.9M", "-17", "/a"],
        ["2024-05-01", "10:00:00", "x", "3", "68.9M", "-17", "host"],
    ]
    assert len({r.index("kernel-log") for r in rows}) == 1
    assert totals == (
        "3 processes killed, 2 by the limit of a cgroup, 1 by the host's memory; "
        "207M resident in all"
    )


def test_nothing_found_is_said() -> None:
    done = oom("--log", "-", stdin=b"May  1 10:00:00 host kernel: all is well\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"no OOM kill in stdin\n", b"")
    assert kills("--log", "-", stdin=b"") == []


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_rotated_logs_are_read(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    packed = pack(log("kmsg_6.18_adj.txt"))
    assert [k["pid"] for k in kills("--log", saved(tmp_path / "log", packed))] == [11085, 11086]


def test_a_log_in_utf_16_is_read(tmp_path: Path) -> None:
    text = lines(*memcg(7), *memcg(8, b"caf\xc3\xa9")).decode()
    for encoding in ("utf-16", "utf-8-sig"):
        found = kills("--log", saved(tmp_path / "log.txt", text.encode(encoding)))
        assert [k["comm"] for k in found] == ["x", "café"]


def test_kills_by_other_programs_are_only_mentioned() -> None:
    line = b'May  1 10:00:04 h earlyoom[12]: sending SIGTERM to process 9 uid 1 "x": badness 1\n'
    done = oom("--log", "-", stdin=line)
    assert done.stdout == b"no OOM kill in stdin\n"
    assert b"earlyoom 1" in done.stderr


def test_a_log_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    packed = gzip.compress(log("kmsg_6.18_adj.txt") * 40, 1)
    done = oom("--log", saved(tmp_path / "log.gz", packed[: len(packed) * 3 // 4]))
    assert done.returncode == 1
    assert b"11085" in done.stdout
    assert b"to its end" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--log", "/no/such/file"],
        ["--log", "/"],
        ["--log", "JOURNAL"],
        ["--since", "soon"],
        ["--since", "2h", "--log", "/no/such/file"],
        ["--follow", "--log", "/etc/passwd"],
        ["--bogus"],
        ["word"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_sentence(args: list[str], tmp_path: Path) -> None:
    journal = saved(tmp_path / "system.journal", b"LPKSHHRH" + bytes(100))
    done = oom(*(journal if arg == "JOURNAL" else arg for arg in args))
    assert done.returncode == 2
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1


def test_since_looks_at_the_dates_in_the_log() -> None:
    early, late = "2024-05-01T10:00:00Z", "2024-05-02T10:00:00Z"
    data = b"".join(
        f"{stamp} host kernel: ".encode() + killed(pid) + b"\n"
        for pid, stamp in ((1, early), (2, late))
    )
    assert [k["pid"] for k in kills("--log", "-", "--since", "2024-05-02", stdin=data)] == [2]
    assert kills("--log", "-", "--since", "1h", stdin=data) == []
    assert [k["time"] for k in kills("--log", "-", stdin=data)] == [SECOND, SECOND + 86400]


def test_since_with_dates_without_a_year_goes_by_when_the_log_was_written(tmp_path: Path) -> None:
    text = b"".join(
        b"%b host kernel: %b\n" % (stamp, killed(pid))
        for pid, stamp in ((1, b"Apr 30 09:00:00"), (2, b"May  1 09:00:00"))
    )
    path = saved(tmp_path / "kern.log", text)
    os.utime(path, (SECOND, SECOND))
    (kill,) = kills("--log", path, "--since", "2024-05-01")
    assert (kill["pid"], kill["time"], kill["log_time"]) == (2, None, "May  1 09:00:00")


def test_since_keeps_what_has_no_date_and_says_so() -> None:
    done = oom("--log", "-", "--since", "1h", stdin=lines(*memcg(9)))
    assert b" 9 " in done.stdout
    assert b"1 of these have no date" in done.stderr


def test_following_stdin_prints_as_it_comes() -> None:
    argv = [sys.executable, "-m", "memtui", "oom", "--log", "-", "--follow", "--json"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        for pid in (1, 2):
            child.stdin.write(lines(*memcg(pid), start=float(pid)))
            child.stdin.flush()
            assert [k["pid"] for k in json.loads(next_line(child))["kills"]] == [pid]
        child.stdin.close()
        assert child.wait(30) == 0


def next_line(child: subprocess.Popen[bytes], timeout_s: float = 30.0) -> bytes:
    """The next line on stdout, which must come within the time."""
    assert child.stdout is not None
    data, end = b"", time.monotonic() + timeout_s
    while not data.endswith(b"\n"):
        left = end - time.monotonic()
        assert left > 0, data
        if readable(child.stdout.fileno(), left):
            byte = os.read(child.stdout.fileno(), 1)
            assert byte, "stdout ended"
            data += byte
    return data


@contextlib.contextmanager
def following(*args: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """`memtui oom --follow`, watching already; ended by SIGINT, which gives 130."""
    argv = [sys.executable, "-m", "memtui", "oom", "--follow", *args]
    child = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**UTC, **env}
    )
    try:
        assert child.stderr is not None
        assert b"watching" in child.stderr.readline()
        yield child
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
    finally:
        child.kill()
        child.communicate()


def cause(group: Group, name: str) -> int:
    """Have a process of that name killed in the group; return its PID."""
    group.set_limit(24 * MIB)
    with group.python(NAMED.format(name=name)) as hog:
        assert hog.wait(60) == -signal.SIGKILL
    return hog.pid


@pytest.mark.kmsg
@pytest.mark.world
def test_a_real_kill_is_in_the_kernel_log(memory_group: Group) -> None:
    before = time.time()
    pid = cause(memory_group, "me) (x,y")
    found = [k for k in kills("--since", "5min") if k["comm"] == "me) (x,y"]
    (kill,) = [k for k in found if str(k["oom_memcg"]).endswith(memory_group.cgroup)]
    assert kill["task_memcg"] == kill["oom_memcg"]
    assert isinstance(kill["time"], float)
    assert before - 2 < kill["time"] <= time.time()
    assert (kill["scope"], kill["evidence"], kill["group_kill"]) == ("memcg", "kernel-log", False)
    if in_first_namespace("pid"):
        assert kill["pid"] == pid


@pytest.mark.kmsg
@pytest.mark.world
def test_a_real_kill_is_followed(memory_group: Group) -> None:
    with following("--json") as child:
        cause(memory_group, "followed")
        while True:
            (kill,) = json.loads(next_line(child))["kills"]
            if str(kill["oom_memcg"]).endswith(memory_group.cgroup):
                break
    assert kill["comm"] == "followed"
    assert kill["anon_rss"] > 8 * MIB


@pytest.mark.kmsg
@pytest.mark.memory_v2
@pytest.mark.world
def test_a_group_that_dies_whole_is_told_each_once(memory_group: Group) -> None:
    (memory_group.dir / "memory.oom.group").write_text("1")
    memory_group.set_limit(40 * MIB)
    wait = "import sys, time; print(flush=True); time.sleep(50)"
    with contextlib.ExitStack() as stack:
        idle = [memory_group.python(wait, stdout=subprocess.PIPE) for _ in range(2)]
        for child in idle:
            stack.enter_context(child)
            next_line(child)
        hog = stack.enter_context(memory_group.python(NAMED.format(name="hog")))
        ends = [child.wait(60) for child in (hog, *idle)]
    assert ends == [-signal.SIGKILL] * 3
    mine = [k for k in kills("--since", "5min") if k["oom_memcg"] == memory_group.cgroup]
    assert sorted(str(k["comm"])[:3] for k in mine) == ["hog", "pyt", "pyt"]
    assert len({k["pid"] for k in mine}) == 3
    assert [k["group_kill"] for k in mine] == [True] * 3


@pytest.mark.kmsg
def test_following_as_text_shows_a_heading_and_ends_on_ctrl_c() -> None:
    with following() as child:
        assert next_line(child).split()[:2] == [b"TIME", b"NAME"]


@pytest.fixture
def denied(tmp_path: Path) -> list[str]:
    """How to be a user who may not read /dev/kmsg; skips where that cannot be had."""
    restrict = Path("/proc/sys/kernel/dmesg_restrict").read_text().strip()
    if os.geteuid() != 0 or restrict != "1":
        pytest.skip("needs root and kernel.dmesg_restrict=1, to be denied the kernel log")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    return [setpriv, "--bounding-set=-syslog", "--inh-caps=-syslog"]


def as_denied(
    denied: list[str], args: list[str], bin_dir: Path
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*denied, sys.executable, "-m", "memtui", "oom", *args],
        capture_output=True,
        timeout=60,
        env={**UTC, "PATH": str(bin_dir)},
    )


def journalctl(at: Path, body: str) -> Path:
    """A journalctl in an otherwise empty place."""
    at.mkdir()
    script = at / "journalctl"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(stat.S_IRWXU)
    return at


def test_what_may_not_be_read_is_said_with_what_would_grant_it(
    denied: list[str], tmp_path: Path
) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    done = as_denied(denied, ["--json"], empty)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"dmesg_restrict" in done.stderr
    assert b"CAP_SYSLOG" in done.stderr
    assert b"no journalctl" in done.stderr
    hidden = journalctl(tmp_path / "b", "echo 'No journal files were opened: permission' >&2")
    done = as_denied(denied, [], hidden)
    assert b"systemd-journal" in done.stderr


def test_the_journal_stands_in_for_the_kernel_log(denied: list[str], tmp_path: Path) -> None:
    entries = saved(tmp_path / "entries", wrapped("json", memcg(77, b"j")))
    bin_dir = journalctl(tmp_path / "bin", f'while read -r l; do echo "$l"; done < {entries}')
    done = as_denied(denied, ["--json", "--since", "2024-04-01"], bin_dir)
    assert done.returncode == 0, done.stderr
    (kill,) = json.loads(done.stdout)["kills"]
    assert (kill["pid"], kill["comm"], kill["time"]) == (77, "j", SECOND + 0.25)
