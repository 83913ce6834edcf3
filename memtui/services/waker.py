"""One thread's sleep, ended early by other threads or by descriptors that have news."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable

Heard = Callable[[int], None]
"""Called with the events of select.poll that a descriptor has."""


class Waker:
    """Sleeps until the time is up, `wake` is called, or a descriptor watched has news.

    Only `wake` may be called from another thread.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._heard: dict[int, Heard] = {}
        self._lock = threading.Lock()  # a number closed may be another's file already
        self._closed = False
        self._out, self._in = os.pipe()
        for fd in (self._out, self._in):
            os.set_blocking(fd, False)
        self._poll.register(self._out, select.POLLIN)

    def wake(self) -> None:
        """End the sleep that is, or the next one."""
        with self._lock, contextlib.suppress(BlockingIOError):  # a full pipe wakes, too
            if not self._closed:
                os.write(self._in, b"w")

    def watch(self, fd: int, events: int, heard: Heard) -> None:
        """Call `heard` from within `sleep` whenever `fd` has `events` (or an error)."""
        self._heard[fd] = heard
        self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        """Watch `fd` no longer; it may be closed then."""
        if self._heard.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def sleep(self, seconds: float) -> bool:
        """Sleep; return whether `wake` was called. What descriptors tell is heard first."""
        woken = False
        for fd, events in self._poll.poll(max(0.0, seconds) * 1000):
            if fd == self._out:
                woken = True
                self._drain()
            elif heard := self._heard.get(fd):  # another's handler may have forgotten it
                heard(events)
        return woken

    def close(self) -> None:
        """Close the pipe; the descriptors watched are their owners'."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._out)
                os.close(self._in)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._out, 64):
                pass
