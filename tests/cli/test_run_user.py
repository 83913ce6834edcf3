"""`memtui run` as the users of a cgroup v2 machine meet it, without naming a place for groups."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import worlds
from tests.support.cgroups import Group, place
from tests.support.limited import MEMTUI, environment, groups_of, hog, run_cli, start_cli, unshared

RUN = ("--limit", "64M")
SCOPE = ["systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes", "--"]


@pytest.mark.delegated
def test_a_group_is_made_beside_ours() -> None:
    process = start_cli(*RUN, "--method", "cgroup", "--", *hog())
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (137, b"")
    assert b"killed: it reached its limit of 64.0 MiB; peak 64.0 MiB" in err
    assert groups_of(process.pid) == []


@pytest.mark.delegated
def test_auto_is_the_cgroup() -> None:
    done = run_cli(*RUN, "--", "true")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"/memtui-run-" in done.stderr


@pytest.mark.systemd_user
def test_what_is_advised_in_a_login_session_works() -> None:
    refused = run_cli(*RUN, "--method", "cgroup", "--", "echo", "ran")
    assert (refused.returncode, refused.stdout) == (125, b"")
    assert "`--method systemd`" in refused.stderr.decode()
    done = run_cli(*RUN, "--method", "systemd", "--", *hog())
    assert (done.returncode, done.stdout) == (137, b"")
    assert b"killed: it reached its limit of 64.0 MiB" in done.stderr


@pytest.mark.systemd_user
def test_in_a_delegated_scope_a_group_is_made_by_hand() -> None:
    done = run_cli(*RUN, "--", *hog(), prefix=SCOPE)
    assert (done.returncode, done.stdout) == (137, b"")
    assert b"/memtui-run-" in done.stderr
    assert b".scope/payload" not in done.stderr
    assert b"killed: it reached its limit of 64.0 MiB" in done.stderr


@pytest.mark.unprivileged
@pytest.mark.parametrize("method", ["data", "as"])
def test_an_ordinary_user_may_always_have_an_rlimit(method: str) -> None:
    done = run_cli(*RUN, "--method", method, "--", *hog(0.03))
    assert done.returncode == 1
    assert "MemoryError" in done.stderr.decode()


def falls_back(prefix: Sequence[str] = (), **env: str) -> str:
    """Have `auto` fall back and `--method cgroup` refuse; return the reason that both give."""
    done = run_cli(*RUN, "--", "echo", "ran", prefix=prefix, env=env)
    assert (done.returncode, done.stdout) == (0, b"ran\n")
    line, _, given = done.stderr.decode().partition("; no cgroup: ")
    way = "payload" if not worlds.missing("systemd_user") else "watchdog"
    assert way in line
    refused = run_cli(*RUN, "--method", "cgroup", "--", "echo", "ran", prefix=prefix, env=env)
    assert (refused.returncode, refused.stdout) == (125, b"")
    reason = refused.stderr.decode().removeprefix("memtui: the command was not run: ").rstrip("\n")
    assert way == "payload" or given.startswith(reason)
    return reason


@pytest.mark.systemd_user
def test_a_group_that_can_be_made_and_not_entered_is_no_way() -> None:
    """The user manager's groups are ours, but root's group lies between them and our session."""
    user = os.getuid()
    base = Path(f"/sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service")
    assert os.access(base, os.W_OK)
    reason = falls_back(MEMTUI_CGROUP_BASE=str(base))
    assert f"{base}, but no process of ours can be moved into it" in reason
    assert "root can; or" in reason
    assert list(base.glob("memtui-*")) == []


@pytest.mark.namespaces
@pytest.mark.memory_v2
def test_a_place_outside_of_our_cgroup_namespace_is_no_way(memory_group: Group) -> None:
    reason = falls_back(unshared("--cgroup"), MEMTUI_CGROUP_BASE=str(memory_group.dir))
    assert "no process of ours can be moved into it" in reason
    assert "root can" not in reason, "we are"
    assert list(memory_group.dir.glob("memtui-*")) == []


@pytest.mark.namespaces
def test_a_read_only_mount_is_said_and_root_is_no_remedy(memory_group: Group) -> None:
    found = place()
    assert found is not None
    prefix = unshared("--mount", first=f"mount -o remount,bind,ro {found.top}")
    reason = falls_back(prefix)
    assert "is mounted read-only" in reason
    assert "mounted writable" in reason
    assert "root" not in reason


@pytest.mark.namespaces
def test_without_a_cgroup_file_system_there_is_an_rlimit(memory_group: Group) -> None:
    found = place()
    assert found is not None
    assert "no memory cgroup hierarchy" in falls_back(
        unshared("--mount", first=f"umount -l {found.top}")
    )


_ANEW = "umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"


@pytest.mark.namespaces
@pytest.mark.memory_v2
def test_in_a_container_of_ours_we_step_aside_and_back(memory_group: Group) -> None:
    """Its root group has processes, so it can have no limited children before they left it."""
    box = memory_group.child("box")
    own = unshared("--mount", "--cgroup", first=_ANEW)
    line = [*own, "sh", "-c", '"$@"; echo "$?"; cat /proc/self/cgroup', "sh"]
    run = [*MEMTUI, "run", *RUN, "--method", "cgroup"]
    with box.start([*line, *run, *hog()], stdout=-1, stderr=-1, env=environment()) as process:
        out, err = process.communicate(timeout=60)
    assert out.decode().split() == ["137", "0::/"], err.decode()
    assert "cgroup v2 /memtui-run-" in err.decode()
    assert [p.name for p in box.dir.iterdir() if p.is_dir()] == []
    assert box.read("cgroup.subtree_control").split() == []
