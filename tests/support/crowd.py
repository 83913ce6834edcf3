"""A bounded crowd of working processes that can be stopped, so that two readings must agree."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.support.procs import state_of, until

_PARENT = """
import os, random, signal, sys, threading, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def work():
    held = []
    while True:
        held.append(b"x" * random.randrange(1 << 12, 1 << 19))
        if len(held) > 16:
            del held[: random.randrange(17)]
        end = time.thread_time() + random.choice((0, 0, 0.001))
        while time.thread_time() < end:
            pass
        time.sleep(0.02 + random.random() / 5)
def child(threads):
    os.close(0)
    random.seed(os.getpid())
    signal.alarm(90)
    for _ in range(threads):
        threading.Thread(target=work, daemon=True).start()
    if threads:
        while True:
            time.sleep(60)
    work()
made = []
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        child(int(line))
    made.append(pid)
    print(pid, flush=True)
for pid in made:
    try:
        os.kill(pid, 9)
    except OSError:
        pass
"""


class Crowd:
    """Children of a helper; each allocates, frees and computes until it is stopped or killed."""

    def __init__(self, helper: subprocess.Popen[str]) -> None:
        self._helper = helper
        self.pids: list[int] = []

    def more(self, count: int) -> None:
        """Start `count` processes; every fifth works in two threads besides its idle first."""
        for i in range(count):
            assert self._helper.stdin is not None
            assert self._helper.stdout is not None
            print(0 if i % 5 else 2, file=self._helper.stdin, flush=True)
            self.pids.append(int(self._helper.stdout.readline()))

    def stop(self) -> None:
        """Stop all: from here on nothing of theirs changes."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        until(lambda: all(state_of(pid) == "T" for pid in self.pids))

    def resume(self) -> None:
        """Let all go on."""
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    def lose(self, count: int) -> list[int]:
        """Kill `count` of them; returns once they are gone."""
        lost, self.pids = self.pids[:count], self.pids[count:]
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in lost))
        return lost


@contextlib.contextmanager
def crowd(count: int) -> Iterator[Crowd]:
    """`count` working processes, gone when this ends."""
    helper = subprocess.Popen(
        [sys.executable, "-S", "-c", _PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    made = Crowd(helper)
    try:
        made.more(count)
        yield made
    finally:
        helper.communicate(timeout=30)
