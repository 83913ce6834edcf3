"""`memtui quota` as a user meets it: what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cgroups import MIB, Group
from tests.support.programs import line
from tests.support.trees import TREES, copy

QUOTA = [sys.executable, "-m", "memtui", "quota"]
LABELS = ("MEM_LIMIT", "MEM_GUARANTEE", "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU")


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in LABELS}
    return subprocess.run(
        [*QUOTA, *args],
        capture_output=True,
        text=True,
        timeout=30,
        env={**clean, **env},
        check=False,
    )


def of_tree(root: Path | str, *args: str, **env: str) -> dict[str, Any]:
    done = run("--json", "--root", str(root), *args, **env)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def in_group(group: Group, *args: str) -> str:
    """What `memtui quota` prints when it runs inside of the group."""
    process = group.start([*QUOTA, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    return out.decode()


def test_v2_login_node() -> None:
    q = of_tree(TREES / "v2_systemd")
    assert (q["schema"], q["cgroup_version"], q["hybrid"]) == ("memtui.quota/1", 2, False)
    slice_ = "/sys/fs/cgroup/user.slice/user-1000.slice"
    assert q["limit"] == {
        "bytes": 1024 * MIB,
        "path": slice_ + "/memory.max",
        "usage": 1000 * MIB,
        "working_set": 850 * MIB,
        "hard": 730 * MIB,
    }
    assert q["events"] == {"oom_kill": 5, "oom": 3, "max": 12, "high": 41, "oom_group_kill": 1}
    assert q["swap"] == {"limit": 512 * MIB, "usage": 20 * MIB}
    assert q["pressure"] == {"some_avg10": 1.5, "full_avg10": 0.25, "scope": "cgroup"}
    assert (q["high"], q["host_oom_kill"], q["declared"]) == (900 * MIB, 7, {})
    assert q["parts"]["kernel_reclaimable"] == 20 * MIB
    assert [lv["path"] for lv in q["levels"]][1:] == [
        "/user.slice/user-1000.slice",
        "/user.slice",
        "/",
    ]


def test_v1_hybrid() -> None:
    q = of_tree(TREES / "v1_hybrid")
    assert (q["cgroup_version"], q["hybrid"], q["cgroup"]) == (1, True, "/jobs/j1/step")
    assert q["limit"]["bytes"] == 256 * MIB
    assert q["events"]["oom_kill"] == 6
    assert q["events"]["oom"] is None
    assert q["pressure"]["scope"] is None


def test_no_cgroup() -> None:
    q = of_tree(TREES / "no_cgroup")
    assert (q["cgroup_version"], q["cgroup"], q["levels"]) == (None, None, [])
    assert q["limit"]["path"] == "/proc/meminfo"
    assert q["limit"]["usage"] == 3_000_000 << 10
    assert q["host"]["swap_free"] == 900_000 << 10
    text = run("--root", str(TREES / "no_cgroup")).stdout
    assert "no limit is visible: host memory" in text


def test_cut_short_is_null_and_never_0() -> None:
    q = of_tree(TREES / "cut_short")
    assert (q["limit"], q["binding"], q["host_oom_kill"]) == (None, None, None)
    assert set(q["events"].values()) == {None}
    assert run("--root", str(TREES / "cut_short")).returncode == 0


def test_a_limit_that_cannot_be_read_is_not_called_none(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    file = root / "sys/fs/cgroup/memory.max"
    file.write_text("max\n")
    assert "limit:   no limit: host memory" in run("--root", str(root)).stdout
    file.write_text("")
    text = run("--root", str(root)).stdout
    assert "limit:   /sys/fs/cgroup/memory.max is not readable: host memory" in text
    assert re.search(r"(?m)^ +\S+ +\? .* /$", text)
    assert "no limit" not in text
    assert of_tree(root)["levels"][0]["limit"] is None


def test_usage_of_which_the_cache_is_unknown(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    assert "of it cannot be reclaimed" in run("--root", str(root)).stdout
    (root / "sys/fs/cgroup/memory.stat").unlink()
    text = run("--root", str(root)).stdout
    assert "how much of it can be reclaimed is not known" in text
    assert "of it cannot be reclaimed" not in text


def test_another_cgroup_of_a_tree() -> None:
    q = of_tree(TREES / "v1_hybrid", "--cgroup", "/jobs")
    assert (q["cgroup"], q["limit"]["bytes"]) == ("/jobs", 512 * MIB)


def test_declared_limits_are_labels() -> None:
    q = of_tree(TREES / "slurm", MEM_LIMIT="1000", SLURM_MEM_PER_NODE="2", MEM_GUARANTEE="x")
    assert q["declared"] == {"MEM_LIMIT": 1000, "SLURM_MEM_PER_NODE": 2 * MIB}
    assert q["limit"]["bytes"] == 1000 * MIB


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--root", "/nonexistent"], "not a directory"),
        (["--root", str(TREES)], "no /proc"),
        (["--cgroup", "/nonexistent/x"], "no such memory cgroup"),
    ],
)
def test_wrong_use_is_one_sentence(args: list[str], word: str) -> None:
    done = run("--json", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_hostile_cgroup_name_reaches_no_terminal(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    name = b"/a\x1b[31m\xff"
    os.mkdir(os.fsencode(root / "sys/fs/cgroup") + name)
    (root / "proc/self/cgroup").write_bytes(b"0::" + name + b"\n")
    assert "\x1b" not in run("--root", str(root)).stdout
    assert of_tree(root)["cgroup"] == "/a\x1b[31m\udcff"


def test_text_tells_limit_file_and_level() -> None:
    text = run("--root", str(TREES / "v2_systemd")).stdout
    assert "1.00 GiB, set by /user.slice/user-1000.slice" in text
    assert "user-1000.slice/memory.max" in text
    assert "97.7 %" in text
    assert "5 processes killed" in text


def test_inside_a_real_group(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    inner = memory_group.child("inner")
    q = json.loads(in_group(inner, "--json"))
    assert q["cgroup"] == inner.cgroup
    assert q["limit"]["bytes"] == 256 * MIB
    assert q["limit"]["path"] == str(memory_group.limit_file)
    assert 0 < q["limit"]["hard"] <= q["limit"]["usage"] < 256 * MIB
    assert f"set by {memory_group.cgroup}" in in_group(inner)


def test_a_kill_in_a_child_is_counted_for_the_group_with_the_limit(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    victim = memory_group.child("victim").start(line("hog", mib=200, tell=0))
    assert victim.wait(timeout=30) == -9
    q = json.loads(in_group(memory_group.child("reader"), "--json"))
    assert (q["limit"]["bytes"], q["events"]["oom_kill"]) == (64 * MIB, 1)
    assert q["host_oom_kill"] >= 1


def test_neither_textual_nor_rich_is_imported() -> None:
    code = (
        "import sys; from memtui.cli.main import main; main(['quota']); print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    modules = done.stdout.splitlines()[-1]
    assert not any(f"'{m}'" in modules for m in ("textual", "rich", "plotext"))
