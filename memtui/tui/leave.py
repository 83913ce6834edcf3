"""Quit at once: Textual's own way waits for its input thread, which sleeps 0.1 s at a time."""

from __future__ import annotations

import contextlib
import os
import sys
import termios

from textual.app import App

# what Textual's LinuxDriver undoes: kitty keys, paste, wrap, resize reports, mouse, focus, screen
_RESTORE = (
    "\x1b[<u\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    "\x1b[?1004l\x1b[?1049l\x1b[?25h"
)
_before: list[object] | None = None


def remember_terminal() -> None:
    """Keep the terminal's mode as it is now, for `leave_at_once`."""
    global _before
    with contextlib.suppress(termios.error):
        _before = list(termios.tcgetattr(0))


def leave_at_once(app: App[int], status: int) -> None:
    """Give the terminal back and end the process; returns only where there is no driver."""
    driver = app._driver
    if driver is None:
        return
    driver.write(_RESTORE)
    driver.close()  # drains and ends the thread that writes to the terminal
    if _before is not None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSAFLUSH, _before)  # type: ignore[arg-type]
    sys.stdout.flush()
    os._exit(status)
