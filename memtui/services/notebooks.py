"""What is found out about kernels beside /proc's list: names, servers, what they say.

Read on a thread of its own: an environment may wait for the lock of a busy address space, a file
may lie on a dead server, and a Jupyter server takes its time. Without kernels there is no thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from memtui.kernel import namespaces, procmore
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model.known import Identity
from memtui.model.notebooks import (
    Connection,
    Environment,
    Server,
    Session,
    Told,
    kernel_id,
    parse_connection,
    parse_environment,
    parse_kernels,
    parse_sessions,
)
from memtui.services import jupyter
from memtui.text import show

_PAUSE_S = 5.0  # between two questions to a server
_SOON_S = 1.0  # after a kernel is new: its session is made a moment later
_QUIET = "?no_track_activity=1"  # else asking would keep a server alive that ends when unused

_ELSEWHERE = "it runs apart, as in a container: which process its server is cannot be told here"


class Asked(NamedTuple):
    """A kernel that something is to be found out about."""

    identity: Identity
    ppid: int
    uid: int | None
    file: str  # its connection file


class _Own(NamedTuple):
    """What a kernel was started with: read once."""

    connection: Connection
    env: Environment
    readable: bool


class Finder:
    """Finds out, on whichever thread calls it; remembers what does not change."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._own: dict[Identity, _Own] = {}

    def look(self, asked: Sequence[Asked]) -> dict[Identity, Told]:
        """Return what is known of each now. Raises nothing."""
        self._own = {a.identity: self._own.get(a.identity) or self._read(a) for a in asked}
        servers: dict[tuple[str, int], dict[str, Session] | str] = {}
        return {a.identity: self._told(a, servers) for a in asked}

    def _read(self, asked: Asked) -> _Own:
        pid, data, lines = asked.identity[0], None, None
        if namespaces.is_shared(self._roots, pid, "mnt"):
            data = jupyter.read_private(asked.file, asked.uid)
        try:
            lines = procmore.read_environment(self._roots, pid)
        except KernelError:
            lines = None
        return _Own(parse_connection(data), parse_environment(lines or ()), lines is not None)

    def _told(self, asked: Asked, servers: dict[tuple[str, int], dict[str, Session] | str]) -> Told:
        own = self._own[asked.identity]
        told = Told(own.connection, own.env, self._cwd(asked.identity[0]))
        if own.env.cocalc:
            return told  # CoCalc itself serves it, and has nothing to be asked
        apart = namespaces.is_shared(self._roots, asked.identity[0], "pid") is False
        if own.env.server is not None and apart:  # here that number is somebody else's
            own = own._replace(env=own.env._replace(server=None))
            if not jupyter.looks_like_server(asked.ppid, self._roots):
                return told._replace(problem=_ELSEWHERE)
        pid = own.env.server or asked.ppid
        if not jupyter.lives(pid, asked.identity[1], self._roots):
            return self._without(told, own, pid)
        key = os.path.dirname(asked.file), pid
        if key not in servers:
            servers[key] = self._ask(*key)
        answer = servers[key]
        if isinstance(answer, str):
            if not jupyter.looks_like_server(pid, self._roots):
                return self._without(told, own, 0)
            return told._replace(server=pid, orphaned=False, problem=answer)
        told = told._replace(server=pid, orphaned=False)
        session = answer.get(kernel_id(asked.file))
        if session is None:
            return told._replace(problem=f"its server (PID {pid}) does not know it")
        return told._replace(session=session)

    @staticmethod
    def _without(told: Told, own: _Own, pid: int) -> Told:
        """Without a server; `pid` is that of one that has ended, else 0."""
        if own.env.server is not None and pid:
            return told._replace(orphaned=True, problem=f"its server (PID {pid}) has ended")
        if not own.readable:
            why = "its environment is not for this user to read, which would tell of its server"
            return told._replace(problem=why)
        return told._replace(problem="no Jupyter server started it")

    def _cwd(self, pid: int) -> str | None:
        try:
            return show(procmore.read_link(self._roots, pid, "cwd"))
        except KernelError:
            return None

    def _ask(self, folder: str, pid: int) -> dict[str, Session] | str:
        """What a server tells of its kernels, or why it does not."""
        server = jupyter.find_server(folder, pid, self._roots)
        if isinstance(server, str):
            return server
        return sessions_of(server)


def sessions_of(server: Server) -> dict[str, Session] | str:
    """Return what a server tells of its kernels, or in words why it does not."""
    answer = jupyter.request(server, "GET", f"api/sessions{_QUIET}")
    if not answer.done:
        return answer.problem
    sessions = parse_sessions(answer.body, server.folder)
    kernels = jupyter.request(server, "GET", f"api/kernels{_QUIET}")
    others = parse_kernels(kernels.body) if kernels.done else {}
    if sessions is None or others is None:
        return "its server answers in no known way"
    return others | sessions


class Notebooks:
    """Finds out again and again on a thread of its own; `found` is always the newest."""

    def __init__(self, roots: Roots, changed: Callable[[], None]) -> None:
        """`changed` is called on that thread when there is something new."""
        self.found: Mapping[Identity, Told] = {}
        self._finder = Finder(roots)
        self._changed = changed
        self._asked: tuple[Asked, ...] = ()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop = False

    def ask(self, asked: Sequence[Asked]) -> None:
        """Find out about these from now on; returns at once."""
        wanted = tuple(asked)
        if wanted == self._asked:
            return
        self._asked = wanted
        self._news.set()
        if self._thread is None and wanted:
            self._thread = threading.Thread(target=self._run, name="notebooks", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Ask the servers at once: something was done to a kernel."""
        self._news.set()

    def close(self) -> None:
        """End the thread; does not wait for it."""
        self._stop = True
        self._news.set()

    def _run(self) -> None:
        soon = False
        while not self._stop:
            asked = self._asked
            found = self._finder.look(asked)
            if found != self.found:
                self.found = found
                self._changed()
            news = self._news.wait(_SOON_S if soon else _PAUSE_S if asked else None)
            self._news.clear()
            soon = news


def read_terminal(roots: Roots, pid: int) -> tuple[str, dict[bytes, bytes]]:
    """Return the terminal of a shell, and of its environment what names it; empty where hidden."""
    tty, env = "", {}
    try:
        tty = procmore.read_tty(roots, pid)
        for line in procmore.read_environment(roots, pid):
            key, _, value = line.partition(b"=")
            if key == b"COCALC_TERMINAL_FILENAME":
                env[key] = value
    except KernelError:
        return tty, env
    return tty, env
