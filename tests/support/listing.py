"""`memtui ps` run as a user does, and what it printed taken apart."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.support.limited import MEMTUI

PS = [*MEMTUI, "ps"]


def ps(*args: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run `memtui ps ARGS` to its end; the output is decoded as it is, CRLF and all."""
    done = subprocess.run([*prefix, *PS, *args], capture_output=True, timeout=120, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def printed(*args: str, prefix: Sequence[str] = ()) -> list[str]:
    """The lines of stdout of a run that went well."""
    done = ps(*args, prefix=prefix)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def table(*args: str, prefix: Sequence[str] = ()) -> list[dict[str, str]]:
    """The records of `memtui ps --csv ARGS`, by column."""
    done = ps("--csv", *args, prefix=prefix)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout, newline="")))


def document(*args: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """The document of `memtui ps --json ARGS`."""
    made: dict[str, Any] = json.loads("\n".join(printed("--json", *args, prefix=prefix)))
    return made


def only(pids: Sequence[int]) -> list[str]:
    """The options that show these processes alone."""
    return ["--filter", "pid=" + "|".join(map(str, pids))]
