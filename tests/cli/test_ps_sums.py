"""`memtui ps -u`, `-m`, `-w` and `--csv`: sums that are right, rows that a program can read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from memtui.text import cells, safe
from tests.cli.test_ps import captured
from tests.support.listing import PS, document, only, printed, ps, table
from tests.support.procs import READY, require, sleeper
from tests.support.programs import running

MIB = 1 << 20
MAPPING = """
import mmap
file = open({path!r}, "r+b")
held = mmap.mmap(file.fileno(), 8 << 20)
for at in range(0, 8 << 20, 4096):
    held[at] = 1
"""


@pytest.fixture(scope="module")
def family() -> Iterator[list[int]]:
    """Three quiet processes that share memory."""
    with running("forks", width=2, depth=1, mib=1, shared=8) as program:
        program.wait_for("anon", times=3)
        yield program.said["process"]


def test_users_are_the_sums_of_their_processes(family: list[int]) -> None:
    keys = ("swap", "uss", "rss", "vss")
    rows = table("-c", " ".join(("pid", *keys)), *only(family))
    (said,) = table("-u", "-c", "user count swap uss rss vss pss", *only(family))
    assert (said["user"], said["count"]) == (psutil.Process().username(), "3")
    assert any(x.startswith("1 user of 3 processes") for x in printed("-u", *only(family)))
    for key in ("swap", "uss", "rss", "virt"):
        assert int(said[key]) == pytest.approx(sum(int(r[key]) for r in rows), abs=MIB)
    assert int(said["uss"]) <= int(said["pss"]) <= int(said["rss"])


def test_users_as_text() -> None:
    head, *lines = printed("-u", "-t")
    assert head.split() == ["USER", "COUNT", "SWAP", "USS", "PSS▼", "RES"]
    users = [
        line.split()[0] for line in lines[: lines.index(next(x for x in lines if x[0] == "-"))]
    ]
    assert psutil.Process().username() in users
    numeric = [line.split()[0] for line in printed("-u", "-n", "-H")]
    assert str(os.geteuid()) in numeric


def test_a_mapping_that_two_share_counts_once_in_pss(tmp_path: Path) -> None:
    path = tmp_path / "two \x1b[31mwords"
    path.write_bytes(bytes(8 * MIB))
    setup = MAPPING.format(path=str(path))
    with sleeper(setup) as one, sleeper(setup) as two:
        both = ["-M", re.escape(safe(str(path))), *only([one.pid, two.pid])]
        columns = "map count pids pss rss uss virt avgpss avgrss"
        (row,) = table("-m", "-c", columns, *both)
        assert row.pop("map") == safe(str(path))
        assert {k: int(v) for k, v in row.items()} == {
            "count": 2, "pids": 2, "pss": 8 * MIB, "rss": 16 * MIB, "uss": 0, "virt": 16 * MIB,
            "avgpss": 4 * MIB, "avgrss": 8 * MIB,
        }  # fmt: skip
        made = document("-m", *both)
        (found,) = made["mappings"]
        assert found["map"] == str(path), "lossless"
        assert (found["pss"], made["mappings_unknown"]) == (8 * MIB, 0)
        head, line, *_ = printed("-m", *both)
        assert head.split() == ["MAP", "PIDS", "AVGPSS", "PSS▼"]
        assert line.split()[-3:] == ["2", "4.00M", "8.00M"]
        assert "\x1b" not in line
        sums = table("-c", "pid pss rss", *both)
        assert [int(r["pss"]) for r in sums] == [4 * MIB, 4 * MIB]


def test_the_areas_are_the_whole_machine() -> None:
    rows = {r["area"]: r for r in table("-w")}
    known = [r for r in rows.values() if r["used"]]
    assert sum(int(r["used"]) for r in known) == psutil.virtual_memory().total
    for row in known:
        assert int(row["cache"]) + int(row["noncache"]) == int(row["used"])
    assert rows["kernel image"]["used"] == "", "unknown, not 0"
    lines = printed("-w", "-t")
    assert lines[0].split() == ["AREA", "USED", "CACHE", "NONCACHE"]
    assert any(line.startswith("MemTotal ") for line in lines)
    areas = document("-w", "--limit-rows", "1")["areas"]
    assert {a["area"] for a in areas} == set(rows)
    assert {a["used"] for a in areas if a["area"] == "kernel image"} == {None}


def test_areas_of_another_machine(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    told = {
        "MemTotal": 1000, "MemFree": 300, "Buffers": 20, "Cached": 150, "AnonPages": 200,
        "Mapped": 50, "Shmem": 10, "SReclaimable": 30,
    }  # fmt: skip
    text = "".join(f"{k}:  {v} kB\n" for k, v in told.items())
    (tmp_path / "proc/meminfo").write_text(text)
    lines = printed("-w", "-H", "--kib", "--root", str(tmp_path))
    assert [line.split()[-3:] for line in lines] == [
        ["?", "?", "?"],
        ["?", "?", "?"],
        ["450", "150", "300"],
        ["250", "50", "200"],
        ["300", "300", "0"],
    ]
    (tmp_path / "proc/meminfo").write_text("")
    assert ps("-w", "--root", str(tmp_path)).returncode == 1


def test_summaries_are_sorted_as_asked() -> None:
    for args in (["-u"], ["-m"]):
        found = [int(r["rss"]) for r in table(*args, "-c", "rss", "-s", "rss")]
        assert found == sorted(found, reverse=True)
        turned = [int(r["rss"]) for r in table(*args, "-c", "rss", "-s", "rss", "-r")]
        assert turned == sorted(turned)
    assert len(table("-m", "--limit-rows", "3")) == 3
    areas = [r["area"] for r in table("-w")]
    assert areas[0] == "firmware/hardware"
    assert [r["area"] for r in table("-w", "-r")] == areas[::-1]


def test_sums_in_json_are_those_of_the_processes(family: list[int]) -> None:
    made = document("-u", *only(family))
    (user,) = made["users"]
    assert user["count"] == len(made["processes"]) == 3
    assert user["uid"] == os.geteuid()
    assert user["pss_unknown"] == 0
    assert user["rss"] == pytest.approx(made["totals"]["rss"], abs=MIB)


def test_who_could_not_be_read_at_all_is_named(tmp_path: Path) -> None:
    root = captured(tmp_path)
    (root / "proc/7/statm").unlink()
    note = "1 could not be read at all (PID 7); "
    for args in ([], ["-t"], ["-u"]):
        assert printed(*args, "--root", str(root))[-1] == note + "see memtui doctor"
    for args in (["--csv"], ["-H"], ["-u", "--csv"]):
        assert note in ps(*args, "--root", str(root)).stderr
    with open(root / "proc/self/mountinfo", "a") as mounts:
        mounts.write("90 1 0:99 / /proc rw - proc proc rw,hidepid=1\n")
    last = printed("--root", str(root))[-1]
    assert last.startswith(note + "hidepid=1: root, or the group")


# -- CSV


def test_csv_is_exact_on_a_captured_machine(tmp_path: Path) -> None:
    root = str(captured(tmp_path))
    page = os.sysconf("SC_PAGE_SIZE")
    done = ps(
        "--csv", "--root", root, "-c", "pid user rss pss uss limit growth command", "-s", "pid"
    )
    assert done.stdout.split("\r\n") == [
        "pid,user,rss,pss,uss,limit,growth,command",
        f"7,1001,{100 * page},{300 << 10},{35 << 10},,,sh -c true",
        "8,1001,0,0,0,none,,kworker/0:1",
        "9,1001,0,0,0,,,gone",
        "",
    ]
    assert "GROWTH of 3 not known" in done.stderr
    assert ps("--csv", "-H", "--root", root, "-c", "pid").stdout.split() == ["7", "8", "9"]


def test_csv_holds_hostile_arguments_harmlessly() -> None:
    words = ['say "a, b"', "two\nlines", "\x1b]0;x\x07", "=1+1", "\r", "中文"]
    line = [sys.executable, "-S", "-c", READY.format(setup=""), *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = ps("--csv", *only([process.pid]))
        head, record, rest = done.stdout.split("\r\n")
        assert head == "pid,user,state,virt,rss,shr,quota,cpu,time,command"
        assert rest == ""
        assert not re.search(r"[\x00-\x1f\x7f]", record)
        (row,) = table(*only([process.pid]))
        assert row["command"].endswith(" ".join(map(safe, words)))
        assert int(row["rss"]) == psutil.Process(process.pid).memory_info().rss
        process.kill()


# -- on a terminal


def on_terminal(width: int, *args: str) -> str:
    """What a terminal of that width is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, width, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen([*PS, *args], stdout=theirs, env=env)
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 1 << 16):
            said += data
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return said.decode()


@pytest.mark.parametrize("args", [[], ["-t"], ["-u"], ["-m", "-t"], ["--tree"]], ids=" ".join)
def test_rows_fit_the_terminal(args: list[str]) -> None:
    require(hasattr(os, "openpty"), "needs pseudo-terminals")
    said = on_terminal(70, *args, "--limit-rows", "12")
    assert "\x1b[" in said
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.splitlines()]
    rows = next(i for i, line in enumerate(lines) if " processes" in line or "OOM killer" in line)
    assert rows > 1
    assert max(map(cells, lines[:rows])) <= 70
    assert not any("\x1b" in line for line in lines)
