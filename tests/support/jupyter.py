"""A real Jupyter server with kernels, in directories of its own, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.procs import until

_BLANK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
_PATIENCE_S = 60.0


class Jupyter:
    """One server. Kernels are started through its API, as a browser does."""

    def __init__(self, folder: Path, token: str = "a-secret-token", *more: str) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.runtime = folder / "runtime"
        self.token = token
        for path in (self.root, self.runtime, folder / "home"):
            path.mkdir(parents=True, exist_ok=True)
        self._more = more
        self.process = self._start()

    @property
    def env(self) -> dict[str, str]:
        """The environment: nothing of the user's own Jupyter is touched."""
        f = self.folder
        own = {
            "HOME": str(f / "home"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTER_CONFIG_DIR": str(f / "config"),
            "JUPYTER_DATA_DIR": str(f / "data"),
            "IPYTHONDIR": str(f / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        return {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))} | own

    def _start(self) -> subprocess.Popen[bytes]:
        line = [
            sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", "--port=0",
            f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={self.token}",
            "--PasswordIdentityProvider.password_required=False", "--allow-root", *self._more,
        ]  # fmt: skip
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen(line, env=self.env, stdout=log, stderr=log)
        self.process = process
        until(lambda: self._answers() or process.poll() is not None, _PATIENCE_S)
        assert process.poll() is None, (self.folder / "log").read_text()
        return process

    @property
    def file(self) -> Path:
        """The runtime file."""
        return self.runtime / f"jpserver-{self.process.pid}.json"

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            self.ask("GET", "api/status")
            return True
        return False

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the server, with its token or, where it has none, past its XSRF check."""
        told = json.loads(self.file.read_text())
        heads = {"Cookie": "_xsrf=abcd", "X-XSRFToken": "abcd"}
        if self.token:
            heads = {"Authorization": f"token {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{told['port']}/{path}"
        with urlopen(Request(url, data, heads, method=method), timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def open(self, name: str) -> int:
        """Open a notebook; return the PID of its kernel once that runs Python."""
        (self.root / name).write_text(json.dumps(_BLANK))
        body = {
            "path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"},
        }  # fmt: skip
        kernel = self.ask("POST", "api/sessions", body)["kernel"]["id"]
        until(lambda: self.pid_of(kernel) is not None, _PATIENCE_S)
        return self.pid_of(kernel) or 0

    def pid_of(self, kernel: str) -> int | None:
        """Return the PID of a kernel by its ID, while it lives."""
        wanted = f"kernel-{kernel}.json"
        for child in children_of(self.process.pid):
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{child}/cmdline").read_text():
                    return child
        return None

    def kernel_of(self, name: str) -> str:
        """Return the ID of a notebook's kernel."""
        sessions = self.ask("GET", "api/sessions")
        return next(str(s["kernel"]["id"]) for s in sessions if s["path"] == name)

    def rename(self, old: str, new: str) -> None:
        """Rename a notebook, as the browser does: the file, then its session."""
        sessions = self.ask("GET", "api/sessions")
        session = next(s["id"] for s in sessions if s["path"] == old)
        self.ask("PATCH", f"api/contents/{old}", {"path": new})
        self.ask("PATCH", f"api/sessions/{session}", {"path": new, "name": new})

    def close(self) -> None:
        """End the server and every kernel of its."""
        kernels = children_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        for pid in kernels:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    with contextlib.suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def serving(folder: Path, token: str = "a-secret-token", *more: str) -> Iterator[Jupyter]:
    """A Jupyter server; it and its kernels are gone when this ends."""
    server = Jupyter(folder, token, *more)
    try:
        yield server
    finally:
        server.close()


def settle(seconds: float) -> None:
    """Let so many seconds pass: for what has to stay as it is."""
    time.sleep(seconds)
