"""Starting a shell command under its limit from a program with threads.

Forking such a program is slow and unsafe, so a small shell is spawned: it enters the limit,
says so, waits until the limit on it was read back, and becomes the command.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from memtui.services.launch import NOT_ENTERED, NotStarted
from memtui.services.limiter import Limiter
from memtui.services.limits import Chosen

_SCRIPT = (
    "{{ {enter}; }} 2>/dev/null || exit 125; echo + >&{tell}; "
    'read -r go <&{wait} || exit 125; exec {tell}>&- {wait}<&-; exec /bin/sh -c "$2"'
)
_DEFAULTS = ("INT", "QUIT", "TERM", "HUP", "PIPE", "XFSZ", "TSTP", "TTIN", "TTOU", "CHLD", "CONT")


def _free_digits() -> tuple[int, int]:
    """Return two descriptors that the child does not inherit; a shell can name 0 to 9 only."""
    free = []
    for fd in range(3, 10):
        try:
            taken = os.get_inheritable(fd)
        except OSError:
            taken = False
        if not taken:
            free.append(fd)
    if len(free) < 2:
        raise NotStarted(NOT_ENTERED, "the file descriptors 3 to 9 are all in use")
    return free[0], free[1]


@contextmanager
def _pipes(count: int) -> Iterator[list[int]]:
    """Make pipes (read, write, read, …) above the digits; those still open at the end close."""
    fds: list[int] = []
    try:
        for _ in range(count):
            fds += map(_high, os.pipe())
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def _high(fd: int) -> int:
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)


def _spawn(limiter: Limiter, command: str, ends: tuple[int, int, int]) -> int:
    """Spawn the shell in a session of its own, with no input."""
    out, tell, wait = ends
    enter, argument = limiter.shell_enter()
    tell_digit, wait_digit = _free_digits()
    script = _SCRIPT.format(enter=enter, tell=tell_digit, wait=wait_digit)
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, out, 2),
        (os.POSIX_SPAWN_DUP2, tell, tell_digit),
        (os.POSIX_SPAWN_DUP2, wait, wait_digit),
    ]
    argv = ["/bin/sh", "-c", script, "sh", argument, command]
    return os.posix_spawn(
        argv[0],
        argv,
        {**os.environ, **limiter.environment()},
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[getattr(signal, "SIG" + name) for name in _DEFAULTS],
    )


class Spawned(NamedTuple):
    """A shell command that runs in the background."""

    pid: int
    output: int  # pipe with its stdout and stderr
    limit: int  # bytes, as read back from the kernel


def _handshake(chosen: Chosen, pid: int, tell: int, go: int) -> int:
    """Let the command run once the limit on it was read back; return that limit."""
    if os.read(tell, 8) != b"+\n":
        raise NotStarted(NOT_ENTERED, "the command could not be put under its limit")
    limit = chosen.admit(pid)
    os.write(go, b"g\n")
    return limit


def launch_shell(chosen: Chosen, command: str) -> Spawned:
    """Start `/bin/sh -c command` under the limits of `chosen`.

    The caller must reap the process and close the pipe. Raises NotStarted, or
    Unavailable when the limit could not be read back; then no child is left.
    """
    with _pipes(3) as fds:
        out_r, out_w, tell_r, tell_w, wait_r, wait_w = fds
        try:
            pid = _spawn(chosen.limiter, command, (out_w, tell_w, wait_r))
        except (OSError, ValueError) as e:  # ValueError: a NUL in the command
            raise NotStarted(NOT_ENTERED, f"/bin/sh could not be started: {e}") from e
        for fd in (out_w, tell_w, wait_r):
            fds.remove(fd)
            os.close(fd)
        try:
            limit = _handshake(chosen, pid, tell_r, wait_w)
        except BaseException:
            fds.remove(wait_w)
            os.close(wait_w)  # the shell reads the end of it, and exits
            os.waitpid(pid, 0)
            raise
        fds.remove(out_r)
        return Spawned(pid, out_r, limit)
