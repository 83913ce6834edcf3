"""What connection files, environments and Jupyter servers tell of kernels; pure.

All of it was written by others: it is checked, cut and made safe to display here. The key of a
connection file is not taken out of it, and the token of a server nowhere but in its `Server`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from memtui.model.known import COCALC_KERNEL, Activity, Known
from memtui.text import safe, show

_PATH = 4096  # characters
_ID = re.compile(r"kernel-(\w[\w.-]{0,127})\.json$", re.ASCII)
_LANGUAGES = (
    ("python", "python"), ("ir", "R"), ("julia", "julia"), ("sage", "sage"), ("xpython", "python"),
    ("xcpp", "C++"), ("bash", "bash"), ("octave", "octave"),
)  # fmt: skip


class Named(NamedTuple):
    """A notebook's path, and who says so."""

    path: str  # safe to display
    by: str


class Environment(NamedTuple):
    """What the environment of a kernel tells."""

    name: Named | None = None
    server: int | None = None  # PID
    cocalc: bool = False
    home: str | None = None


class Connection(NamedTuple):
    """What a connection file tells."""

    name: Named | None = None
    language: str = ""


class Server(NamedTuple):
    """A Jupyter server as its runtime file has it. The token is for its requests alone."""

    pid: int
    port: int | None
    socket: str  # the path of its Unix socket; "" where it has none
    base: str  # begins and ends with /
    secure: bool
    token: str
    folder: str  # the directory that it serves


class Session(NamedTuple):
    """What a server tells of a kernel."""

    path: str  # of its notebook, safe to display; "" where it has none
    state: str  # "busy", "idle", "starting", "dead"
    last: float | None  # seconds since the epoch
    connections: int | None


def kernel_id(file: str) -> str:
    """Return the server's name of the kernel with this connection file; "" if it has none."""
    found = _ID.search(os.path.basename(file))
    return found.group(1) if found else ""


def _doc(data: bytes | None) -> object:
    """A JSON document; None where it is none."""
    try:
        found: object = json.loads(data or b"")
        return found
    except (ValueError, RecursionError):
        return None


def _text(doc: object, key: str) -> str:
    value = doc.get(key) if isinstance(doc, dict) else None
    return value[:_PATH] if isinstance(value, str) else ""


def _count(doc: object, key: str) -> int | None:
    value = doc.get(key) if isinstance(doc, dict) else None
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else None


def parse_connection(data: bytes | None) -> Connection:
    """Return what a connection file tells."""
    doc = _doc(data)
    path, kernel = _text(doc, "jupyter_session"), _text(doc, "kernel_name").lower()
    language = next((name for begin, name in _LANGUAGES if kernel.startswith(begin)), "")
    return Connection(Named(safe(path), "its connection file") if path else None, language)


def parse_environment(lines: Iterable[bytes]) -> Environment:
    """Return what an environment tells."""
    env: dict[bytes, bytes] = {}
    for line in lines:
        key, _, value = line.partition(b"=")
        env.setdefault(key, value)
    name = None
    if path := env.get(b"JPY_SESSION_NAME"):
        name = Named(show(path[:_PATH]), "JPY_SESSION_NAME in its environment")
    elif path := env.get(b"COCALC_JUPYTER_FILENAME"):
        path = os.path.join(env.get(b"HOME", b""), path)
        name = Named(show(path[:_PATH]), "COCALC_JUPYTER_FILENAME in its environment")
    pid = env.get(b"JPY_PARENT_PID", b"")
    home = env.get(b"HOME")
    return Environment(
        name,
        int(pid) if pid.isdigit() and len(pid) < 10 else None,
        b"COCALC_JUPYTER_KERNELNAME" in env,
        None if home is None else show(home),
    )


def parse_server(data: bytes | None) -> Server | None:
    """Return the server of a runtime file (jpserver-PID.json); None where it is none."""
    doc = _doc(data)
    pid, port = _count(doc, "pid"), _count(doc, "port")
    base, socket = _text(doc, "base_url") or "/", _text(doc, "sock")
    if pid is None or not re.fullmatch(r"/[\w./~%@+-]*", base, re.ASCII):
        return None
    if not socket and not (port and port < 65536):
        return None
    token = _text(doc, "token")
    if not (token.isascii() and token.isprintable()) or (socket and "\0" in socket):
        return None
    folder = _text(doc, "root_dir") or _text(doc, "notebook_dir")
    secure = isinstance(doc, dict) and doc.get("secure") is True
    return Server(pid, port, socket, base.rstrip("/") + "/", secure, token, folder)


