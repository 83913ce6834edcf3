"""Real processes in a small group, and what is advised of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import all_advice
from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Advice
from memtui.services.explain import look
from tests.support.cgroups import MIB, Group
from tests.support.programs import running

SHM = Path("/dev/shm")
WAIT = "import signal, sys; signal.alarm(100); print('ready', flush=True); signal.pause()"


@contextmanager
def python(group: Group, code: str, *argv: str, **env: str) -> Iterator[int]:
    """Python code that runs in the group and says `ready`; its PID."""
    given = {**os.environ, **env}
    line = [sys.executable, "-S", "-c", code, *argv]
    with group.start(line, stdout=subprocess.PIPE, env=given) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


@contextmanager
def shm_file(group: Group, mib: int) -> Iterator[tuple[Path, int]]:
    """A file of so many MiB in /dev/shm, and who in the group has it open; gone afterwards."""
    with running("tmpfs", group, directory=SHM, mib=mib) as writer:
        writer.wait_for("done")
        yield SHM / f"memtui-test-{writer.pid}", writer.pid


def seen(group: Group, seconds: float = 0.0) -> Explained:
    return look(LIVE, group.cgroup, seconds)


def shrink(group: Group, share: float = 0.85) -> None:
    """Limit the group so that it is full by so much, without what would kill anybody."""
    now = seen(group).seen
    group.limit_file.write_text(str(max(int((now.hard or 0) / share), MIB)))


def told(explained: Explained, name: str) -> Advice:
    """The advice of that name, be it among the three that are said or not."""
    found = {a.id: a for a in all_advice(explained.seen)}
    assert name in found, (sorted(found), explained.seen)
    return found[name]
