"""The output of a command in the background: read by a thread, the last of it kept."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable

from memtui.render.spans import Line
from memtui.render.transcript import Transcript
from memtui.units import size

KEPT = 256 << 10  # bytes
LEFT_MOST = 64 << 20
"""Bytes that the output of a command which outlives memtui is kept up to."""
_DRAIN = f"trap '' HUP INT QUIT XFSZ; ulimit -f {LEFT_MOST // 512}; cat; exec cat >/dev/null"
_SHOWN = 64 << 10  # bytes taken at one look: what a flood wrote before them is left out, and told


class Output:
    """Reads a pipe to its end, never keeping its writer waiting; holds the last 256 KiB."""

    def __init__(self, fd: int, look: Callable[[], float | None]) -> None:
        """Take over `fd`. `look` is called now and then and says in how many s to call again."""
        self._fd = fd
        self._look = look
        self._data = bytearray()
        self._fresh = 0  # bytes read that the transcript has not got
        self._transcript = Transcript()
        self.written = 0, 0
        """How many bytes and how many whole lines were read so far."""
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
            self._fresh += len(chunk)
            self.written = self.written[0] + len(chunk), self.written[1] + chunk.count(b"\n")
            if len(self._data) > 2 * KEPT:
                del self._data[:-KEPT]
        return bool(chunk)

    def tail(self, n: int) -> list[Line]:
        """Return the last `n` lines at most, safe to display, in their own colours."""
        with self._lock:
            self._absorb()
            return self._transcript.lines(n)

    def _absorb(self) -> None:
        """Let the transcript have what is new; of a flood only the end."""
        if not self._fresh:
            return
        new = bytes(self._data[-min(self._fresh, _SHOWN) :])
        if self._fresh > _SHOWN:
            new = new.partition(b"\n")[2] or new
            self._transcript.skip(f"… {size(self._fresh - len(new))} not shown: it came too fast")
        self._transcript.feed(new)
        self._fresh = 0

    def drain(self, timeout_s: float) -> None:
        """Wait until all was read, when the writers are known to be gone."""
        self._thread.join(timeout_s)

    def hand_over(self, file: int) -> None:
        """Let a small process read the pipe from now on, into an open file: no writer notices.

        It ends with the last writer, or writes no more than `LEFT_MOST` and drops the rest.
        """
        self._stop()
        with self._lock, contextlib.suppress(OSError):  # a full disk
            os.write(file, self._data[-KEPT:])
        null = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        ends = [(os.POSIX_SPAWN_DUP2, self._fd, 0), (os.POSIX_SPAWN_DUP2, file, 1), null]
        argv = ["/bin/sh", "-c", _DRAIN, "memtui-output"]
        os.posix_spawn(argv[0], argv, dict(os.environ), file_actions=ends, setsid=True)
        self.close()

    def _stop(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"x")
        self._thread.join(5)

    def close(self) -> None:
        """End the thread and close the pipe; a writer that is left gets SIGPIPE."""
        self._stop()
        for fd in (self._fd, self._wake_r, self._wake_w):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fd = self._wake_r = self._wake_w = -1
