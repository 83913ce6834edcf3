"""The output of a command in the background: read by a thread, the last of it kept."""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
from collections.abc import Callable

from memtui.text import safe

KEPT = 256 << 10  # bytes
_LONGEST = 4096  # bytes of one line that are shown
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings
    r"|[ -/]*[0-~])"
)


def plain_line(raw: bytes) -> str:
    """Return one line as a terminal would leave it, harmless: a later CR part replaces earlier."""
    shown = raw.rstrip(b"\r").rpartition(b"\r")[2][:_LONGEST]
    text = shown.decode("utf-8", "replace")
    return safe(_ESCAPES.sub("", text).expandtabs())


class Output:
    """Reads a pipe to its end, never keeping its writer waiting; holds the last 256 KiB."""

    def __init__(self, fd: int, look: Callable[[], float | None]) -> None:
        """Take over `fd`. `look` is called now and then and says in how many s to call again."""
        self._fd = fd
        self._look = look
        self._data = bytearray()
        self._lock = threading.Lock()
        self._wake_r, self._wake_w = os.pipe()
        self._thread = threading.Thread(target=self._read, name="memtui-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake_r, select.POLLIN)
        while True:
            pause_s = self._look()
            ready = {fd for fd, _ in poll.poll(None if pause_s is None else pause_s * 1000)}
            if (self._fd in ready and not self._take()) or self._wake_r in ready:
                return

    def _take(self) -> bool:
        chunk = os.read(self._fd, 1 << 16)
        with self._lock:
            self._data += chunk
            if len(self._data) > 2 * KEPT:
                del self._data[:-KEPT]
        return bool(chunk)

    def tail(self, n: int) -> list[str]:
        """Return the last `n` lines at most, safe to display."""
        with self._lock:
            data = bytes(self._data[-KEPT:])
        lines = data.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        return [plain_line(line) for line in lines[-n:]] if n > 0 else []

    def drain(self, timeout_s: float) -> None:
        """Wait until all was read, when the writers are known to be gone."""
        self._thread.join(timeout_s)

    def close(self) -> None:
        """End the thread and close the pipe; a writer that is left gets SIGPIPE."""
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"x")
        self._thread.join(5)
        for fd in (self._fd, self._wake_r, self._wake_w):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fd = self._wake_r = self._wake_w = -1
