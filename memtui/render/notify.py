"""Alarms as escape sequences: a terminal's title, and desktop notifications by OSC 9 and 777.

What is written must not end the sequence early or begin another: text has no control characters,
no `;` (it separates fields) and a bounded length.
"""

from __future__ import annotations

from memtui.model.alerts import Alert
from memtui.text import elide, safe

BELL = "\a"
_OSC, _ST = "\x1b]", "\x1b\\"
_LONGEST = 160  # cells
_TITLE = "memtui"


def field(text: str, width: int = _LONGEST) -> str:
    """Return `text` as it may stand in a sequence: one line, printable, without `;`."""
    return elide(safe(" ".join(text.split())).replace(";", ","), width)


def title(text: str) -> str:
    """Return the sequence that sets the terminal's title (OSC 2)."""
    return f"{_OSC}2;{field(text)}{_ST}"


def osc9(alert: Alert) -> str:
    """Return a notification as iTerm2, Windows Terminal, WezTerm, kitty and others take it.

    It begins with a name: a number there would be a command of ConEmu's.
    """
    return f"{_OSC}9;{field(f'{_TITLE}: {alert.text}')}{_ST}"


def osc777(alert: Alert) -> str:
    """Return a notification as VTE, foot, Ghostty and urxvt take it."""
    return f"{_OSC}777;notify;{_TITLE};{field(alert.text)}{_ST}"


def through_tmux(sequence: str) -> str:
    """Return `sequence` so that tmux hands it to the terminal outside, if it is allowed to.

    That is `set -g allow-passthrough on`, tmux 3.3 or later.
    """
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}{_ST}"
