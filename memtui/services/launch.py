"""Starting a command that is under its limit before it runs: fork, enter, be checked, exec.

For a process without threads, as the CLI: nothing stands between us and the command, so its
environment, its argv[0] and the errno of a failed exec are exact. (A shell in between drops
exported bash functions and sets PWD.) The child waits until the limit on it was read back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

from memtui.kernel.proctree import read_sizes
from memtui.services.limiter import Limiter
from memtui.services.limits import Chosen
from memtui.text import safe

NOT_ENTERED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127


class NotStarted(Exception):
    """The command does not run; `status` is what a shell would give (125: our own failure)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Started(NamedTuple):
    """A command that runs."""

    pid: int
    begun: float  # monotonic seconds, before the fork: its CPU time began there, too
    floor: int  # bytes: its ru_maxrss begins at the size of our fork, not at 0
    program: str = ""  # the file that was run


def _candidates(name: str) -> list[str]:
    if "/" in name:
        return [name]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [os.path.join(folder or ".", name) for folder in folders]


def resolve(name: str) -> str:
    """Return the file that a shell would run for `name`. Raises NotStarted (126 or 127)."""
    found = [path for path in _candidates(name) if name and os.path.exists(path)]
    for path in found:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    shown = safe(name)
    if not found or ("/" not in name and all(os.path.isdir(p) for p in found)):
        what = "no such file" if "/" in name else "command not found"
        raise NotStarted(NOT_FOUND, f"{shown}: {what}")
    what = "is a directory" if os.path.isdir(found[0]) else "is not executable"
    raise NotStarted(NOT_EXECUTABLE, f"{shown}: {what}")


def _reset_signals(mask: Iterable[int]) -> None:
    """Undo what Python and we did to the signals that the command inherits."""
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them
        with contextlib.suppress(AttributeError, ValueError):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _exec(path: str, argv: list[str]) -> NoReturn:
    try:
        os.execv(path, argv)
    except OSError as e:
        if e.errno != errno.ENOEXEC:
            raise
    os.execv("/bin/sh", ["sh", path, *argv[1:]])  # a script without #!: as shells do


def _child(
    limiter: Limiter, path: str, argv: list[str], mask: Iterable[int], ends: tuple[int, int]
) -> NoReturn:
    """Be the forked child: nothing may escape from here into the parent's code."""
    tell, wait = ends
    try:
        limiter.enter()
        os.write(tell, b"+")
        if os.read(wait, 1):
            _reset_signals(mask)
            _exec(path, argv)
    except BaseException as e:  # noqa: BLE001
        number = e.errno if isinstance(e, OSError) else 0
        os.write(tell, f"{number or 0} {e}".encode(errors="replace"))
    finally:
        os._exit(NOT_ENTERED)


def _read_all(fd: int) -> bytes:
    data = b""
    while more := os.read(fd, 4096):
        data += more
    return data


def _await_entry(tell: int) -> None:
    answer = os.read(tell, 4096)
    if answer != b"+":
        why = safe(answer.partition(b" ")[2].decode(errors="replace"))
        why = why or "it was killed while entering: the limit is too small"
        raise NotStarted(NOT_ENTERED, f"the command could not be put under its limit: {why}")


def _await_exec(tell: int, name: str) -> None:
    """Return once the command runs: the pipe closes by itself at exec."""
    number, _, why = _read_all(tell).partition(b" ")
    if number:
        code = int(number)
        status = NOT_FOUND if code == errno.ENOENT else NOT_EXECUTABLE
        reason = os.strerror(code) if code else why.decode(errors="replace")
        if code == errno.ENOENT:  # the file itself was there a moment ago
            reason = "its interpreter does not exist"
        raise NotStarted(status, f"{safe(name)}: cannot be executed: {safe(reason)}")


def _handshake(
    pid: int, chosen: Chosen, name: str, announce: Callable[[], None], ends: tuple[int, int]
) -> int:
    """Let the command run once its limit was read back; return its size before it ran."""
    tell, go = ends
    _await_entry(tell)
    chosen.admit(pid)
    announce()
    sizes = read_sizes(pid)
    os.write(go, b"g")
    _await_exec(tell, name)
    return sizes.hwm if sizes else 0


def launch(
    chosen: Chosen, argv: list[str], mask: Iterable[int], announce: Callable[[], None]
) -> Started:
    """Start `argv` under the limits of `chosen`, with the signal mask `mask`.

    `announce` is called when the limit was read back and before the command runs. Raises
    NotStarted, or Unavailable when it could not be read back; then no child is left.
    """
    path = resolve(argv[0])
    tell_r, tell_w = os.pipe()
    go_r, go_w = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(tell_r)
        os.close(go_w)  # else a child whose parent dies would wait for ever
        _child(chosen.limiter, path, argv, mask, (tell_w, go_r))
    os.close(tell_w)
    os.close(go_r)
    floor = None
    try:
        floor = _handshake(pid, chosen, argv[0], announce, (tell_r, go_w))
        return Started(pid, begun, floor, path)
    finally:
        os.close(tell_r)
        os.close(go_w)
        if floor is None:
            os.waitpid(pid, 0)
