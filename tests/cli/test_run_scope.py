"""`memtui run` in a login session under systemd, where groups are systemd's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cgroups import MIB
from tests.support.limited import hog, run_cli, start_cli
from tests.support.programs import line

pytestmark = [pytest.mark.world, pytest.mark.systemd_user]
RUN = ("--limit", "64M", "--method", "systemd")


def scopes(pid: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"memtui-run-{pid}-*"))


def until_gone(pid: int) -> None:
    end = time.monotonic() + 30
    while scopes(pid):
        assert time.monotonic() < end, scopes(pid)
        time.sleep(0.02)
    units = ["systemctl", "--user", "list-units", "--all", "--no-legend", f"memtui-run-{pid}-*"]
    while subprocess.run(units, stdout=-1, check=True).stdout.strip():
        assert time.monotonic() < end, "systemd still has the scope"
        time.sleep(0.02)


def test_auto_takes_a_scope_and_its_limit_is_the_kernels() -> None:
    process = start_cli("--limit", "64M", "sh", "-c", "echo ready; read x; exit 5")
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    said = err.decode()
    assert f"/memtui-run-{process.pid}-0.scope/payload: memory.max 64.0 MiB, swap 0" in said
    assert "no cgroup" not in said, "a scope is as good"
    until_gone(process.pid)


def test_a_hog_is_killed_and_told() -> None:
    process = start_cli(*RUN, "--", *hog())
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (137, b"")
    assert "killed: it reached its limit of 64.0 MiB" in err.decode()
    assert "peak 64.0 MiB" in err.decode()
    until_gone(process.pid)


def test_options_and_environment_are_as_with_any_group() -> None:
    asked = (*RUN, "--high", "48M", "--swap", "8M", "--oom-group", "--adj", "300")
    code = "cat /proc/self/oom_score_adj; d=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); "
    code += "cat $d/memory.max $d/memory.high $d/memory.oom.group; env"
    done = run_cli(*asked, "sh", "-c", code, env={"ODD": "a b"})
    words = done.stdout.decode().splitlines()
    assert words[:4] == ["300", str(64 * MIB), str(48 * MIB), "1"], done.stderr.decode()
    assert "ODD=a b" in words
    ours = {*os.environ, "ODD", "PWD", "OLDPWD", "SHLVL", "_"}
    assert {w.partition("=")[0] for w in words[4:] if "=" in w} <= ours, "systemd adds nothing"


def test_a_daemon_is_ended_and_told() -> None:
    done = run_cli(*RUN, "--", *line("daemon", mib=1, status=4))
    assert done.returncode == 4
    assert "killed 1 process that was still running" in done.stderr.decode()


def test_nothing_stays_of_a_memtui_that_was_killed() -> None:
    process = start_cli(*RUN, "sh", "-c", "echo $$; exec sleep 60 >&- 2>&-")
    assert process.stdout
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=30)
    try:
        assert scopes(process.pid), "the command goes on, under its limit"
        os.kill(pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until_gone(process.pid)


def test_a_failed_start_leaves_no_scope() -> None:
    process = start_cli(*RUN, "memtui-no-such-command")
    process.communicate(timeout=60)
    assert process.returncode == 127
    until_gone(process.pid)


def test_without_a_manager_it_is_said_what_would_grant_one() -> None:
    done = run_cli(*RUN, "echo", "ran", env={"XDG_RUNTIME_DIR": "/nonexistent"})
    assert (done.returncode, done.stdout) == (125, b"")
    assert "/nonexistent/systemd/private is not there" in done.stderr.decode()


def test_units_of_a_user_show_it_while_it_runs() -> None:
    process = start_cli(*RUN, "sh", "-c", "echo ready; sleep 60")
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        line = ["systemctl", "--user", "is-active", f"memtui-run-{process.pid}-0.scope"]
        assert subprocess.run(line, capture_output=True).stdout == b"active\n"
    finally:
        process.terminate()
        process.communicate(timeout=60)
