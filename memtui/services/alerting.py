"""Runs the command that was configured for alarms: without a shell, one at a time, not for long."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections import deque

from memtui.model.alerts import Alert
from memtui.text import safe

LONGEST_S = 30.0
"""Seconds after which the command is killed."""

_POLL_S = 0.05
_WAITING = 8  # alarms that may wait; the oldest gives way


def parse_command(text: str) -> list[str]:
    """Return the words of a command line, quoted as for a shell; none where it is empty.

    Raises ValueError with a sentence for the user.
    """
    try:
        words = shlex.split(text)
    except ValueError as e:
        raise ValueError(f"the command for alerts is not quoted right: {e}") from e
    if any("\0" in word for word in words):
        raise ValueError("the command for alerts holds a NUL")
    return words


class AlertCommand:
    """Runs `argv` for each alarm, with its facts in the environment; `tell` never waits.

    The command has a session of its own, no input, and its output is discarded. What it leaves
    running in its process group after 30 s is killed with it.
    """

    def __init__(self, argv: list[str], longest_s: float = LONGEST_S) -> None:
        self._argv = argv
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._waiting: deque[dict[str, str]] = deque(maxlen=_WAITING)
        self._busy = False
        self._closed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the command did not do its work the last time, in words; None if it did."""
        return self._problem

    def tell(self, alert: Alert) -> None:
        """Have the command run for `alert`, after those that wait."""
        if not self._argv:
            return
        with self._lock:
            self._waiting.append(alert.facts)
            if self._busy or self._closed:
                return
            self._busy = True
        threading.Thread(target=self._work, name="memtui-alert", daemon=True).start()

    def close(self) -> None:
        """Forget what waits, and end the command that runs; waits for neither."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            if self._child is not None:
                _kill(self._child)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                facts = self._waiting.popleft()
            self._problem = self._run(facts)

    def _run(self, facts: dict[str, str]) -> str | None:
        """Run the command; return why it did not do its work, or None."""
        name = safe(self._argv[0])
        try:
            child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **facts},
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            return f"{name} could not be started: {safe(str(e))}"
        self._child = child
        end = time.monotonic() + self._longest_s
        while (status := self._poll(child, time.monotonic() >= end)) is None:
            time.sleep(_POLL_S)
        if status == -signal.SIGKILL:
            return f"{name} was killed, after {self._longest_s:g} s at the latest"
        return f"{name} ended with status {status}" if status else None

    def _poll(self, child: subprocess.Popen[bytes], late: bool) -> int | None:
        """Reap it, under the lock: until then its number is its own, and may be killed."""
        with self._lock:
            status = child.poll()
            if status is not None:
                self._child = None
            elif late or self._closed:
                _kill(child)
        return status


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill what was not reaped yet, and what it started in its process group."""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
