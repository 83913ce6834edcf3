"""Threads of a real process, read only when asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Proc
from memtui.model.tasks import Task
from memtui.services.sampler import Sampler
from memtui.services.threads import Threads

CODE = """
import ctypes, sys, threading
def wait(): sys.stdin.read()
for _ in range(3): threading.Thread(target=wait, daemon=True).start()
print(flush=True)
threading.Event().wait()
"""


@pytest.fixture
def threaded() -> Iterator[subprocess.Popen[bytes]]:
    """A process of four threads."""
    child = subprocess.Popen(
        [sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.communicate()


def rows(pid: int) -> list[Proc]:
    source = Sampler()
    try:
        return [p for p in source.sample().procs if p.pid == pid]
    finally:
        source.stop()


def test_threads_are_read_only_while_wanted(threaded: subprocess.Popen[bytes]) -> None:
    procs = rows(threaded.pid)
    threads = Threads(LIVE)
    threads.look(procs)
    assert threads.found == {}
    threads.wanted = True
    threads.look(procs)
    found = threads.found[threaded.pid]
    assert len(found) == 3
    assert all(isinstance(t, Task) and t.ppid == threaded.pid != t.pid for t in found)
    assert all(t.rss == procs[0].rss and t.command.startswith("{") for t in found)
    assert [t.cpu_pct for t in found] == [None] * 3, "unknown at the first look"
    threads.look(procs)
    assert all(t.cpu_pct is not None for t in threads.found[threaded.pid])
    threads.wanted = False
    threads.look(procs)
    assert threads.found == {}


def test_a_process_that_ended_has_none(threaded: subprocess.Popen[bytes]) -> None:
    procs = rows(threaded.pid)
    threaded.kill()
    threaded.wait()
    threads = Threads(LIVE)
    threads.wanted = True
    threads.look(procs)
    assert list(threads.found.get(threaded.pid, ())) == []