def parse_sessions(data: bytes, folder: str) -> dict[str, Session] | None:
    """Return what `api/sessions` tells, by the kernel's name; None where it is no such answer."""
    doc = _doc(data)
    if not isinstance(doc, list):
        return None
    found = {}
    for item in doc[:1000]:
        kernel = item.get("kernel") if isinstance(item, dict) else None
        if name := _text(kernel, "id"):
            path = _text(item, "path") or _text(item.get("notebook"), "path")
            path = os.path.join(folder, path.lstrip("/")) if path else ""
            found[name] = _session(kernel, safe(path))
    return found


def parse_kernels(data: bytes) -> dict[str, Session] | None:
    """Return what `api/kernels` tells: kernels without a session are in it, too."""
    doc = _doc(data)
    if not isinstance(doc, list):
        return None
    return {name: _session(item, "") for item in doc[:1000] if (name := _text(item, "id"))}


def _session(kernel: object, path: str) -> Session:
    state = _text(kernel, "execution_state")
    last = parse_time(_text(kernel, "last_activity"))
    return Session(path, safe(state[:32]), last, _count(kernel, "connections"))


def parse_time(text: str) -> float | None:
    """Return seconds since the epoch of `2026-11-28T11:32:52.135432Z`; None if it is no time."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()


# -- together


class Told(NamedTuple):
    """All that was found out about one kernel beside its command line."""

    connection: Connection = Connection()
    env: Environment = Environment()
    cwd: str | None = None  # safe to display; None: not told
    session: Session | None = None
    server: int | None = None  # PID
    orphaned: bool | None = None
    problem: str = ""  # why no server tells of it, in words


def describe(base: Known, told: Told) -> Known:
    """Return who a kernel is. The server's word is the newest; the others are as of its start."""
    name = told.connection.name or told.env.name
    if told.session is not None and told.session.path:
        name = Named(told.session.path, "its server")
    kind = COCALC_KERNEL if told.env.cocalc else base.kind
    known = base._replace(
        kind=kind, language=base.language or told.connection.language, server=told.server
    )
    if name is not None:
        label = os.path.basename(name.path) or name.path
        known = known._replace(label=label, path=name.path, named_by=name.by)
    elif told.cwd:
        known = known._replace(detail=f"in {told.cwd}", named_by="its directory")
    return known


def activity_of(told: Told, by_cpu: Activity, born: float = 0.0) -> Activity:
    """Return what a kernel does: by its server, else by its CPU time.

    `born` is when its process began, in seconds since the epoch. A kernel that was killed as it
    worked stays busy in the server's eyes when it comes back: that word is older than `born`.
    """
    session = told.session
    found = by_cpu._replace(orphaned=told.orphaned, problem=told.problem)
    if session is None:
        return found
    found = found._replace(connections=session.connections)
    if session.last is None or session.last < born:
        return found
    if session.state == "busy":
        return found._replace(busy=True, idle_since=None, at_least=False, evidence="its server")
    if session.state == "idle":
        return found._replace(
            busy=False, idle_since=session.last, at_least=False, evidence="its server"
        )
    return found  # "starting" until somebody connects: that says nothing


def spares(kernels: Mapping[Any, tuple[Told, float, int]]) -> set[Any]:
    """Return which CoCalc kernels wait in its pool, of (told, CPU seconds, start) by key.

    CoCalc keeps one started ahead: the newest that has no notebook, in HOME, and did nothing yet.
    """
    waiting = [
        (start, key)
        for key, (told, cpu, start) in kernels.items()
        if told.env.cocalc and told.env.name is None and told.connection.name is None
        and told.cwd is not None and told.cwd == told.env.home and cpu < _SPARE_CPU_S
    ]  # fmt: skip
    return {max(waiting)[1]} if waiting else set()


_SPARE_CPU_S = 5.0  # that a start takes at most
