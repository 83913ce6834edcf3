"""A real Sampler in a process of its own, which may have fewer rights: events as JSON lines.

`python -m tests.kills.watcher --cgroup /a/b --delay 5`: the first line says that it watches, and
what it may read. It ends when its stdin does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Sequence

from memtui.kernel.roots import LIVE
from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent, Victim
from memtui.services.sampler import Sampler

_BESIDE = ("scene", "victims", "others", "record")
_said = threading.Lock()


def _victim(victim: Victim) -> dict[str, object]:
    return victim._asdict()


def _line(event: OomEvent) -> dict[str, object]:
    """What is compared with the truth; `told_at` in seconds since the epoch."""
    plain = {k: v for k, v in event._asdict().items() if k not in _BESIDE}
    return {
        **plain,
        "victims": [_victim(v) for v in event.victims],
        "others": [_victim(v) for v in event.others],
        "record": event.record[:200],
        "told_at": time.time(),
    }


def say(said: object) -> None:
    """Write a line at once, from whichever thread."""
    with _said:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def reads_log() -> bool:
    """Whether memtui follows the kernel log, and this process may read it."""
    if importlib.util.find_spec("memtui.services.kernellog") is None:
        return False
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def main() -> None:
    """Watch until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills.watcher")
    parser.add_argument("--cgroup")
    parser.add_argument("--delay", type=float, default=5.0)
    asked = parser.parse_args()
    sampler = Sampler(LIVE, asked.delay, asked.cgroup)
    began = threading.Event()

    asked_for = threading.Event()

    def heard(snapshot: Snapshot, events: Sequence[OomEvent]) -> None:
        for event in events:
            if not event.before_start:
                say(_line(event))
        if asked_for.is_set():
            asked_for.clear()
            say({"pids": [p.pid for p in snapshot.procs]})
        began.set()

    sampler.listen(heard)
    sampler.start()
    if not began.wait(30):
        sys.exit("no sample in 30 s")
    say({"ready": os.getpid(), "log": reads_log()})
    while word := sys.stdin.readline().strip():
        if word == "cpu":
            say({"cpu_s": time.process_time()})
        else:
            asked_for.set()
            sampler.refresh()
    sampler.stop()


if __name__ == "__main__":
    main()
