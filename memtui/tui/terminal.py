"""Taking the terminal over without a flash, and giving it back at once."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import threading
from collections.abc import Sequence
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from memtui.render.ansi import RESTORE

_DRAIN_S = 1.0
_ALTERNATE = "\x1b[?1049h"


class SeamlessDriver(LinuxDriver):
    """Does not clear the first frame away: the alternate screen is shown already."""

    _first = True

    def write(self, data: str) -> None:
        """Write, but for the switch to the alternate screen at the start."""
        if self._first and data == _ALTERNATE:
            self._first = False  # after a suspension it is to be entered again
            return
        super().write(data)


def leave_at_once(app: App[int], status: int, mode: list[Any], told: Sequence[str] = ()) -> None:
    """Give the terminal back and end the process; returns only where there is no driver.

    Textual's own way waits for its input thread, which sleeps 0.1 s at a time.
    `mode` is what termios.tcgetattr said of stdin before memtui began; `told` is said last.
    """
    driver = app._driver
    if driver is None:
        return

    def restore() -> None:
        driver.write(RESTORE)
        driver.close()  # drains and ends the thread that writes to the terminal

    # a terminal that is gone, or held by Ctrl-S, must not hold us: a full queue would, too
    closer = threading.Thread(target=restore, daemon=True)
    closer.start()
    closer.join(_DRAIN_S)
    with contextlib.suppress(termios.error):
        termios.tcsetattr(0, termios.TCSAFLUSH, mode)
    with contextlib.suppress(OSError):
        for line in told:
            print(f"memtui: {line}", file=sys.__stderr__, flush=True)
        sys.stdout.flush()
    os._exit(status)
