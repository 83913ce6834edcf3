"""`memtui run` in a terminal: what the user types, and what comes out."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import worlds
from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI, as_nobody, environment, groups_of, hog, run_cli, start_cli
from tests.support.waiting import readable

pytestmark = pytest.mark.world
RUN = ("--limit", "64M")
METHODS = ["cgroup", "watch", "data", "as"]


def text(raw: bytes) -> str:
    return raw.decode()


@pytest.fixture
def base(method: str, request: pytest.FixtureRequest) -> Group | None:
    """Where the test's `method` makes its groups; rlimits need none, nor root."""
    return request.getfixturevalue("memory_group") if method == "cgroup" else None


def left_in(group: Group) -> list[str]:
    return [p.name for p in group.dir.iterdir() if p.is_dir()]


def test_true_exits_0_and_leaves_no_cgroup(memory_group: Group) -> None:
    process = start_cli("--limit", "1G", "--", "true")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"")
    name = f"memtui-run-{process.pid}-0"
    said = err.decode()
    assert said.startswith(f"memtui: limit: cgroup v{memory_group.version} /")
    assert f"/{name}" in said
    assert " 1.00 GiB, swap 0" in said
    assert err.count(b"\n") == 1
    assert groups_of(process.pid) == []


def test_hog_in_a_cgroup_is_killed_and_told(memory_group: Group) -> None:
    done = run_cli(*RUN, "--method", "cgroup", "--", *hog(), base=memory_group)
    assert done.returncode == 137
    assert b"done" not in done.stdout
    assert "killed: it reached its limit of 64.0 MiB; peak 64.0 MiB" in text(done.stderr)
    assert left_in(memory_group) == []


@pytest.mark.parametrize(("method", "name"), [("data", "RLIMIT_DATA"), ("as", "RLIMIT_AS")])
def test_hog_under_an_rlimit_gets_memory_error_and_it_is_said(method: str, name: str) -> None:
    done = run_cli(*RUN, "--method", method, "--", *hog(0.03))
    err = text(done.stderr)
    assert done.returncode == 1
    assert "MemoryError" in err
    assert f"limit: {name} 64.0 MiB: " in err.splitlines()[0]
    assert "probably failed for memory: it was near its limit of 64.0 MiB" in err


def test_a_limit_on_memtui_that_the_command_escapes_is_told(memory_group: Group) -> None:
    inner = memory_group.child("limited", 80 * MIB)
    line = [*MEMTUI, "run", *RUN, "--method", "cgroup", "--", "true"]
    outside = f"; outside the 80.0 MiB limit of {inner.cgroup}\n"
    for base, told in ((memory_group, True), (inner, False)):
        if base.version == 2 and not told:
            continue  # memtui itself is in that group: none can be made in it
        env = environment(base)
        with inner.start(line, stderr=subprocess.PIPE, env=env) as process:
            _, err = process.communicate(timeout=30)
        assert process.returncode == 0
        assert err.decode().endswith(outside) == told


@pytest.mark.parametrize(
    ("method", "counted"), [("data", "private memory"), ("as", "address space")]
)
def test_one_big_refused_allocation_is_not_passed_over(method: str, counted: str) -> None:
    code = "import sys\ntry: b'x' * (1 << 30)\nexcept MemoryError: sys.exit(1)"
    done = run_cli(*RUN, "-q", "--method", method, "--", sys.executable, "-S", "-c", code)
    assert done.returncode == 1
    (line,) = text(done.stderr).splitlines()
    assert line.startswith("memtui: exited with status 1; ")
    start = r"(, [\d.]+ [KM]iB from its start on)?"  # where it lived to be looked at
    assert re.search(f"64.0 MiB {counted}{start}: an allocation may have been refused$", line)


def test_killed_child_is_told_apart_from_a_killed_command(memory_group: Group) -> None:
    done = run_cli(*RUN, "--", "sh", "-c", '"$@"; exit 3', "sh", *hog(), base=memory_group)
    assert done.returncode == 3
    who = r"(a process of it|python\S* \(\d+, [\d.]+ MiB\))"  # the kernel log tells, if it may
    assert re.search(f"{who} was killed at the limit of 64.0 MiB", text(done.stderr))
    assert "the command exited with status 3" in text(done.stderr)


