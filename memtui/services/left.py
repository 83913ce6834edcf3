"""Commands that were left running when memtui ended: remembered, so that the next one tells.

Each is told of as long as it runs, and once when it has ended: how, nobody knows. Nothing here
raises OSError.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from memtui.kernel.bootid import read_boot_id
from memtui.kernel.procfs import read_kin
from memtui.kernel.roots import LIVE
from memtui.model.checked import as_doc, int_of, items, need
from memtui.services.store import StateDir
from memtui.text import elide, safe

LEFT = "left.json"
_MOST = 50
_SCHEMA = "memtui.left/1"


class Left(NamedTuple):
    """A command that goes on without memtui."""

    pid: int
    start: int  # clock ticks since boot
    boot: str
    command: str
    log: str  # where its output goes, "" for nowhere


def left_of(pid: int, command: str, log: str) -> Left | None:
    """Return the command that runs as `pid`; None where it is gone."""
    kin = read_kin(pid)
    boot = read_boot_id(LIVE) or ""
    return Left(pid, kin.start, boot, command, log) if kin and kin.living else None


def _runs(left: Left, boot: str) -> bool:
    kin = read_kin(left.pid)
    return left.boot == boot and kin is not None and kin.living and kin.start == left.start


def remember(more: list[Left], directory: StateDir | None = None) -> None:
    """Write down what was left, for the next memtui."""
    directory = directory or StateDir()
    try:
        with directory.locked():
            _write(directory, [*_read(directory), *more])
    except OSError as e:
        directory.fail("commands that were left are", e)


def recall(directory: StateDir | None = None) -> list[str]:
    """Tell of every command that an earlier memtui left; those that have ended are forgotten."""
    directory = directory or StateDir()
    known = _read(directory)
    if not known:
        return []
    boot = read_boot_id(LIVE) or ""
    running = [left for left in known if _runs(left, boot)]
    if len(running) < len(known):
        try:
            with directory.locked():
                gone = [left for left in known if left not in running]
                _write(directory, [left for left in _read(directory) if left not in gone])
        except OSError as e:
            directory.fail("commands that were left are", e)
    return [_told(left, left in running) for left in reversed(known)]


def _told(left: Left, runs: bool) -> str:
    what = f"still runs as PID {left.pid}" if runs else "has ended"
    where = f", its output is in {safe(left.log)}" if left.log else ""
    return f"left earlier, {what}: {elide(safe(left.command), 40)}{where}"


def _write(directory: StateDir, every: list[Left]) -> None:
    document = {"schema": _SCHEMA, "left": [left._asdict() for left in every[-_MOST:]]}
    directory.replace(LEFT, json.dumps(document, indent=1).encode())


def _read(directory: StateDir) -> list[Left]:
    try:
        document = as_doc(json.loads(directory.read(LEFT) or b"{}"))
        return [_left(item) for item in items(document, "left", _MOST)] if document else []
    except (ValueError, RecursionError):
        return []


def _left(item: object) -> Left:
    """One entry. Raises ValueError where somebody wrote something else."""
    d = as_doc(item)
    words = [d.get(key) for key in ("boot", "command", "log")]
    boot, command, log = (w if isinstance(w, str) else "" for w in words)
    return Left(need(int_of(d, "pid", 1)), need(int_of(d, "start")), boot, command, log)
