"""Running `memtui doctor` as a user does, and unpacking what it captured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.limited import MEMTUI

DOCTOR = [*MEMTUI, "doctor"]


def doctor(
    *args: str, prefix: Sequence[str] = (), **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run `memtui doctor ARGS` to its end."""
    return subprocess.run(
        [*prefix, *DOCTOR, *args],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
        **options,
    )


def document(*args: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """The document of `memtui doctor --json ARGS`."""
    done = doctor("--json", *args, prefix=prefix)
    assert (done.returncode, done.stderr) == (0, b"")
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def findings(*args: str, prefix: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The findings by name."""
    return {f["name"]: f for f in document(*args, prefix=prefix)["findings"]}


def capture(file: Path, *args: str, prefix: Sequence[str] = ()) -> str:
    """Capture into `file`; return what was said."""
    done = doctor("--capture", str(file), *args, prefix=prefix)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    return done.stderr.decode()


def unpack(file: Path, to: Path) -> Path:
    """Unpack as the user is told to."""
    to.mkdir()
    subprocess.run(["tar", "-xf", str(file), "-C", str(to)], check=True, timeout=60)
    return to


def ask(command: str, *args: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """The document of another subcommand."""
    done = subprocess.run(
        [*prefix, *MEMTUI, command, "--json", *args], capture_output=True, timeout=60, check=True
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made
