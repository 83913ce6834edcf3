"""Requests to a Jupyter server, over loopback or its Unix socket; nothing else is talked to.

The token comes from the runtime file each time, goes into the request, and is kept nowhere. What
comes back is hostile: it is bounded in time and size here, and checked in `model/notebooks`.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import time
from typing import NamedTuple

from memtui.kernel import namespaces, procfs
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import LIVE, Roots
from memtui.model.classify import Seen, classify, split
from memtui.model.known import SERVER
from memtui.model.notebooks import Server, parse_server

TIMEOUT_S = 2.0
_MOST = 1 << 20  # bytes of an answer
_FILE = 1 << 16  # bytes of a runtime or connection file
_HOSTS = ("127.0.0.1", "::1")


class Answer(NamedTuple):
    """What a server answered; status 0 where it did not, and then `problem` says why."""

    status: int
    body: bytes = b""
    problem: str = ""

    @property
    def done(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300


def read_private(path: str, uid: int | None) -> bytes | None:
    """Return a small file that `uid` owns; None where it is none, or not ours to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        told = os.fstat(fd)
        if not stat.S_ISREG(told.st_mode) or told.st_uid != uid or told.st_size > _FILE:
            return None
        return os.read(fd, _FILE)
    except OSError:
        return None
    finally:
        os.close(fd)


# -- which server


def lives(pid: int, before: int, roots: Roots = LIVE) -> bool:
    """Whether `pid` lives and did at the tick `before`, too: a PID may be given out again."""
    try:
        told = procfs.read_stat(roots, pid)
    except KernelError:
        return False
    return told.start <= before and told.state not in b"ZX"


def looks_like_server(pid: int, roots: Roots = LIVE) -> bool:
    """Whether a command line is that of a Jupyter server."""
    try:
        argv = procfs.read_cmdline(roots, pid)
    except KernelError:
        return False
    known = classify(Seen(split(argv)))
    return known is not None and known.kind == SERVER


def find_server(folder: str, pid: int, roots: Roots = LIVE) -> Server | str:
    """Return the server with this PID, as its file in `folder` has it; or why not, in words."""
    try:
        uid = procfs.read_uid(roots, pid)
    except KernelError:
        return f"its server (PID {pid}) has ended"
    if namespaces.is_shared(roots, pid, "net") is not True:
        return f"its server (PID {pid}) is in another network, or that is not told"
    for name in (f"jpserver-{pid}.json", f"nbserver-{pid}.json"):
        server = parse_server(read_private(os.path.join(folder, name), uid))
        if server is not None and server.pid == pid:
            return server
    return f"its server (PID {pid}) has no runtime file that may be read"


# -- requests


def request(server: Server, method: str, path: str, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask a server for `path` below its base. Raises nothing."""
    end = time.monotonic() + timeout_s
    try:
        with _connected(server, end) as link:
            link.sendall(_head(server, method, path))
            return _parsed(_read(link, end))
    except TimeoutError:
        return Answer(0, problem=f"its server does not answer within {timeout_s:.0f} s")
    except (OSError, ValueError):
        return Answer(0, problem="its server does not answer on this machine")


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(server: Server, end: float) -> socket.socket:
    if server.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(_left(end))
            link.connect(server.socket)
        except OSError:
            link.close()
            raise
        return link
    for host in _HOSTS:
        try:
            link = socket.create_connection((host, server.port or 0), _left(end))
            break
        except ConnectionRefusedError:
            continue
    else:
        raise ConnectionRefusedError
    return _over_tls(link) if server.secure else link


def _over_tls(link: socket.socket) -> socket.socket:
    """The same over TLS; who it is was checked by its PID, and a name would not be this one."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(link)
    except OSError:
        link.close()
        raise


def _head(server: Server, method: str, path: str) -> bytes:
    """The request. HTTP/1.0, so that the answer comes in one piece.

    Without a token a server wants the same number in a cookie and a header (XSRF).
    """
    host = "localhost" if server.socket else f"localhost:{server.port}"
    lines = [f"{method} {server.base}{path} HTTP/1.0", f"Host: {host}", "Content-Length: 0"]
    if server.token:
        lines.append(f"Authorization: token {server.token}")
    else:
        number = secrets.token_hex(16)
        lines += [f"Cookie: _xsrf={number}", f"X-XSRFToken: {number}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _read(link: socket.socket, end: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= _MOST:
        link.settimeout(_left(end))
        part = link.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise ValueError("the answer is too long")


def _parsed(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return Answer(0, problem="its server answers in no known way")
    status = int(words[1][:4])
    if status in (401, 403):
        return Answer(status, problem="its server wants a password or token that it did not leave")
    if not 200 <= status < 300:
        return Answer(status, problem=f"its server answers with status {status}")
    return Answer(status, body)