def test_sigkill_from_elsewhere_is_not_called_a_memory_kill(memory_group: Group) -> None:
    done = run_cli(*RUN, "--", "sh", "-c", "kill -9 $$", base=memory_group)
    assert done.returncode == 137
    assert "SIGKILL from outside, not by its memory limit" in text(done.stderr)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("code", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -15 $$", 143), ("exit 127", 127), ("kill -INT $$", 130)],
)
def test_exit_status_is_the_commands(
    base: Group | None, method: str, code: str, status: int
) -> None:
    done = run_cli(*RUN, "--method", method, "sh", "-c", code, base=base)
    assert done.returncode == status
    told = method in ("data", "as") and code.startswith("exit") and status != 0
    assert text(done.stderr).count("\n") == 1 + told, "an rlimit leaves no trace, a group does"


def test_command_not_found_is_127(tmp_path: Path) -> None:
    for name in ("memtui-no-such-command", str(tmp_path / "absent"), ""):
        done = run_cli(*RUN, "--method", "data", "--", name)
        assert done.returncode == 127
        assert text(done.stderr).count("\n") == 1
    assert "no-such-command" not in text(done.stderr)


def test_not_executable_is_126(tmp_path: Path) -> None:
    plain = tmp_path / "plain\x1b[31m"
    plain.write_text("echo hi\n")
    done = run_cli(*RUN, "--method", "data", str(plain))
    assert done.returncode == 126
    assert "is not executable" in text(done.stderr)
    assert b"\x1b" not in done.stderr
    assert run_cli(*RUN, "--method", "data", str(tmp_path)).returncode == 126


