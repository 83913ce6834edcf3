"""`memtui ps` as a user meets it: what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from memtui.model.fields import FIELDS
from tests.support.limited import MEMTUI, as_nobody
from tests.support.procs import require, sleeper
from tests.support.trees import TREES, copy

PS = [*MEMTUI, "ps"]
TOUCH = "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096])"
KEYS = {
    "pid": int,
    "ppid": int,
    "name": str,
    "cmdline": list,
    "state": str,
    "uid": int | None,
    "user": str | None,
    "threads": int,
    "kernel_thread": bool,
    "virt": int,
    "rss": int,
    "shr": int,
    "pss": int | None,
    "uss": int | None,
    "swap": int | None,
    "peak_rss": int | None,
    "cpu_time_s": float,
    "started": float,
    "cgroup": str | None,
    "nice": int,
    "oom_score_adj": int | None,
    "badness": int | None,
    "what": dict | None,
    "container": str | None,
}
EVIL = b"a\xff\x1b[31m\n[/b]\xe4\xb8\xad"  # 15 bytes are a whole comm


def ps(*args: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *PS, *args], capture_output=True, text=True, timeout=60, check=False
    )


def document(*args: str, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    done = ps("--json", *args, prefix=prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert done.stdout.count("\n") == 1, "one document"
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def row(made: dict[str, Any], pid: int) -> dict[str, Any]:
    (found,) = [p for p in made["processes"] if p["pid"] == pid]
    return dict(found)


def test_the_document_is_what_is_promised() -> None:
    made = document()
    doomed = {"next_victim", "next_victim_unknown", "die_with_it"}
    assert made.keys() == {"schema", "processes", "totals", "host"} | doomed
    assert made["schema"] == "memtui.ps/1"
    assert made["host"].keys() == {"total", "available", "swap_total", "swap_free"}
    assert made["host"]["total"] == psutil.virtual_memory().total
    for each in made["processes"]:
        assert each.keys() == KEYS.keys()
        for key, kind in KEYS.items():
            assert isinstance(each[key], kind), (key, each[key])
        assert all(isinstance(word, str) for word in each["cmdline"])
        assert len(each["state"]) == 1


def set_adj(process: subprocess.Popen[str], adj: int) -> None:
    Path(f"/proc/{process.pid}/oom_score_adj").write_text(str(adj))


def test_whom_the_oom_killer_would_take_is_named_and_marked() -> None:
    with sleeper() as one, sleeper() as two:
        set_adj(one, 1000)
        set_adj(two, 990)
        made = document()
        if made["next_victim_unknown"]:
            pytest.skip(f"not known here: {made['next_victim_unknown']}")
        worst = [row(made, p.pid)["badness"] for p in (one, two)]
        if None in worst:
            pytest.skip("our processes are not where the limit binds")
        assert made["next_victim"] == one.pid
        assert worst == sorted(worst, reverse=True)
        assert worst[0] == max(p["badness"] or 0 for p in made["processes"])
        set_adj(two, 1000)
        set_adj(one, 980)
        marked = [line for line in ps().stdout.splitlines() if " † " in line]
        assert [int(line.split()[0]) for line in marked] == [two.pid]


def test_whom_nobody_takes_has_no_badness() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        made = document()
        assert row(made, process.pid)["badness"] is None
    assert not any(p["badness"] for p in made["processes"] if p["kernel_thread"])


def test_totals_are_the_sums_of_what_is_known() -> None:
    made = document()
    rows, totals = made["processes"], made["totals"]
    assert totals["count"] == len(rows)
    for key in ("rss", "pss", "uss", "swap"):
        assert totals[key] == sum(p[key] or 0 for p in rows)
    assert totals["pss_unknown"] == sum(p["pss"] is None for p in rows)
    assert totals.keys() == {"count", "rss", "pss", "uss", "swap", "pss_unknown", "unreadable"}


def test_a_child_is_as_psutil_and_ps_see_it() -> None:
    with sleeper(TOUCH) as process:
        ours, theirs = row(document(), process.pid), psutil.Process(process.pid)
        memory = theirs.memory_info()
        assert (ours["rss"], ours["virt"], ours["shr"]) == (memory.rss, memory.vms, memory.shared)
        said = subprocess.run(
            ["ps", "-o", "rss=,vsz=", "-p", str(process.pid)], capture_output=True, check=True
        ).stdout.split()
        assert [ours["rss"] >> 10, ours["virt"] >> 10] == [int(n) for n in said]
        assert (ours["ppid"], ours["nice"], ours["threads"]) == (os.getpid(), theirs.nice(), 1)
        assert (ours["uid"], ours["user"]) == (theirs.uids().effective, theirs.username())
        assert ours["cmdline"] == theirs.cmdline()
        assert ours["started"] == pytest.approx(theirs.create_time(), abs=1.5)
        assert ours["cpu_time_s"] == pytest.approx(sum(theirs.cpu_times()[:2]), abs=0.02)
        assert ours["peak_rss"] >= 24 << 20


def test_pss_and_uss_are_those_of_psutil() -> None:
    with sleeper(TOUCH) as process:

        def ours() -> tuple[int, int]:
            found = row(document("--sort", "pid", "--invert"), process.pid)
            return found["pss"], found["uss"]

        def theirs() -> tuple[int, int]:
            full = psutil.Process(process.pid).memory_full_info()
            return full.pss, full.uss

        pss, uss = ours()
        assert pss == pytest.approx(theirs()[0], rel=0.1)  # other interpreters come and go
        assert uss == pytest.approx(theirs()[1], rel=0.1)


def evil() -> str:
    return f"open('/proc/self/comm', 'wb').write({EVIL!r})"


def test_names_are_lossless_in_json_and_harmless_in_text() -> None:
    code = f"import time\n{evil()}\nprint(1, flush=True)\ntime.sleep(60)"
    words = [b"\xff\xfe", b"a\nb", b"\x1b]0;x\x07", b"[/b]", b"", "中文".encode()]
    line = [sys.executable.encode(), b"-S", b"-c", code.encode(), *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = row(document(), process.pid)
        assert found["name"].encode("utf-8", "surrogateescape") == EVIL[:15]
        assert found["cmdline"][4:] == ["\udcff\udcfe", "a\nb", "\x1b]0;x\x07", "[/b]", "", "中文"]
        raw = subprocess.run([*PS, "--json"], capture_output=True, check=True).stdout
        assert rb"\udcff\udcfe" in raw
        text = subprocess.run(PS, capture_output=True, check=True, timeout=60).stdout
        lines = text.decode().split("\n")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text.decode())
        (shown,) = [each for each in lines if each.split()[:1] == [str(process.pid)]]
        assert "[/b]" in shown
        assert "中文" in shown
        process.kill()


def test_a_zombie_and_a_kernel_thread_have_no_memory_and_are_known() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        made = document()
        dead = row(made, process.pid)
        assert (dead["state"], dead["rss"], dead["pss"], dead["cmdline"]) == ("Z", 0, 0, [])
    for thread in (p for p in made["processes"] if p["kernel_thread"]):
        assert (thread["virt"], thread["pss"], thread["cmdline"]) == (0, 0, [])


def test_an_unprivileged_user_sees_what_is_unknown() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with sleeper(TOUCH) as process:
        made = document(prefix=tuple(as_nobody()))
        found = row(made, process.pid)
        assert (found["pss"], found["uss"]) == (None, None)
        assert found["rss"] > 24 << 20
        assert found["swap"] is not None, "status tells it to everybody"
        assert made["totals"]["pss_unknown"] > 0
        own = [p for p in made["processes"] if p["uid"] == 65534 and p["virt"]]
        assert own


# -- order and number of rows

BY = {
    "pid": "pid", "user": "user", "state": "state", "virt": "virt", "rss": "rss", "shr": "shr",
    "quota": "rss", "time": "cpu_time_s",
}  # fmt: skip


@pytest.mark.parametrize("field", [f.key for f in FIELDS])
@pytest.mark.parametrize("inverted", [False, True], ids=["", "inverted"])
def test_sorted_by_every_column(field: str, inverted: bool) -> None:
    rows = document("--sort", field, *["--invert"] * inverted)["processes"]
    if field in BY:
        values = [p[BY[field]] or ("?" if field == "user" else 0) for p in rows]
        down = next(f for f in FIELDS if f.key == field).descending != inverted
        assert values == sorted(values, reverse=down)
    assert len(rows) > 1


def test_a_column_may_be_named_by_its_title() -> None:
    assert ps("--sort", "RES").stdout.split("\n")[0] == ps("--sort", "mem").stdout.split("\n")[0]


def test_the_sorted_column_is_marked() -> None:
    assert "RES▼" in ps().stdout.split("\n")[0]
    assert "PID▲" in ps("--sort", "pid").stdout.split("\n")[0]
    assert "PID▼" in ps("--sort", "pid", "--invert").stdout.split("\n")[0]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_only_the_first_rows(count: int) -> None:
    made = document("--limit-rows", str(count))
    assert len(made["processes"]) == made["totals"]["count"] == count
    lines = ps("--limit-rows", str(count)).stdout.splitlines()
    assert len(lines) == count + 3
    assert lines[-2].startswith("† whom the OOM killer would take now: ")
    assert lines[-1].startswith(f"{count} of ")


@pytest.mark.parametrize(
    "args",
    [
        ["--sort", "nope"],
        ["--sort", ""],
        ["--sort", "\x1b[31m"],
        ["--limit-rows", "-1"],
        ["--limit-rows", "x"],
        ["--limit-rows"],
        ["--root", "/nonexistent"],
        ["--root", "/etc"],
        ["--nope"],
        ["extra"],
        ["--json=1"],
    ],
    ids=repr,
)
def test_wrong_use_is_one_sentence(args: list[str]) -> None:
    done = ps(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"memtui: [^\x00-\x1f]{8,250}\n", done.stderr)


# -- where the output goes


def test_a_reader_that_goes_away_is_no_error() -> None:
    for command in ("ps", "ps --json", "quota --json"):
        line = f"{sys.executable} -m memtui {command} | head -c 1 >/dev/null"
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=False)
        assert done.stderr == b""
    line = f"{sys.executable} -m memtui ps --limit-rows 1 | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=False)
    assert done.stderr == b"", "what fits the buffer fails only when it is flushed"


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize("command", ["ps", "quota", "ps --json", "quota --json"])
def test_output_that_cannot_be_written_is_one_sentence(command: str, where: str) -> None:
    line = f"{sys.executable} -m memtui {command} {where}"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(r"memtui: [^\n]+\n", done.stderr)


def test_an_encoding_without_arrows_is_no_error() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(PS, capture_output=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"RES?" in done.stdout


# -- other machines


def captured(to: Path) -> Path:
    """A small machine with a shell, a kernel thread and a zombie."""
    root = copy("v2_systemd", to)
    proc = root / "proc"
    (proc / "stat").write_text("cpu 1 2\nbtime 1700000000\n")
    rest = "0 0 " + "0 " * 28
    who = "Name:\tx\nTgid:\t%d\nUid:\t1000\t1001\t1000\t1000\nVmHWM:\t  512 kB\nVmSwap:\t 8 kB\n"
    for pid, comm, state, flags, statm in (
        (7, "sh", "S", 0, "1000 100 10 1 0 5 0"),
        (8, "kworker/0:1", "I", 0x00208040, "0 0 0 0 0 0 0"),
        (9, "gone", "Z", 0, "0 0 0 0 0 0 0"),
    ):
        folder = proc / str(pid)
        folder.mkdir()
        stat = f"{pid} ({comm}) {state} 1 1 1 0 -1 {flags} 0 0 0 0 100 50 0 0 20 0 1 0 200 {rest}"
        (folder / "stat").write_text(stat + "\n")
        (folder / "statm").write_text(statm + "\n")
        (folder / "status").write_text(who % pid)
    (proc / "7/cmdline").write_bytes(b"sh\0-c\0true\0")
    (proc / "7/cgroup").write_bytes(b"0::/user.slice\n")
    (proc / "7/oom_score_adj").write_text("-17\n")
    (proc / "7/smaps_rollup").write_text(
        "0-1 ---p 0 00:00 0 [rollup]\nRss: 400 kB\nPss: 300 kB\nPrivate_Clean: 10 kB\n"
        "Private_Dirty: 20 kB\nPrivate_Hugetlb: 5 kB\nSwap: 4 kB\n"
    )
    return root


def test_another_machine(tmp_path: Path) -> None:
    made = document("--root", str(captured(tmp_path)), "--sort", "pid")
    page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    assert made["processes"][0] == {
        "pid": 7, "ppid": 1, "name": "sh", "cmdline": ["sh", "-c", "true"], "state": "S",
        "uid": 1001, "user": "1001", "threads": 1, "kernel_thread": False,
        "virt": 1000 * page, "rss": 100 * page, "shr": 10 * page,
        "pss": 300 << 10, "uss": 35 << 10, "swap": 4 << 10, "peak_rss": 512 << 10,
        "cpu_time_s": 150 / ticks, "started": 1_700_000_000 + 200 / ticks,
        "cgroup": "/user.slice", "nice": 0, "oom_score_adj": -17, "badness": None,
        "what": None, "container": None,
    }  # fmt: skip
    assert [p["kernel_thread"] for p in made["processes"]] == [False, True, False]
    assert (made["totals"]["count"], made["totals"]["unreadable"]) == (3, 0)
    assert "could not be read" not in ps("--root", str(tmp_path / "v2_systemd")).stdout
    assert made["host"]["total"] is not None


@pytest.mark.parametrize("file", ["cmdline", "cgroup", "status", "smaps_rollup", "oom_score_adj"])
@pytest.mark.parametrize("content", [None, b"", b"x", b"\xff\x00\n:\n"])
def test_a_file_missing_or_damaged_is_unknown(
    tmp_path: Path, file: str, content: bytes | None
) -> None:
    root = captured(tmp_path)
    path = root / "proc/7" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    found = row(document("--root", str(root)), 7)
    assert found["rss"] == 100 * os.sysconf("SC_PAGE_SIZE")
    unknown = {"cgroup": ["cgroup"], "oom_score_adj": ["oom_score_adj"],
               "status": ["uid", "user", "peak_rss"], "smaps_rollup": ["pss", "uss"],
               "cmdline": []}  # fmt: skip
    assert [found[key] for key in unknown[file]] == [None] * len(unknown[file])


@pytest.mark.parametrize("file", ["stat", "statm"])
@pytest.mark.parametrize("content", [None, b"", b"7 (sh", b"1000"])
def test_a_process_that_cannot_be_read_is_left_out(
    tmp_path: Path, file: str, content: bytes | None
) -> None:
    root = captured(tmp_path)
    path = root / "proc/7" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    made = document("--root", str(root))
    assert sorted(p["pid"] for p in made["processes"]) == [8, 9]
    assert (made["totals"]["count"], made["totals"]["unreadable"]) == (2, 1)
    assert "2 processes (1 could not be read), RES" in ps("--root", str(root)).stdout


DROP = """
import os, sys
from memtui.cli.main import main
line = ["ps", "--json", "--root", sys.argv[1]]
main(line)  # everything is imported now: the interpreter may lie where only root can read
os.setgid(65534)
os.setuid(65534)
sys.exit(main(line))
"""


def test_a_file_that_may_not_be_read_is_unknown() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        os.chmod(folder, 0o755)
        root = captured(Path(folder))
        for name in ("smaps_rollup", "cmdline", "cgroup"):
            (root / "proc/7" / name).chmod(0)
        line = [sys.executable, "-c", DROP, str(root)]
        done = subprocess.run(line, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = row(json.loads(done.stdout.splitlines()[1]), 7)
    assert (found["pss"], found["cgroup"], found["cmdline"]) == (None, None, [])


def test_a_machine_without_processes(tmp_path: Path) -> None:
    for tree in ("no_cgroup", "cut_short"):
        made = document("--root", str(TREES / tree))
        assert made["processes"] == []
        assert made["totals"]["count"] == 0
        assert ps("--root", str(TREES / tree)).stdout.splitlines()[-1].startswith("0 processes")


def test_few_open_files_are_enough() -> None:
    def scarce() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

    done = subprocess.run(PS, capture_output=True, preexec_fn=scarce, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert str(os.getpid()).encode() in done.stdout


def test_it_is_one_moment_not_a_loop() -> None:
    began = time.time()
    made = document()
    assert all(p["started"] <= time.time() + 2 for p in made["processes"])
    assert time.time() >= began
