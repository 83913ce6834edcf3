"""Kernels and their servers as `memtui ps` tells of them: without a token, dead, and hostile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Proc
from memtui.services import census
from memtui.services.actions import Actions
from memtui.services.kernels import HALT, INTERRUPT, RESTART, act, advice, meant, offers
from memtui.services.target import Target
from tests.support.jupyter import Jupyter, children_of, serving
from tests.support.procs import state_of, until
from tests.support.terminal import Terminal

SECRET = "a-token-that-nobody-is-told"


def told(pid: int) -> dict[str, Any]:
    """What `memtui ps --json` says of one process."""
    line = [sys.executable, "-m", "memtui", "ps", "--json", "--filter", f"pid={pid}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    processes = json.loads(done.stdout)["processes"]
    assert [p["pid"] for p in processes] == [pid]
    what: dict[str, Any] = processes[0]["what"]
    return what


def row(pid: int) -> Proc:
    """The row that a table would show, named."""
    return next(p for p in census.take(LIVE).procs if p.pid == pid)


@contextlib.contextmanager
def chosen(pid: int) -> Iterator[Any]:
    """A kernel as the dialog holds it."""
    proc = row(pid)
    with Target.open(proc) as target:
        assert proc.who is not None
        yield meant([target], {proc.identity: proc.who})


@pytest.fixture(scope="module")
def tokenless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A server without a token, as CoCalc starts it, and one notebook in a folder."""
    with serving(tmp_path_factory.mktemp("jupyter"), "") as server:
        yield server


def test_a_server_without_a_token_is_asked_and_obeys(tokenless: Jupyter) -> None:
    pid = tokenless.open("first.ipynb")
    what = told(pid)
    assert what["class"] == "jupyter-kernel"
    assert (what["path"], what["path_evidence"]) == (
        str(tokenless.root / "first.ipynb"),
        "its server",
    )
    assert (what["server"], what["orphaned"], what["connections"]) == (
        tokenless.process.pid, False, 0,
    )  # fmt: skip
    tokenless.rename("first.ipynb", "second.ipynb")
    assert told(pid)["path"] == str(tokenless.root / "second.ipynb")

    with chosen(pid) as kernels:
        assert [o.name for o in offers(kernels)] == [INTERRUPT, RESTART, HALT]
        refused = act(Actions(readonly=True), kernels, HALT)[1]
        assert [r.kind for r in refused] == ["readonly"]
        assert state_of(pid) in "SR"
        done, refused = act(Actions(), kernels, RESTART)
        assert (len(done), refused) == (1, [])
    kernel = tokenless.kernel_of("second.ipynb")
    until(lambda: tokenless.pid_of(kernel) not in (None, pid), 40)

    with chosen(pid := tokenless.pid_of(kernel) or 0) as kernels:
        assert len(act(Actions(), kernels, INTERRUPT)[0]) == 1
        done, refused = act(Actions(), kernels, HALT)
        assert (len(done), refused) == (1, [])
        assert not os.path.exists(f"/proc/{pid}")
        assert tokenless.ask("GET", "api/kernels") == []
        assert [r.kind for r in act(Actions(), kernels, HALT)[1]] == ["gone"]


def test_an_orphan_is_told_and_a_dead_server_s_port_is_never_asked(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, SECRET) as server:
        pid = server.open("left.ipynb")
        what = told(pid)
        assert (what["path_evidence"], what["orphaned"]) == ("its server", False)
        port = json.loads(server.file.read_text())["port"]
        os.kill(pid, signal.SIGSTOP)  # else it would see that its server has gone, and end
        try:
            server.process.kill()
            server.process.wait()
            assert server.file.exists()  # stale: a crash leaves it behind
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.bind(("127.0.0.1", port))
                other.listen()
                other.setblocking(False)
                what = told(pid)
                with pytest.raises(BlockingIOError):
                    other.accept()
            assert what["orphaned"] is True
            assert what["path"] == str(server.root / "left.ipynb")
            assert what["path_evidence"] == "its connection file"
            assert "has ended" in what["server_problem"]
            with chosen(pid) as kernels:
                assert [o.name for o in offers(kernels)] == [HALT]
                done, refused = act(Actions(), kernels, HALT)
                assert (len(done), refused) == (1, [])
                assert not os.path.exists(f"/proc/{pid}") or state_of(pid) == "Z"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


APART = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def test_a_kernel_in_a_container_is_not_called_an_orphan(tmp_path: Path) -> None:
    """JPY_PARENT_PID is a number of its namespace, and nobody's or another's in ours."""
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no PID namespace can be made here")
    wait = "print('ready', flush=True); import time; time.sleep(600)"
    line = [*APART, sys.executable, "-S", "-c", wait, "-f", str(tmp_path / "kernel-3.json")]
    env = os.environ | {"JPY_PARENT_PID": "4194303"}
    with subprocess.Popen(line, env=env, stdout=subprocess.PIPE) as outer:
        try:
            assert outer.stdout is not None
            assert outer.stdout.readline() == b"ready\n"
            (kernel,) = children_of(outer.pid)
            what = told(kernel)
            assert (what["class"], what["orphaned"]) == ("jupyter-kernel", None)
            assert "as in a container" in what["server_problem"]
        finally:
            outer.kill()


