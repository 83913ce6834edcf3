"""What every subcommand shares: sentences on stderr, exit statuses, common options."""

from __future__ import annotations

import os
import sys

OK, FAILED, WRONG_USE = 0, 1, 2


class UsageError(Exception):
    """Wrong use: one clear sentence for the user, exit status 2."""


def complain(sentence: str) -> int:
    """Write one sentence to stderr and return the status of wrong use."""
    print(f"memtui: {sentence}", file=sys.stderr)
    return WRONG_USE


def check_root(root: str) -> str:
    """Return --root without a trailing slash. Raises UsageError where there is no /proc below."""
    root = root.rstrip("/")
    if root and not os.path.isdir(root):
        raise UsageError(f"--root {root!r} is not a directory")
    if root and not os.path.isdir(root + "/proc"):
        raise UsageError(f"--root {root!r} holds no /proc")
    return root


def terminal_width(default: int = 100) -> int:
    """Return the width of the terminal on stdout, or `default` where stdout is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return default
