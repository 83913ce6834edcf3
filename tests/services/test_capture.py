"""Captured trees: what is in the tar, what never is, and that --root reads it like the machine."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import resource
import secrets
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from memtui.kernel import capture as kernel
from memtui.kernel import procfs
from memtui.kernel.roots import LIVE, Roots
from memtui.services.capture import MARKER, write_tar
from memtui.services.sampler import Sampler
from tests.support.cgroups import MIB, Group
from tests.support.doctor import DOCTOR, ask, capture, doctor, unpack
from tests.support.limited import MEMTUI, as_nobody
from tests.support.procs import sleeper
from tests.support.programs import line, running
from tests.support.trees import TREES

TOUCH = "held = bytearray(24 << 20); held[::4096] = b'x' * len(held[::4096])"
WHOLE = ["no_cgroup", "slurm", "v1_hybrid", "v2_container", "v2_systemd"]


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: m for m in tar.getmembers()}


def captured(**options: Any) -> bytes:
    out = io.BytesIO()
    write_tar(out, **options)
    return out.getvalue()


def skeleton(quota: dict[str, Any]) -> Any:
    """What does not move: levels, limits and paths."""
    return (
        quota["cgroup_version"],
        quota["hybrid"],
        quota["cgroup"],
        [quota[key][part] for key in ("limit", "binding") for part in ("bytes", "path")],
        quota["swap"]["limit"],
        quota["events"],
        [(lv["path"], lv["limit"], lv["high"]) for lv in quota["levels"]],
        quota["pressure"]["scope"],
        quota["host"]["total"],
    )


def near(a: dict[str, Any], b: dict[str, Any], slack: int) -> bool:
    pairs = zip(a["levels"], b["levels"], strict=True)
    return all(abs(x["usage"] - y["usage"]) < slack for x, y in pairs if x["usage"] is not None)


def test_the_quota_comes_back_as_it_was(memory_group: Group, tmp_path: Path) -> None:
    memory_group.set_limit(256 * MIB)
    inner = memory_group.child("in ner")
    assert inner.start(line("hog", mib=512, tell=0)).wait(timeout=60) == -9
    file = tmp_path / "x.tar.gz"
    with running("hog", inner, mib=24) as holder:
        holder.wait_for("done")
        with inner.start([*DOCTOR, "--capture", str(file)], stderr=subprocess.DEVNULL) as done:
            assert done.wait(timeout=60) == 0
        live = ask("quota", "--cgroup", inner.cgroup)
    again = ask("quota", "--root", str(unpack(file, tmp_path / "tree")))
    assert skeleton(again) == skeleton(live)
    assert again["limit"]["bytes"] == 256 * MIB
    assert (again["cgroup"], again["events"]["oom_kill"]) == (inner.cgroup, 1)
    usage = [lv["usage"] for lv in again["levels"][:2]]
    assert all(24 * MIB < n < 128 * MIB for n in usage)


def test_our_own_quota_comes_back(tmp_path: Path) -> None:
    capture(tmp_path / "x.tar")
    live = ask("quota")
    again = ask("quota", "--root", str(unpack(tmp_path / "x.tar", tmp_path / "tree")))
    live["events"] = again["events"] = None  # other tests have processes killed
    assert skeleton(again) == skeleton(live)
    assert near(again, live, 2048 * MIB)


@pytest.mark.parametrize("tree", WHOLE)
def test_other_machines_files_come_back_whole(tree: str, tmp_path: Path) -> None:
    root = str(TREES / tree)
    capture(tmp_path / "x.tar", "--root", root)
    again = str(unpack(tmp_path / "x.tar", tmp_path / "tree"))
    assert ask("quota", "--root", again) == ask("quota", "--root", root)
    assert ask("ps", "--root", again) == ask("ps", "--root", root)


@pytest.mark.world
@pytest.mark.parametrize("who", ["us", "nobody"])
def test_quiet_processes_come_back_as_they_were(who: str, tmp_path: Path) -> None:
    prefix = as_nobody() if who == "nobody" else []
    tmp_path.chmod(0o777)
    tmp_path.parent.chmod(0o711)
    file = tmp_path / "x.tgz"
    with sleeper(TOUCH) as one, sleeper() as two:
        done = subprocess.run([*prefix, *DOCTOR, "--capture", "-"], capture_output=True, check=True)
        file.write_bytes(gzip.compress(done.stdout))
        live = ask("ps", prefix=prefix)
    again = ask("ps", "--root", str(unpack(file, tmp_path / "tree")))
    for child in (one, two):
        (was,) = [p for p in live["processes"] if p["pid"] == child.pid]
        (now,) = [p for p in again["processes"] if p["pid"] == child.pid]
        for shared in ("pss", "uss"):  # of pages that others map too, or no longer
            moved = (now.pop(shared) or 0) - (was.pop(shared) or 0)
            assert abs(moved) < MIB
        assert now == {**was, "cmdline": [], "user": str(was["uid"])}
    assert (again["totals"]["pss_unknown"] > 0) or who == "us"


def test_the_screen_reads_it(tmp_path: Path) -> None:
    with sleeper() as child:
        capture(tmp_path / "x.tar")
        rss = procfs.read_statm(LIVE, child.pid).rss
    snapshot = Sampler(Roots(str(unpack(tmp_path / "x.tar", tmp_path / "tree")))).sample()
    (row,) = [p for p in snapshot.procs if p.pid == child.pid]
    assert (row.rss, row.argv, row.comm[:6]) == (rss, b"", b"python")
    assert snapshot.quota.host_oom_kill is not None


def test_secrets_stay_behind(tmp_path: Path) -> None:
    argument, variable = f"arg-{secrets.token_hex(8)}", f"env-{secrets.token_hex(8)}"
    env = {**os.environ, "TOKEN": variable}
    setup = f"held = {argument!r}"
    with sleeper(setup, env=env) as child:
        capture(tmp_path / "x.tar")
        said = capture(tmp_path / "y.tar.gz", "--with-arguments")
    plain = (tmp_path / "x.tar").read_bytes()
    assert f"proc/{child.pid}/status" in members(plain)
    assert argument.encode() not in plain
    assert variable.encode() not in plain
    assert b"environ" not in plain
    assert b"cmdline" not in plain
    asked = gzip.decompress((tmp_path / "y.tar.gz").read_bytes())
    assert argument.encode() in asked
    assert variable.encode() not in asked
    assert "command lines" in said


def test_no_host_name_no_boot_id_no_other_mounts() -> None:
    names = members(captured())
    assert not [n for n in names if "hostname" in n or "boot_id" in n or "environ" in n]
    version = b"Linux version 6.1.0 (joe@castle) (gcc 12) #1 SMP\n"
    assert kernel.keep_release(version) == b"Linux version 6.1.0\n"
    share = b"9 1 0:9 / /home/joe rw - nfs4 castle:/home rw,username=joe\n"
    ours = b"8 1 0:8 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    assert kernel.keep_mounts(share + ours + b"cut short\n") == ours


def test_addresses_are_hidden_as_the_kernel_hides_them() -> None:
    line = b"7 (a) b ()) S " + b" ".join(b"%d" % n for n in range(4, 53)) + b"\n"
    hidden = kernel.hide_addresses(line)
    assert procfs.parse_stat(hidden) == procfs.parse_stat(line)
    assert procfs.parse_masks(hidden) == procfs.parse_masks(line)
    fields = hidden.rpartition(b")")[2].split()
    assert [i + 3 for i, f in enumerate(fields) if f == b"0"] == [
        26, 27, 28, 29, 30, 35, 45, 46, 47, 48, 49, 50, 51,
    ]  # fmt: skip
    assert fields[-1] == b"52"
    assert kernel.hide_addresses(b"cut (sh") == b"cut (sh"
    rollup = b"55d0-7ffe ---p 00000000 00:00 0    [rollup]\nPss:   12 kB\n"
    assert b"7ffe" not in kernel.hide_range(rollup)
    assert procfs.parse_rollup(kernel.hide_range(rollup)).pss == 12 << 10


def test_every_member_is_harmless_to_unpack() -> None:
    for name, member in members(captured()).items():
        assert not name.startswith("/")
        assert ".." not in name.split("/")
        assert member.isreg() or member.isdir()
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mode in (0o644, 0o755)
        assert name.split("/")[0] in ("proc", "sys", MARKER)


def test_a_mount_point_with_dots_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    mount = b"1 1 0:1 / /a/../../outside rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "proc/self/mountinfo").write_bytes(mount)
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/\n")
    names = members(captured(roots=Roots(str(tmp_path))))
    assert not [n for n in names if "outside" in n]


def test_odd_names_of_groups_come_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    subprocess.run(["cp", "-r", str(TREES / "v2_container"), str(root)], check=True)
    name = b"/\xff\x1b\xe4\xb8\xad" + b"n" * 150
    os.mkdir(os.fsencode(root / "sys/fs/cgroup") + name)
    (root / "proc/self/cgroup").write_bytes(b"0::" + name + b"\n")
    capture(tmp_path / "x.tar", "--root", str(root))
    again = unpack(tmp_path / "x.tar", tmp_path / "tree")
    assert ask("quota", "--root", str(again)) == ask("quota", "--root", str(root))


def test_the_longest_name_that_a_file_may_have(tmp_path: Path) -> None:
    capture(tmp_path / ("é" * 127))
    assert len(list(tmp_path.iterdir())) == 1


def test_the_file_is_for_its_owner_and_tells_how_to_read_it(tmp_path: Path) -> None:
    file = tmp_path / "a file.tar.gz"
    said = capture(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes()[:2] == b"\x1f\x8b"
    assert f"tar -xf '{file}' -C DIR" in said
    assert "memtui quota --root DIR" in said
    assert "names (comm) of processes" in said


@pytest.mark.parametrize("kind", ["file", "directory", "dangling"])
def test_what_is_there_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    if kind == "file":
        file.write_text("mine")
    elif kind == "directory":
        file.mkdir()
    else:
        file.symlink_to(tmp_path / "nowhere")
    done = doctor("--capture", str(file))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is there already" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == [file]
    assert kind != "file" or file.read_text() == "mine"


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for folder in (tmp_path / "absent", closed):
        done = doctor("--capture", str(folder / "x.tar"), prefix=as_nobody())
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"cannot write" in done.stderr
        assert done.stderr.count(b"\n") == 1


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_no_half_file_is_left(tmp_path: Path) -> None:
    done = doctor("--capture", str(tmp_path / "x.tar"), preexec_fn=_small_files)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_stdout_takes_it_but_a_terminal_does_not() -> None:
    done = doctor("--capture", "-")
    assert done.returncode == 0
    assert "proc/meminfo" in members(done.stdout)
    assert b"tar -xf FILE -C DIR" in done.stderr
    ours, theirs = pty.openpty()
    refused = subprocess.run(
        [*DOCTOR, "--capture", "-"], stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    os.close(ours)
    assert refused.returncode == 2
    assert b"not for a terminal" in refused.stderr


def test_a_reader_that_leaves_and_a_full_disk_are_met() -> None:
    command = f'"{MEMTUI[0]}" -m memtui doctor --capture -'
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 100 >/dev/null; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    with open("/dev/full", "wb") as full:
        filled = subprocess.run(
            [*DOCTOR, "--capture", "-"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert filled.returncode == 1
    assert filled.stderr.count(b"\n") == 1


def test_what_does_not_fit_is_said_and_is_the_smallest() -> None:
    with sleeper(TOUCH) as big, sleeper() as small:
        order = kernel.biggest_first(LIVE)
        assert order.index(str(big.pid)) < order.index(str(small.pid))
        out = io.BytesIO()
        made = write_tar(out, most_bytes=200_000)
    (said,) = made.left_out
    assert said.endswith("processes, those with the least resident memory")
    assert made.processes < len(order)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        file = tar.extractfile(MARKER)
        assert file is not None
        told = json.load(file)
    assert told["left_out"] == [said]
    assert told["processes"] == made.processes
    assert made.bytes == len(out.getvalue())


def test_who_ended_meanwhile_is_not_in_it() -> None:
    with sleeper() as child:
        pid = child.pid
    assert kernel.read_process(LIVE, pid, arguments=True) == []
    assert f"proc/{pid}/stat" not in members(captured())
