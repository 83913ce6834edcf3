"""Running `memtui run` as a user does: a process, its exit status, its stdout and stderr."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.cgroups import Group, place
from tests.support.programs import line

MEMTUI = [sys.executable, "-m", "memtui"]
NOBODY = 65534


def hog(pause: float = 0.0) -> list[str]:
    """A command that wants 200 MiB, and says `done` where it has them.

    With a pause (seconds) for each MiB, who looks now and then sees it near its limit.
    """
    return line("hog", mib=200, tell=0, pause=pause)


def environment(base: Group | None = None) -> dict[str, str]:
    """Our environment; groups are made in `base`, where one is given."""
    env = {k: v for k, v in os.environ.items() if k != "MEMTUI_CGROUP_BASE"}
    return env if base is None else {**env, "MEMTUI_CGROUP_BASE": str(base.dir)}


def run_cli(
    *args: str,
    base: Group | None = None,
    stdin: bytes = b"",
    prefix: Sequence[str] = (),
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `memtui run ARGS` to its end."""
    return subprocess.run(
        [*prefix, *MEMTUI, "run", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**environment(base), **(env or {})},
    )


def start_cli(*args: str, base: Group | None = None) -> subprocess.Popen[bytes]:
    """Start `memtui run ARGS` and go on."""
    return subprocess.Popen(
        [*MEMTUI, "run", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(base),
    )


def groups_of(pid: int) -> list[str]:
    """The run groups that process `pid` made and left, anywhere in the hierarchy."""
    found = place()
    return [str(p) for p in found.top.rglob(f"memtui-run-{pid}-*")] if found else []


def as_nobody() -> list[str]:
    """A prefix that runs a command as an unprivileged user who may read what root can.

    The right to read is kept because the interpreter may lie in root's home.
    """
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv, to run as another user")
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    caps = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", *ids, *caps, "--"]


def unshared(*flags: str, first: str = ":") -> list[str]:
    """A prefix that runs a command in new namespaces (`flags` of unshare), after the words `first`.

    For tests that need `namespaces`.
    """
    return ["unshare", *flags, "sh", "-c", f'{first} && exec "$@"', "sh"]
