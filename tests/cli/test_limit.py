"""`memtui limit`: processes that run already, limited as a person would do it."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import worlds
from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI, as_nobody, environment

pytestmark = pytest.mark.world

# takes MIB by MIB, one for each line it reads, and says what it got
TAKER = """
import sys
held = []
print("ready", flush=True)
for line in sys.stdin:
    try:
        held.append(bytearray(b"x") * (int(line) << 20))
        print("got", flush=True)
    except MemoryError:
        print("refused", flush=True)
"""


@contextlib.contextmanager
def taker(group: Group | None = None) -> Iterator[subprocess.Popen[str]]:
    line = [sys.executable, "-S", "-c", TAKER]
    if group is not None:
        enter = 'echo 0 >"$1" || exit 125; shift; exec "$@"'
        line = ["/bin/sh", "-c", enter, "sh", f"{group.dir}/cgroup.procs", *line]
    with subprocess.Popen(line, stdin=-1, stdout=-1, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], mib: int) -> str:
    """Have it take `mib` MiB; return what it says, "" where it was killed."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{mib}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def limit(
    *args: object, base: Group | None = None, prefix: tuple[str, ...] = ()
) -> tuple[int, str]:
    line = [*prefix, *MEMTUI, "limit", *map(str, args)]
    done = subprocess.run(line, capture_output=True, timeout=60, env=environment(base))
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_data_is_refused_from_now_on_and_given_back() -> None:
    with taker() as process:
        assert ask(process, 1) == "got"
        code, said = limit(process.pid, "100M")
        assert code == 0, said
        assert f"python3 {process.pid}" in said or str(process.pid) in said
        assert "not covered: shared memory" in said.splitlines()[2]
        assert f"RLIMIT_DATA is 100 MiB now; `memtui limit {process.pid} none`" in said
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_DATA)
        assert (soft, hard) == (100 * MIB, resource.getrlimit(resource.RLIMIT_DATA)[1])
        assert ask(process, 200) == "refused"
        assert ask(process, 4) == "got"
        code, said = limit(process.pid, "none")
        assert (code, said.count("again")) == (0, 1)
        assert ask(process, 128) == "got"


def test_a_limit_below_what_it_has_is_said_to_end_all_growth() -> None:
    with taker() as process:
        assert ask(process, 32) == "got"
        code, said = limit(process.pid, "8M")
        assert (code, ": any growth fails" in said) == (0, True)
        assert ask(process, 16) == "refused"


def test_the_tree_is_limited_when_asked() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=-1) as shell:
        assert shell.stdout
        child = int(shell.stdout.readline())
        try:
            assert limit(shell.pid, "64M")[0] == 0
            assert resource.prlimit(child, resource.RLIMIT_DATA)[0] != 64 * MIB
            code, said = limit(shell.pid, "64M", "--tree")
            assert (code, "of 2 processes" in said) == (0, True)
            assert resource.prlimit(child, resource.RLIMIT_DATA)[0] == 64 * MIB
        finally:
            os.kill(child, 9)
            shell.kill()


def test_in_a_group_it_is_killed_at_its_limit(memory_group: Group) -> None:
    place = memory_group if memory_group.version == 1 else memory_group.child("here")
    base = memory_group if memory_group.version == 1 else None
    with taker(place) as process:
        code, said = limit(process.pid, "32M", "--method", "cgroup", base=base)
        assert code == 0, said
        assert "what they have stays charged where it is" in said
        assert f"32.0 MiB by cgroup v{memory_group.version} memtui-limit-{process.pid}-" in said
        (made,) = (Group(p) for p in memory_group.dir.glob("memtui-limit-*"))
        assert made.read("cgroup.procs").split() == [str(process.pid)]
        assert int(made.limit_file.read_text()) == 32 * MIB
        code, said = limit(process.pid, "48M", "--method", "cgroup", base=base)
        assert (code, int(made.limit_file.read_text())) == (0, 48 * MIB)
        code, said = limit(process.pid, "none", "--method", "cgroup", base=base)
        assert (code, "no limit any more" in said) == (0, True)
        assert ask(process, 60) == "got"
        assert limit(process.pid, "96M", "--method", "cgroup", base=base)[0] == 0
        assert ask(process, 200) == ""
        assert process.wait(30) == -9


def test_a_childs_limit_is_not_its_parents_and_the_tree_is_all_of_it(memory_group: Group) -> None:
    place = memory_group if memory_group.version == 1 else memory_group.child("here")
    base = memory_group if memory_group.version == 1 else None
    enter = 'echo 0 >"$1"; true & sleep 60 & echo $!; exec sleep 60'
    line = ["sh", "-c", enter, "sh", f"{place.dir}/cgroup.procs"]
    by = ("--method", "cgroup")
    with subprocess.Popen(line, stdout=-1) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            assert limit(parent.pid, "64M", *by, base=base)[0] == 0
            (made,) = (Group(p) for p in memory_group.dir.glob("memtui-limit-*"))
            assert made.read("cgroup.procs").split() == [str(parent.pid)]
            assert limit(parent.pid, "64M", *by, "--tree", base=base)[0] == 0
            assert set(made.read("cgroup.procs").split()) == {str(parent.pid), str(child)}
            code, said = limit(child, "none", *by, base=base)
            assert (code, "no group that memtui limit made for it" in said) == (1, True)
            assert limit(child, "32M", *by, base=base)[0] == 0
            assert int(made.limit_file.read_text()) == 64 * MIB
            assert made.read("cgroup.procs").split() == [str(parent.pid)]
        finally:
            os.kill(child, 9)
            parent.kill()


@pytest.mark.systemd_user
def test_in_a_login_session_systemd_moves_it() -> None:
    with taker() as process:
        code, said = limit(process.pid, "48M", "--method", "cgroup")
        assert code == 0, said
        path = Path(f"/proc/{process.pid}/cgroup").read_text().split("::")[1].strip()
        assert path.endswith(".scope")
        assert "/memtui-limit-" in path
        assert int(Path(f"/sys/fs/cgroup{path}/memory.max").read_text()) == 48 * MIB
        assert ask(process, 200) == ""
        assert process.wait(30) == -9
    end = time.monotonic() + 30
    while Path(f"/sys/fs/cgroup{path}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_dry_run_does_nothing() -> None:
    with taker() as process:
        before = resource.prlimit(process.pid, resource.RLIMIT_DATA)
        code, said = limit(process.pid, "64M", "--dry-run")
        assert (code, said.count("\n")) == (0, 3)
        assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == before


def test_another_users_process_is_left_alone() -> None:
    if not worlds.missing("unprivileged"):
        pid, prefix = 1, tuple[str, ...]()
    else:
        pid, prefix = os.getpid(), tuple(as_nobody())
    code, said = limit(pid, "64M", prefix=prefix)
    assert code == 1
    assert "only its own user may limit it" in said


@pytest.mark.parametrize(
    ("args", "code", "part"),
    [
        (["x", "64M"], 2, "'x' is not a PID"),
        (["0", "64M"], 2, "'0' is not a PID"),
        (["1", "64Q"], 2, "'64Q' is not a size"),
        (["1", "1k"], 2, "no program starts in less than 1M"),
        (["4194305", "64M"], 1, "PID 4194305 is already gone"),
    ],
)
def test_wrong_use_is_one_sentence(args: list[str], code: int, part: str) -> None:
    got, said = limit(*args)
    assert (got, said.count("\n")) == (code, 1)
    assert part in said