COCALC = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_kernel_of_cocalc_s_is_one_family_and_ends_by_its_group(tmp_path: Path) -> None:
    own = {"COCALC_JUPYTER_KERNELNAME": "python3", "COCALC_JUPYTER_FILENAME": "sub/a.ipynb"}
    line = [sys.executable, "-S", "-c", COCALC, "-m", "ipykernel", "-f"]
    kernel = subprocess.Popen(
        [*line, str(tmp_path / "kernel-2.json")],
        env=os.environ | own | {"HOME": "/home/user"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert kernel.stdout is not None
        child = int(kernel.stdout.readline())
        what = told(kernel.pid)
        assert (what["class"], what["language"]) == ("cocalc-kernel", "python")
        assert what["path"] == "/home/user/sub/a.ipynb"
        assert what["path_evidence"] == "COCALC_JUPYTER_FILENAME in its environment"
        below = told(child)
        assert (below["class"], below["kernel"]) == ("notebook-child", kernel.pid)
        assert below["notebook"] == "/home/user/sub/a.ipynb"
        with chosen(kernel.pid) as kernels:
            assert [o.name for o in offers(kernels)] == [HALT]
            assert len(act(Actions(), kernels, HALT)[0]) == 1
        assert kernel.wait(20) == -signal.SIGTERM
        until(lambda: not os.path.exists(f"/proc/{child}") or state_of(child) == "Z")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(kernel.pid, signal.SIGKILL)
        kernel.wait()
        assert kernel.stdout is not None
        kernel.stdout.close()


def test_a_shell_on_a_terminal_has_its_name() -> None:
    with Terminal(["/bin/bash", "--norc", "--noprofile"]) as term:
        name = os.readlink(f"/proc/{term.process.pid}/fd/0").removeprefix("/dev/")
        what = told(term.process.pid)
    assert (what["class"], what["label"]) == ("terminal", f"terminal {name}")


# -- servers that mean no good

HOSTILE = """
import json, os, socket, sys, time
folder, what = sys.argv[1:]
listening = socket.create_server(("127.0.0.1", 0))
told = {"pid": os.getpid(), "port": listening.getsockname()[1], "token": "t", "root_dir": "/"}
path = f"{folder}/jpserver-{os.getpid()}.json"
with open(path, "w") as file:
    json.dump(told, file)
print("ready", flush=True)
while True:
    link, _ = listening.accept()
    link.recv(65536)
    try:
        if what == "silent":
            time.sleep(3600)
        elif what == "slow":
            while True:
                link.sendall(b"x")
                time.sleep(0.2)
        elif what == "endless":
            while True:
                link.sendall(b"x" * 65536)
        elif what == "forbids":
            link.sendall(b"HTTP/1.1 403 Forbidden\\r\\n\\r\\n")
        else:
            link.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" + b"[" * 100000)
    except OSError:
        pass
    link.close()
"""


@contextlib.contextmanager
def hostile(folder: Path, what: str) -> Iterator[int]:
    """A kernel whose server behaves badly; yields the kernel's PID."""
    script = folder / "jupyter-server"
    script.write_text(HOSTILE)
    line = [sys.executable, "-S", str(script), str(folder), what]
    server = subprocess.Popen(line, stdout=subprocess.PIPE)
    kernel = None
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        env = {
            **os.environ,
            "JPY_PARENT_PID": str(server.pid),
            "JPY_SESSION_NAME": "/n/a\x1b[1m.ipynb",
        }
        wait = "print('ready', flush=True); import time; time.sleep(600)"
        file = str(folder / "kernel-1.json")
        kernel = subprocess.Popen(
            [sys.executable, "-S", "-c", wait, "-f", file], env=env, stdout=subprocess.PIPE
        )
        assert kernel.stdout is not None
        assert kernel.stdout.readline() == b"ready\n"
        yield kernel.pid
    finally:
        for process in filter(None, (kernel, server)):
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("silent", "does not answer within 2 s"),
        ("slow", "does not answer within 2 s"),
        ("endless", "does not answer on this machine"),
        ("forbids", "wants a password or token"),
        ("nested", "answers in no known way"),
    ],
)
def test_a_bad_server_costs_its_time_and_the_name_is_that_of_the_start(
    tmp_path: Path, what: str, problem: str
) -> None:
    with hostile(tmp_path, what) as pid:
        found = told(pid)
        assert found["path"] == "/n/a␛[1m.ipynb"
        assert found["path_evidence"] == "JPY_SESSION_NAME in its environment"
        assert problem in found["server_problem"]
        assert found["orphaned"] is False
        if what == "forbids":
            with chosen(pid) as kernels:
                assert offers(kernels) == []
                assert "cannot be halted from here" in advice(kernels)


def test_a_runtime_file_that_others_own_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    with hostile(tmp_path, "forbids") as pid:
        [file] = tmp_path.glob("jpserver-*.json")
        file.unlink()
        os.mkfifo(file)
        assert "no runtime file that may be read" in told(pid)["server_problem"]
        file.unlink()
        file.symlink_to(tmp_path / "elsewhere")
        assert "no runtime file that may be read" in told(pid)["server_problem"]
