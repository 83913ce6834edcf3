"""The dear numbers of a process, and the document that `memtui ps --json` promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from memtui.kernel.errors import KernelError
from memtui.kernel.roots import LIVE, Roots
from memtui.services import census, portable
from tests.support.made import proc
from tests.support.procs import run_python, sleeper
from tests.support.steady import agree

TOUCH = "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096])"


def found(pid: int) -> Any:
    return next(p for p in census.take(LIVE).procs if p.pid == pid)


def full_of(process: psutil.Process) -> tuple[int, ...]:
    full = process.memory_full_info()
    return full.pss, full.uss, full.swap


def test_pss_uss_and_peak_equal_psutil() -> None:
    with sleeper(TOUCH) as process:
        row, theirs = found(process.pid), psutil.Process(process.pid)
        agree(lambda: census.detail(LIVE, row)[:3], lambda: full_of(theirs))
        ours = census.detail(LIVE, row)
        assert ours.peak_rss is not None
        assert ours.peak_rss > 24 << 20
        assert ours.oom_score_adj == int(Path(f"/proc/{process.pid}/oom_score_adj").read_text())


def test_a_process_without_memory_has_none_and_that_is_known() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        zombie = found(process.pid)
        assert zombie.state == "Z"
        assert census.detail(LIVE, zombie)[:4] == (0, 0, 0, 0)


def test_a_process_that_is_gone_is_unknown() -> None:
    with sleeper() as process:
        gone = found(process.pid)
    assert census.detail(LIVE, gone) == census.Detail()


def test_cgroups_are_all_there_at_once() -> None:
    with sleeper() as process:
        ours, us = found(process.pid), found(os.getpid())
        assert ours.cgroup == us.cgroup


def test_totals_add_up() -> None:
    procs = [proc(1, 3), proc(2, 4), proc(3, 5)]
    details = [census.Detail(1, 2, 3), census.Detail(), census.Detail(10, None, 30)]
    assert census.totals_json(procs, details) == {
        "count": 3,
        "rss": 12 << 20,
        "pss": 11,
        "uss": 2,
        "swap": 33,
        "pss_unknown": 1,
        "unreadable": 0,
    }


@pytest.mark.parametrize(
    ("argv", "listed"),
    [
        (b"", []),
        (b"a\0", ["a"]),
        (b"a\0\0b\0", ["a", "", "b"]),
        (b"postgres: writer\0\0\0", ["postgres: writer", "", ""]),
        (b"no end", ["no end"]),
        (b"\xff\n\x1b[31m\0[/b]\0\xe4\xb8\xad\0", ["\udcff\n\x1b[31m", "[/b]", "中"]),
    ],
)
def test_arguments_are_lossless(argv: bytes, listed: list[str]) -> None:
    row = census.proc_json(proc(1, argv=argv, comm=b"\xfe"), census.Detail(), None)
    assert row["cmdline"] == listed
    assert row["name"] == "\udcfe"
    assert json.loads(json.dumps(row)) == row
    assert row["started"] is None


def test_without_a_proc_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError):
        census.take(Roots(str(tmp_path)))


# -- where there is no Linux procfs: called directly, beside the native way


def test_psutil_gives_the_same_record_as_procfs() -> None:
    with sleeper(TOUCH) as process:
        native, source = found(process.pid), portable.PortableProcesses()
        # one in other units, one of another span, one that psutil does not tell
        same = {"start": 0, "cpu_pct": None, "prio": None}

        def other() -> Any:
            return next(p for p in source.sample() if p.pid == process.pid)

        def said() -> Any:
            return other()._replace(**same)

        agree(lambda: found(process.pid)._replace(cgroup=None, majflt=0, **same), said)
        assert abs(other().start - native.start) <= 1
        agree(lambda: census.detail(LIVE, native)[:3], lambda: tuple(portable.full(process.pid)))


def test_psutil_finds_the_same_processes() -> None:
    with sleeper() as one, sleeper() as two:
        pids = {p.pid for p in portable.PortableProcesses().sample()}
        assert {one.pid, two.pid, os.getpid(), 1} <= pids


def test_psutil_counts_cpu_between_two_samples() -> None:
    source = portable.PortableProcesses()
    assert {p.cpu_pct for p in source.sample()} == {None}
    end = os.times().user + 0.3
    while os.times().user < end:
        pass
    pct = next(p.cpu_pct for p in source.sample() if p.pid == os.getpid())
    assert pct is not None
    assert pct > 10
    source.close()


def test_what_psutil_was_denied_is_unknown() -> None:
    info = dict.fromkeys(portable._ATTRS) | {"pid": 7, "name": "launchd", "status": "running"}
    made = portable.PortableProcesses()._proc(info, None)
    assert (made.uid, made.user, made.state, made.command) == (None, "?", "R", "launchd")
    assert portable.unknowns(made).keys() == {"threads", "virt", "rss", "shr"}
    assert portable.unknowns(made._replace(threads=2, virt=9, rss=5)).keys() == {"shr"}
    assert portable.unknowns(made._replace(state="Z", threads=1)) == {}
    assert portable.full(1 << 22) == portable.Full()


HIDDEN = """
import json, os, sys
os.path.exists = lambda path, old=os.path.exists: path != "/proc/self/stat" and old(path)
from memtui.cli.main import main
main(["ps", "--json"])
sys.stdout.flush()
from memtui.services.sampler import Sampler
snapshot = Sampler().first_look(5)
print(snapshot.count == len(snapshot.procs) > 1, snapshot.quota.host.total > 0)
"""


def test_without_linux_procfs_ps_and_the_sampler_ask_psutil() -> None:
    with sleeper(TOUCH) as process:
        document, told = run_python(HIDDEN).splitlines()
        row = next(p for p in json.loads(document)["processes"] if p["pid"] == process.pid)
        assert row["rss"] > 24 << 20
        assert row["cgroup"] is None
        assert row["oom_score_adj"] is None
        assert 24 << 20 < row["uss"] <= row["pss"] <= row["rss"]
        assert told == "True True"


def test_with_linux_procfs_psutil_is_not_imported() -> None:
    code = """
import sys
from memtui.services.sampler import Sampler
s = Sampler(); s.first_look(3); s.sample()
print("psutil" in sys.modules)
"""
    assert run_python(code) == "False\n"
