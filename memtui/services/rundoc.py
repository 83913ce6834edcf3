"""The report on a limited run as a document, and its samples as CSV; writing both to files."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from typing import Any

from memtui.model.memseries import COLUMNS, Points
from memtui.model.runlimit import Advice
from memtui.services import atomic
from memtui.services.run import Run

SCHEMA = "memtui.run/1"
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}


def _advice(advice: Advice | None) -> dict[str, Any] | None:
    return None if advice is None else {"limit": advice.limit, "text": advice.text}


def _end(run: Run) -> dict[str, Any]:
    r, clues = run.result, run.ending.clues
    return {
        "status": r.status,
        "signal": r.signal,
        "exit_status": r.exit_status,
        "verdict": {"kind": r.verdict.kind, "text": r.verdict.text},
        "suggestion": _advice(r.advice),
        "oom_kills": run.ending.oom_kills,
        "killed": [v._asdict() for v in clues.victims],
        "left_behind": r.left,
    }


def _memory(run: Run) -> dict[str, Any]:
    r, a = run.result, run.account
    return {
        "peak": r.peak,
        "peak_of": r.peak_of,
        "peak_at_seconds": a.peak_at,
        "peak_without_cache": a.anon_peak,
        "size_at_start": a.start_size,
        "max_rss": run.max_rss,
        "max_rss_exact": run.max_rss_exact,
        "processes": [{"pid": s.pid, "name": s.name, "peak_rss": s.hwm} for s in a.biggest],
        "peak_swap": a.swap_peak,
        "major_faults": a.major_faults,
        "stalled": {"some_seconds": a.some_s, "full_seconds": a.full_s, "of": a.stall_of},
        "throttled": a.throttled,
    }


def document(argv: Sequence[str], run: Run) -> dict[str, Any]:
    """Return the whole report: sizes in bytes, times in seconds, null for unknown."""
    u = run.rusage
    return {
        "schema": SCHEMA,
        "command": list(argv),
        "limit": {"bytes": run.ending.limit, "method": run.ending.method, "text": run.limit},
        **_end(run),
        "seconds": run.result.seconds,
        "user_seconds": u.ru_utime,
        "system_seconds": u.ru_stime,
        **_memory(run),
        "rusage": {"major_faults": u.ru_majflt, "minor_faults": u.ru_minflt},
        "samples": len(run.points.times),
    }


def not_run(argv: Sequence[str], kind: str, status: int, text: str) -> dict[str, Any]:
    """Return the report on a command that did not begin."""
    return {
        "schema": SCHEMA,
        "command": list(argv),
        "limit": None,
        "status": None,
        "signal": None,
        "exit_status": status,
        "verdict": {"kind": kind, "text": text},
        "suggestion": None,
    }


def csv(points: Points) -> str:
    """Return the samples, one a line below the names of the columns; unknown is empty."""
    rows = [",".join(COLUMNS)]
    for seconds, *others in zip(*points.columns, strict=True):
        cells = ["" if math.isnan(v) else f"{v:.0f}" for v in others]
        rows.append(",".join([f"{seconds:.3f}", *cells]))
    return "\r\n".join(rows) + "\r\n"


def write_file(path: str, text: str) -> None:
    """Write a file as a whole: an old one stays as it is until the new one is complete.

    What is no regular file (a pipe), and a stream of ours, is written to. Raises OSError.
    """
    data = text.encode("utf-8", "backslashreplace")
    if path in _STREAMS:  # not opened anew: who writes there after us would write over it
        with open(os.dup(_STREAMS[path]), "wb") as stream:
            stream.write(data)
        return
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    if path.startswith("/dev/") or not (old is None or stat.S_ISREG(old.st_mode)):
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), "wb") as out:
            out.write(data)
        return
    mode = None if old is None else old.st_mode & 0o7777
    atomic.replace(os.path.realpath(path), data, mode)
