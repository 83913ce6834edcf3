"""What every subcommand shares: sentences on stderr, exit statuses, common options."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from memtui.text import safe

if TYPE_CHECKING:
    from memtui.model.filter import Filter

OK, FAILED, WRONG_USE = 0, 1, 2


class UsageError(Exception):
    """Wrong use: one clear sentence for the user, exit status 2."""


class Failure(Exception):
    """It could not be done: one clear sentence for the user, exit status 1."""


def complain(sentence: str, status: int = WRONG_USE) -> int:
    """Write one sentence to stderr, foreign text in it made safe; return `status`."""
    with contextlib.suppress(OSError, AttributeError):  # no stderr: the status still tells
        sys.stderr.write(f"memtui: {safe(sentence)}\n")
    return status


def put(text: str) -> None:
    """Write to stdout and flush, so that an error is met here. Raises Failure, BrokenPipeError.

    What the locale's encoding cannot show is a `?`.
    """
    out = sys.stdout
    if out is None:
        raise Failure("stdout is closed")
    with contextlib.suppress(AttributeError):
        out.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        drop_stdout()
        raise
    except OSError as e:
        drop_stdout()
        raise Failure(f"cannot write to stdout: {e.strerror}") from e


def drop_stdout() -> None:
    """Let what could not be written go: the interpreter would try again when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_root(root: str) -> str:
    """Return --root without a trailing slash. Raises UsageError where there is no /proc below."""
    root = root.rstrip("/")
    if root and not os.path.isdir(root):
        raise UsageError(f"--root {root!r} is not a directory")
    if root and not os.path.isdir(root + "/proc"):
        raise UsageError(f"--root {root!r} holds no /proc")
    return root


def check_filter(text: str) -> Filter:
    """Return --filter understood. Raises UsageError, which says where it is wrong."""
    from memtui.model.filter import FilterError, parse_filter

    try:
        return parse_filter(text)
    except FilterError as e:
        where = f", at {text[e.position :][:20]!r}" if e.position < len(text) else ""
        raise UsageError(f"--filter: {e.message}{where}") from None


def terminal_width(default: int = 100) -> int:
    """Return the width of the terminal on stdout, or `default` where stdout is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return default
