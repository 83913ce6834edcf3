"""`memtui doctor` as a user meets it: findings that are true, for root and for others."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from memtui.text import cells
from tests.support.cgroups import MIB, Group
from tests.support.doctor import DOCTOR, capture, doctor, document, findings, unpack
from tests.support.limited import as_nobody, groups_of
from tests.support.procs import sleeper
from tests.support.trees import TREES, copy

NAMES = [
    "cgroup", "levels", "limit", "pressure", "oom_counters", "oom_watch", "oom_group",
    "host_oom_kill", "kernel_log", "journal", "processes", "pss", "schedstat", "descriptors",
    "pidfd", "exit_information", "run_cgroup", "run_systemd", "run_watch", "run_data",
    "run_as", "run_auto", "terminal", "versions",
]  # fmt: skip
LIVE_ONLY = {
    "oom_watch", "kernel_log", "journal", "schedstat", "descriptors", "pidfd", "exit_information",
    "run_cgroup", "run_systemd", "run_watch", "run_data", "run_as", "run_auto", "terminal",
}  # fmt: skip
LINE = re.compile(r"([✓!✗?]) (ok|limited|no|unknown) +([a-z ]+?)  +\S.*")
GLYPHS = {"ok": "✓", "limited": "!", "no": "✗", "unknown": "?"}

TRUTH = """
import json, os, sys
def opens(path, flags=os.O_RDONLY):
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
    except OSError:
        return False
    return True
own = [line.split(":", 2) for line in open("/proc/self/cgroup").read().splitlines()]
v1 = [path for _, names, path in own if "memory" in names.split(",")]
control = "/sys/fs/cgroup/memory" + (v1[0] if v1 else "") + "/cgroup.event_control"
print(json.dumps({
    "kmsg": opens("/dev/kmsg"),
    "pss": opens(f"/proc/{sys.argv[1]}/smaps_rollup"),
    "eventfd": opens(control, os.O_WRONLY),
    "v1": bool(v1),
    "uid": os.geteuid(),
}))
"""


def truth(pid: int, prefix: list[str]) -> dict[str, Any]:
    """What this user may do, found out without memtui."""
    done = subprocess.run(
        [*prefix, sys.executable, "-S", "-c", TRUTH, str(pid)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(params=["us", "nobody"])
def prefix(request: pytest.FixtureRequest) -> list[str]:
    """Run as ourselves, and as an ordinary user."""
    return as_nobody() if request.param == "nobody" else []


def test_the_document_is_what_is_promised(prefix: list[str]) -> None:
    made = document(prefix=prefix)
    assert made.keys() == {"schema", "live", "uid", "capture", "findings", "summary"}
    assert (made["schema"], made["live"], made["capture"]) == ("memtui.doctor/1", True, None)
    assert [f["name"] for f in made["findings"]] == NAMES
    for each in made["findings"]:
        assert each.keys() == {"name", "state", "means", "why", "grant", "facts"}
        assert each["state"] in GLYPHS
        assert each["means"]
        assert bool(each["why"]) == (each["state"] != "ok"), each
        assert each["grant"] is None or each["state"] != "ok"
    assert sum(made["summary"].values()) == len(NAMES)


@pytest.mark.world
def test_what_is_found_is_true_for_whoever_asks(prefix: list[str]) -> None:
    with sleeper() as child:
        real, found = truth(child.pid, prefix), findings(prefix=prefix)
    assert document(prefix=prefix)["uid"] == real["uid"]
    assert (found["kernel_log"]["state"] != "no") == real["kmsg"]
    if not real["pss"]:
        assert found["pss"]["state"] in ("limited", "no")
        assert "CAP_SYS_PTRACE" in found["pss"]["grant"]
        assert found["pss"]["facts"]["others"] < found["pss"]["facts"]["others_of"]
    if real["v1"]:
        assert (found["oom_watch"]["state"] == "ok") == real["eventfd"]
        assert "memory.oom_control" in found["oom_watch"]["means"]
    assert found["pidfd"]["state"] == "ok"
    assert {found[f"run_{way}"]["state"] for way in ("watch", "data", "as")} == {"ok"}
    assert found["terminal"]["state"] == "no"


@pytest.mark.world
def test_the_run_method_is_the_one_that_run_takes(prefix: list[str]) -> None:
    found = findings(prefix=prefix)
    run = [*prefix, sys.executable, "-m", "memtui", "run", "--limit", "64M", "--", "true"]
    said = subprocess.run(run, capture_output=True, timeout=30, check=True).stderr.decode()
    method = found["run_auto"]["facts"]["method"]
    assert ("limit: cgroup v" in said) == (method in ("cgroup", "systemd"))
    assert ("watchdog" in said) == (method == "watch")
    assert (found["run_cgroup"]["state"] == "ok") or method != "cgroup"
    if method == "watch":
        assert found["run_cgroup"]["grant"]
        assert found["run_cgroup"]["why"] in found["run_auto"]["facts"]["why_not_better"]


@pytest.mark.memory_v1
def test_root_can_do_what_nobody_cannot(v1: Group) -> None:
    ours, theirs = findings(), findings(prefix=as_nobody())
    assert ours["run_auto"]["facts"]["method"] == "cgroup"
    assert theirs["run_auto"]["facts"]["method"] == "watch"
    assert theirs["run_cgroup"]["why"].startswith("no permission to make a group in")
    restrict = Path("/proc/sys/kernel/dmesg_restrict").read_text().strip()
    if restrict == "1":
        assert (ours["kernel_log"]["state"], theirs["kernel_log"]["state"]) == ("ok", "no")
        assert "CAP_SYSLOG" in theirs["kernel_log"]["grant"]


def test_it_leaves_no_group_behind(memory_group: Group) -> None:
    with subprocess.Popen(DOCTOR, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert groups_of(process.pid) == []


def test_limits_of_the_group_that_it_runs_in(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    inner = memory_group.child("inner", 128 * MIB)
    process = inner.start([*DOCTOR, "--json"], stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    found = {f["name"]: f for f in json.loads(out)["findings"]}
    facts = found["cgroup"]["facts"]
    assert (facts["version"], facts["cgroup"]) == (inner.version, inner.cgroup)
    assert found["levels"]["facts"]["levels"][:2] == [inner.cgroup, memory_group.cgroup]
    limit = {"bytes": 128 * MIB, "path": str(inner.limit_file)}
    assert found["limit"]["facts"] == {"limit": limit, "binding": limit}
    assert inner.cgroup in found["limit"]["means"]
    assert found["descriptors"]["facts"]["kept_at_most"] <= 128 * MIB // 100 // 4096


def in_namespaces(*unshare: str, mount: str = "true") -> dict[str, dict[str, Any]]:
    """The findings of an ordinary user in namespaces of their own."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make namespaces")
    line = ["unshare", *unshare, "sh", "-c", f'{mount} && exec "$@"', "sh", *as_nobody()]
    return findings(prefix=line)


