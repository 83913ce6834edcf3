"""One method on one program: within its limit, and beyond it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from memtui.model.limits import COUNTED
from tests.runs.programs import SHM, Program
from tests.support.cgroups import Group
from tests.support.limited import MEMTUI, environment

LIMIT, LITTLE, MUCH, TOO_MUCH = 256, 16, 112, 400
"""MiB: the limit; two amounts that fit, whose difference is the truth; one that does not."""
_TIMEOUT_S = 120
_MANY_FILES = ("numpy", "node", "java")

Report = dict[str, Any]


class Cell(NamedTuple):
    """What one method made of one program. Sizes are bytes."""

    refused: str = ""  # why the method cannot be had here; then nothing else is known
    limit: str = ""  # what was in force, in words
    fits: str = ""  # the kind of the verdict
    peak: int | None = None
    truth: int | None = None  # by how much more the program took than with LITTLE
    seen: int | None = None  # by how much its peak rose
    beyond: str = ""  # the kind of the verdict where it does not fit
    sentence: str = ""

    @property
    def off_pct(self) -> float | None:
        """How far the peak is from the truth, in per cent of the peak."""
        if self.seen is None or self.truth is None or not self.peak:
            return None
        return 100 * (self.seen - self.truth) / self.peak


def report(method: str, program: Program, mib: int, base: Group | None = None) -> Report:
    """Run it under the limit; return the report as a document."""
    with _file() as out:
        line = [
            *MEMTUI,
            "run",
            "--limit",
            f"{LIMIT}M",
            "--method",
            method,
            "--json",
            "-o",
            str(out),
        ]
        done = subprocess.run(
            [*line, "--", *program.argv(mib)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(base),
            cwd=out.parent,  # where a virtual machine that dies leaves its record
            timeout=_TIMEOUT_S,
            check=False,
        )
        text = out.read_text()
    if program.shared:
        _sweep()
    if not text:
        said = done.stderr.decode(errors="replace").strip()
        return {"limit": None, "verdict": {"kind": "not-run", "text": said}}
    document: Report = json.loads(text)
    return document


@contextlib.contextmanager
def _file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="memtui-run-") as folder:
        path = Path(folder) / "report.json"
        path.touch()
        yield path


def _sweep() -> None:
    """Remove the files of writers that were killed."""
    for path in Path(SHM).glob("memtui-test-*"):
        if not os.path.exists(f"/proc/{path.name.rpartition('-')[2]}"):
            path.unlink(missing_ok=True)


def measure(method: str, program: Program, base: Group | None = None) -> Cell:
    """Run it three times; once before, where that is charged for files not yet in the cache."""
    if program.name in _MANY_FILES:
        report(method, program, LITTLE, base)
    little = report(method, program, LITTLE, base)
    if little["limit"] is None:
        return Cell(refused=little["verdict"]["text"])
    much = report(method, program, MUCH, base)
    beyond = report(method, program, TOO_MUCH, base)
    taken = [program.taken(mib, method in COUNTED) for mib in (LITTLE, MUCH)]
    return Cell(
        limit=much["limit"]["text"],
        fits=much["verdict"]["kind"],
        peak=much["peak"],
        truth=_rise(taken),
        seen=_rise([little["peak"], much["peak"]]),
        beyond=beyond["verdict"]["kind"],
        sentence=beyond["verdict"]["text"],
    )


def _rise(pair: list[int | None]) -> int | None:
    before, after = pair
    return None if before is None or after is None else after - before