def test_missing_interpreter_and_script_without_one(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    done = run_cli(*RUN, "--method", "data", str(script))
    assert done.returncode == 127
    assert "interpreter does not exist" in text(done.stderr)
    script.write_text('echo "$1"; exit 5\n')
    done = run_cli(*RUN, "--method", "data", str(script), "as a shell does")
    assert (done.returncode, done.stdout) == (5, b"as a shell does\n")


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["true"], "run needs a limit: --limit 500M"),
        (["--limit", "64M"], "run needs a command"),
        (["--limit", "64M", "--"], "run needs a command"),
        (["--limit", "0", "true"], "a limit of 0 leaves nothing"),
        (["--limit", "64Q", "true"], "'64Q' is not a size"),
        (["--limit=-5M", "true"], "is not a size"),
        (["--limit", "100k", "true"], "no program starts in less than 1M"),
        (["--limit", "9000000T", "true"], "more than any machine has"),
        (["--limit", "0%", "true"], "leaves nothing"),
        (["--limit", "101%", "true"], "more than the whole quota"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(args: list[str], part: str) -> None:
    done = run_cli(*args)
    assert done.returncode == 2
    assert part in text(done.stderr)
    assert (done.stderr.count(b"\n"), done.stdout) == (1, b"")


def test_who_reserves_address_space_is_warned_of(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 0\n")
    java.chmod(0o755)
    for method, warned in (("as", True), ("data", False)):
        done = run_cli("--limit", "1G", "--method", method, str(java))
        assert done.returncode == 0
        assert ("java reserves address space" in text(done.stderr)) == warned


def test_unknown_method_is_wrong_use() -> None:
    done = run_cli(*RUN, "--method", "magic", "true")
    assert done.returncode == 2
    assert b"invalid choice: 'magic'" in done.stderr


@pytest.mark.parametrize("dashes", [[], ["--"]])
def test_options_after_the_command_are_its_own(dashes: list[str]) -> None:
    code = "import sys; print(sys.argv[1:])"
    args = ["-v", "--limit", "1G", "--foo", "--"]
    done = run_cli(*RUN, "--method", "data", *dashes, sys.executable, "-c", code, *args)
    assert text(done.stdout).strip() == str(args)
    assert b"Exit status" not in done.stderr


def test_percent_is_of_the_quota() -> None:
    done = run_cli("--limit", "50%", "--method", "data", "true")
    assert done.returncode == 0
    assert b"memtui: limit: " in done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_streams_and_environment_pass_unaltered(base: Group | None, method: str) -> None:
    data = bytes(range(256)) * 4096
    done = run_cli(*RUN, "-q", "--method", method, "cat", base=base, stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")
    odd = {"BASH_FUNC_f%%": "() { :; }", "PWD": "/odd"}
    done = run_cli(*RUN, "-q", "--method", method, "env", base=base, env=odd)
    assert b"BASH_FUNC_f%%=() { :; }\n" in done.stdout
    assert b"PWD=/odd\n" in done.stdout


def test_inherited_descriptors_reach_the_command(tmp_path: Path) -> None:
    import subprocess

    line = [*MEMTUI, "run", *RUN, "-q", "--method", "data", "sh", "-c", "echo x >&3; echo y >&4"]
    shell = ["sh", "-c", 'exec "$@" 3>"$OUT" 4>>"$OUT"', "sh", *line]
    subprocess.run(shell, env={**os.environ, "OUT": str(tmp_path / "o")}, timeout=30, check=True)
    assert (tmp_path / "o").read_text() == "x\ny\n"


@pytest.mark.parametrize(
    "sig",
    [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGPWR, signal.SIGVTALRM],
)
def test_signals_sent_to_memtui_reach_the_command_once(
    memory_group: Group, sig: signal.Signals
) -> None:
    code = f"n=0; trap 'n=$((n+1))' {sig.name[3:]}; echo ready; "
    code += "i=0; while [ $i -lt 20 ]; do sleep 0.02; i=$((i+1)); done; exit $((40 + n))"
    process = start_cli(*RUN, "sh", "-c", code, base=memory_group)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(sig)
    process.communicate(timeout=30)
    assert process.returncode == 41
    assert left_in(memory_group) == []


def test_signals_that_were_blocked_stay_so_for_the_command() -> None:
    """Also real-time ones, which have no name."""
    number = signal.SIGRTMIN + 5
    code = f"import signal; print({number} in map(int, signal.pthread_sigmask(0, [])))"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        done = run_cli(*RUN, "-q", "--method", "data", sys.executable, "-S", "-c", code)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_sigterm_ends_the_command_and_removes_the_group(memory_group: Group) -> None:
    process = start_cli(*RUN, "sh", "-c", "echo ready; exec sleep 60", base=memory_group)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    assert len(left_in(memory_group)) == 1
    process.terminate()
    process.communicate(timeout=30)
    assert (process.returncode, left_in(memory_group)) == (143, [])


def test_daemon_is_ended_and_told(memory_group: Group, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    daemon = f"trap '' TERM HUP; echo $$ >{pid_file}; exec sleep 60"
    code = f'(setsid sh -c "{daemon.replace("$$", chr(92) + "$$")}" </dev/null >&0 2>&0 &); '
    code += f"while ! [ -s {pid_file} ]; do sleep 0.01; done; exit 4"
    done = run_cli(*RUN, "sh", "-c", code, base=memory_group)
    assert done.returncode == 4
    assert "killed 1 process that was still running when the command ended" in text(done.stderr)
    assert left_in(memory_group) == []
    stat = Path(f"/proc/{int(pid_file.read_text())}/stat")
    assert not stat.exists() or ") Z " in stat.read_text()


def test_what_ends_by_itself_in_a_moment_is_not_killed(memory_group: Group, tmp_path: Path) -> None:
    late = tmp_path / "late"
    code = f"(sleep 0.05; echo done >{late}) & exit 0"
    done = run_cli(*RUN, "sh", "-c", code, base=memory_group)
    assert b"still running" not in done.stderr
    assert late.read_text() == "done\n"


def test_group_made_by_the_command_goes_too(memory_group: Group) -> None:
    code = f"for d in {memory_group.dir}/memtui-run-*; do mkdir $d/sub; done"
    done = run_cli(*RUN, "sh", "-c", code, base=memory_group)
    assert (done.returncode, left_in(memory_group)) == (0, [])


def test_unprivileged_user_falls_back_and_is_told_why() -> None:
    if not worlds.missing("delegated") or not worlds.missing("systemd_user"):
        pytest.skip("a user with a delegated subtree or a user manager need not fall back")
    done = run_cli(*RUN, "-v", "--", "true", prefix=as_nobody())
    assert done.returncode == 0, text(done.stderr)
    line = text(done.stderr).splitlines()[0]
    assert "limit: watchdog: 64.0 MiB of all processes together" in line
    assert "; no cgroup: " in line
    done = run_cli(*RUN, "--method", "cgroup", "--", "echo", "ran", prefix=as_nobody())
    assert (done.returncode, done.stdout) == (125, b"")
    assert text(done.stderr).startswith("memtui: the command was not run: ")


def test_unusable_base_is_told(tmp_path: Path) -> None:
    env = {"MEMTUI_CGROUP_BASE": str(tmp_path / "absent")}
    done = run_cli(*RUN, "--method", "cgroup", "true", env=env)
    assert done.returncode == 125
    assert str(tmp_path / "absent") in text(done.stderr)


@pytest.mark.parametrize(("method", "status"), [("cgroup", 125), ("auto", 0)])
def test_a_path_in_a_reason_colours_no_terminal(method: str, status: int, tmp_path: Path) -> None:
    env = {"MEMTUI_CGROUP_BASE": str(tmp_path / "\x1b[31mred")}
    done = run_cli(*RUN, "-v", "--method", method, "true", env=env)
    assert (done.returncode, b"\x1b" in done.stderr) == (status, False), done.stderr


def test_smaller_hard_limit_is_not_overclaimed() -> None:
    prefix = ["sh", "-c", 'ulimit -d 524288 && exec "$@"', "sh"]
    done = run_cli("--limit", "1G", "--method", "data", "echo", "ran", prefix=prefix)
    assert (done.returncode, done.stdout) == (125, b"")
    assert "RLIMIT_DATA is already limited to 512 MiB here" in text(done.stderr)


# in a terminal


def read_until(fd: int, mark: bytes, seconds: float = 20) -> bytes:
    data, end = b"", time.monotonic() + seconds
    while mark not in data and time.monotonic() < end:
        if readable(fd, 0.1):
            try:
                data += os.read(fd, 4096)
            except OSError:
                break
    assert mark in data, data
    return data


def in_terminal(argv: list[str]) -> tuple[int, int]:
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    return pid, fd


def test_ctrl_c_reaches_the_command_once() -> None:
    code = (
        "import signal, time\nn = []\n"
        "signal.signal(signal.SIGINT, lambda *a: n.append(1))\n"
        "print('ready', flush=True)\n"
        "while not n: time.sleep(0.01)\n"
        "time.sleep(0.3); print('count', len(n), flush=True)"
    )
    pid, fd = in_terminal([*MEMTUI, "run", *RUN, "--method", "data", sys.executable, "-c", code])
    try:
        read_until(fd, b"ready")
        os.write(fd, b"\x03")
        read_until(fd, b"count 1\r\n")
    finally:
        os.waitpid(pid, 0)
        os.close(fd)


def test_ctrl_z_stops_the_job_and_fg_continues_it() -> None:
    if not shutil.which("bash"):
        pytest.skip("needs bash, for job control")
    pid, fd = in_terminal(["bash", "--norc", "--noprofile", "-i"])
    try:
        line = " ".join([*MEMTUI, "run", *RUN, "--method", "data", "--", "cat"])
        os.write(fd, f"PS1='$ '; {line}\n".encode())
        read_until(fd, b"by itself")
        os.write(fd, b"hello\n")
        read_until(fd, b"hello\r\nhello")
        os.write(fd, b"\x1a")
        read_until(fd, b"Stopped")
        os.write(fd, b"fg\n")
        read_until(fd, b"-- cat")
        os.write(fd, b"again\n")
        read_until(fd, b"again\r\nagain")
        os.write(fd, b"\x03")
        read_until(fd, b"$ ")
        os.write(fd, b"echo status=$?\n")
        read_until(fd, b"status=130")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
