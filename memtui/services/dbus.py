"""As much of D-Bus as asks systemd for a scope: calls with few types, and whether they succeeded.

Source: the D-Bus specification. systemd answers on a socket of its own (`…/systemd/private`), which
needs no bus and no other program; where that is not there, its bus does.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

_CALL, _RETURN, _ERROR = 1, 2, 3
_TIMEOUT_S = 10.0
_MOST = 1 << 20  # bytes of an answer

Value = str | bool | int | list[int]


class Refused(Exception):
    """The other side said no, or nothing."""


class Call(NamedTuple):
    """One method call; `signature` says how `body` is to be read."""

    destination: str
    path: str
    interface: str
    member: str
    signature: str = ""
    body: bytes = b""


class Writer:
    """Values one after the other, each aligned as D-Bus has it."""

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, n: int) -> None:
        """Fill up with zeros to a multiple of `n`."""
        self.data += bytes(-len(self.data) % n)

    def number(self, n: int) -> None:
        """Write a u."""
        self.align(4)
        self.data += struct.pack("<I", n)

    def string(self, text: str) -> None:
        """Write an s or an o."""
        raw = text.encode()
        self.number(len(raw))
        self.data += raw + b"\0"

    def signature(self, text: str) -> None:
        """Write a g."""
        self.data += bytes([len(text)]) + text.encode() + b"\0"

    def numbers(self, values: Sequence[int]) -> None:
        """Write an au."""
        self.number(4 * len(values))
        for n in values:
            self.number(n)

    def variant(self, value: Value) -> None:
        """Write a v that holds an s, b, u or au."""
        if isinstance(value, str):
            self.signature("s")
            self.string(value)
        elif isinstance(value, list):
            self.signature("au")
            self.numbers(value)
        else:
            self.signature("b" if isinstance(value, bool) else "u")
            self.number(int(value))

    def properties(self, values: dict[str, Value]) -> None:
        """Write an a(sv)."""
        inner = Writer()
        for name, value in values.items():
            inner.align(8)
            inner.string(name)
            inner.variant(value)
        self.number(len(inner.data))
        self.align(8)
        self.data += inner.data


def encode(call: Call, serial: int) -> bytes:
    """Return a method call as it goes over the wire."""
    fields = [(1, "o", call.path), (2, "s", call.interface), (3, "s", call.member)]
    fields.append((6, "s", call.destination))
    inner = Writer()
    for code, kind, text in fields:
        inner.align(8)
        inner.data.append(code)
        inner.signature(kind)
        inner.string(text)
    if call.signature:
        inner.align(8)
        inner.data.append(8)
        inner.signature("g")
        inner.signature(call.signature)
    head = Writer()
    head.data += struct.pack("<cBBBII", b"l", _CALL, 0, 1, len(call.body), serial)
    head.number(len(inner.data))
    head.data += inner.data
    head.align(8)
    return bytes(head.data) + call.body


class Connection:
    """One connection to a socket of systemd's, or to a bus."""

    def __init__(self, path: str, bus: bool) -> None:
        """Connect. Raises OSError or Refused."""
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(path)
            self._authenticate()
            if bus:
                name = "org.freedesktop.DBus"
                self.call(Call(name, "/org/freedesktop/DBus", name, "Hello"))
        except BaseException:
            self._socket.close()
            raise

    def _authenticate(self) -> None:
        uid = str(os.geteuid()).encode().hex().encode()
        self._socket.sendall(b"\0AUTH EXTERNAL " + uid + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            more = self._socket.recv(256)
            if not more or len(answer) > 4096:
                raise Refused("it does not know us")
            answer += more
        if not answer.startswith(b"OK"):
            raise Refused("it does not know us")
        self._socket.sendall(b"BEGIN\r\n")

    def call(self, call: Call) -> None:
        """Have it done. Raises Refused with what the other side says, or OSError."""
        self._serial += 1
        self._socket.sendall(encode(call, self._serial))
        while True:
            kind, body = self._receive()
            if kind == _RETURN:
                return
            if kind == _ERROR:
                raise Refused(_text(body) or "it refuses, and does not say why")

    def _receive(self) -> tuple[int, bytes]:
        """Return the type and the body of the next message."""
        head = self._exactly(16)
        order = "<" if head[:1] == b"l" else ">"
        body, _, fields = struct.unpack(order + "III", head[4:])
        rest = fields + (-fields % 8)
        if body > _MOST or rest > _MOST:
            raise Refused("its answer is too long")
        self._exactly(rest)
        return head[1], self._exactly(body)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise Refused("it hung up")
            data += more
        return data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _text(body: bytes) -> str:
    """The first string of an error's body, little-endian as systemd's are."""
    if len(body) < 5:
        return ""
    (length,) = struct.unpack("<I", body[:4])
    return body[4 : 4 + min(length, 400)].decode("utf-8", "replace")