@pytest.mark.world
def test_hidden_processes_are_told_of() -> None:
    found = in_namespaces("-m", mount="mount -t proc -o hidepid=2 proc /proc")
    assert found["processes"]["state"] == "limited"
    assert "hidepid" in found["processes"]["why"]
    assert "gid=" in found["processes"]["grant"]
    found = in_namespaces("-pf", "--mount-proc")
    assert found["processes"]["facts"] == {"count": 1, "hidepid": None, "pid_namespace": True}
    assert "a PID namespace" in found["processes"]["why"]


@pytest.mark.world
def test_without_a_proc_nothing_is_made_up() -> None:
    found = in_namespaces("-m", mount="mount -t tmpfs none /proc")
    states = {name: found[name]["state"] for name in NAMES}
    assert {n for n, s in states.items() if s == "ok"} <= {
        "kernel_log", "journal", "descriptors", "pidfd", "exit_information", "run_data", "run_as",
        "run_auto", "versions",
    }  # fmt: skip
    assert states["limit"] == "unknown"
    assert all(found[n]["why"] for n, s in states.items() if s != "ok")


def test_the_text_is_one_line_for_each_finding(prefix: list[str]) -> None:
    done = doctor(prefix=prefix, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert not any("\x1b" in line for line in lines)
    found = [m for line in lines if (m := LINE.fullmatch(line))]
    assert [m[3].replace(" ", "_") for m in found] == NAMES
    assert all(GLYPHS[m[2]] == m[1] for m in found)
    state = ""
    for line in lines[2:-2]:
        m = LINE.fullmatch(line)
        state = m[2] if m else state
        assert m or (state != "ok" and re.match(r" {20,}(why|would grant it): \S", line))


def test_marks_are_readable_in_any_encoding() -> None:
    text = doctor(env={**os.environ, "PYTHONIOENCODING": "ascii"}).stdout.decode("ascii")
    assert "\n+ ok" in text
    assert "\n- no" in text
    assert "? ok" not in text


def on_terminal(columns: int, **env: str) -> str:
    """What `memtui doctor` draws on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM")}
    base = {**clean, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    made = subprocess.Popen(DOCTOR, stdin=theirs, stdout=theirs, stderr=theirs, env={**base, **env})
    os.close(theirs)
    data = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break
        data += more
    os.close(ours)
    assert made.wait(timeout=30) == 0
    return data.decode()


def test_on_a_terminal_marks_have_colour_and_words_and_lines_fit() -> None:
    text = on_terminal(70)
    assert re.search(r"\x1b\[[0-9;]*m✓ ok", text)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "")
    assert max(map(cells, bare.splitlines())) <= 70
    assert re.search(r"✓ ok +terminal +70x30, 256 colours,\s+UTF-8", bare)
    assert "\x1b" not in on_terminal(70, NO_COLOR="1")


def test_a_terminal_that_lacks_something_is_told_what() -> None:
    text = " ".join(on_terminal(30, TERM="dumb", NO_COLOR="1").split())
    assert "it is too small; TERM is not set, or dumb" in text
    assert "40x10 cells or more" in text


@pytest.mark.parametrize("tree", ["v2_systemd", "v1_hybrid", "no_cgroup", "cut_short"])
def test_files_of_another_machine_are_not_guessed_from(tree: str) -> None:
    made = document("--root", str(TREES / tree))
    assert made["live"] is False
    found = {f["name"]: f for f in made["findings"]}
    assert [n for n in NAMES if n in LIVE_ONLY and found[n]["state"] != "unknown"] == []
    assert found["processes"]["state"] == "unknown"
    assert all(f["state"] != "no" for f in found.values()), "absent from files is not absent"
    text = doctor("--root", str(TREES / tree)).stdout.decode()
    assert text.startswith("files of another machine")


def test_what_files_do_tell_is_told() -> None:
    found = findings("--root", str(TREES / "v2_systemd"))
    assert found["limit"]["facts"]["limit"]["bytes"] == 1024 * MIB
    assert found["pressure"]["facts"] == {"scope": "cgroup"}
    assert found["host_oom_kill"]["facts"] == {"oom_kill": 7}
    assert found["cgroup"]["facts"]["version"] == 2
    assert findings("--root", str(TREES / "v2_container"))["levels"]["state"] == "limited"


def test_group_kills_and_hidden_processes_are_told(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    (root / "sys/fs/cgroup/memory.oom.group").write_text("1\n")
    with (root / "proc/self/mountinfo").open("a") as file:
        file.write("9 1 0:21 / /proc rw,relatime - proc proc rw,gid=50,hidepid=invisible\n")
    found = findings("--root", str(root))
    assert found["oom_group"]["state"] == "limited"
    assert found["oom_group"]["facts"] == {"groups": ["/"]}
    assert found["processes"]["state"] == "limited"
    assert found["processes"]["why"] == "/proc is mounted with hidepid=invisible"


def test_a_captured_tree_says_that_it_is_one(tmp_path: Path) -> None:
    capture(tmp_path / "x.tar")
    root = unpack(tmp_path / "x.tar", tmp_path / "tree")
    made = document("--root", str(root))
    assert made["capture"]["schema"] == "memtui.capture/1"
    assert made["capture"]["uid"] == os.geteuid()
    found = {f["name"]: f for f in made["findings"]}
    assert {n for n in LIVE_ONLY if found[n]["state"] == "unknown"} == LIVE_ONLY
    ours = findings()
    assert found["cgroup"]["facts"] == ours["cgroup"]["facts"]
    assert found["limit"]["facts"] == ours["limit"]["facts"]
    assert found["versions"]["facts"]["kernel"] == ours["versions"]["facts"]["kernel"]
    assert doctor("--root", str(root)).stdout.startswith(b"a captured tree of 2")


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    root = copy("v2_container", tmp_path)
    name = b"/a\x1b[31m\xff"
    os.mkdir(os.fsencode(root / "sys/fs/cgroup") + name)
    (root / "proc/self/cgroup").write_bytes(b"0::" + name + b"\n")
    (root / "proc/version").write_bytes(b"Linux version \x1b]0;x\x07 (a@b)\n")
    (root / "memtui-capture.json").write_text(json.dumps({"memtui": "\x1b[31m", "time": 1 << 99}))
    done = doctor("--root", str(root))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert b"\x07" not in done.stdout
    assert findings("--root", str(root))["cgroup"]["facts"]["cgroup"] == "/a\x1b[31m\udcff"


@pytest.mark.parametrize("marker", [b"", b"[1]", b"{", b"\xff", b'{"memtui": {}}'])
def test_a_broken_marker_harms_nothing(tmp_path: Path, marker: bytes) -> None:
    root = copy("v2_container", tmp_path)
    (root / "memtui-capture.json").write_bytes(marker)
    assert doctor("--root", str(root)).returncode == 0


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--json", "--capture", "x"], "not allowed with"),
        (["--with-arguments"], "goes with --capture"),
        (["--root", "/nonexistent"], "is not a directory"),
        (["--nope"], "--nope"),
    ],
    ids=repr,
)
def test_wrong_use_is_one_sentence(args: list[str], part: str, tmp_path: Path) -> None:
    done = doctor(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert part in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_textual_is_never_imported() -> None:
    code = "import sys; from memtui.cli.main import main; main(['doctor']); "
    code += "print({'textual', 'rich', 'plotext', 'psutil'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
    assert re.search(r"textual \d", done.stdout), "its version is known all the same"
