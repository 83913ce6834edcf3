"""`memtui run` as the users of a cgroup v2 machine meet it, without naming a place for groups."""

from __future__ import annotations

import pytest

from tests.support.limited import groups_of, hog, run_cli, start_cli

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
    assert b"by cgroup v2 memtui-run-" in done.stderr


@pytest.mark.systemd_user
def test_what_is_advised_in_a_login_session_works() -> None:
    refused = run_cli(*RUN, "--method", "cgroup", "--", "echo", "ran")
    assert (refused.returncode, refused.stdout) == (125, b"")
    advised = " ".join(SCOPE[:2])
    assert advised in refused.stderr.decode()
    done = run_cli(*RUN, "--method", "cgroup", "--", *hog(), prefix=SCOPE)
    assert (done.returncode, done.stdout) == (137, b"")
    assert b"by cgroup v2 memtui-run-" in done.stderr
    assert b"killed: it reached its limit of 64.0 MiB" in done.stderr


@pytest.mark.systemd_user
def test_a_login_session_falls_back_and_is_told_why() -> None:
    done = run_cli(*RUN, "-v", "--", "true")
    assert done.returncode == 0
    line = done.stderr.decode().splitlines()[0]
    assert "by RLIMIT_DATA (read back); no cgroup: " in line


@pytest.mark.unprivileged
@pytest.mark.parametrize("method", ["data", "as"])
def test_an_ordinary_user_may_always_have_an_rlimit(method: str) -> None:
    done = run_cli(*RUN, "--method", method, "--", *hog())
    assert done.returncode == 1
    assert "MemoryError" in done.stderr.decode()
