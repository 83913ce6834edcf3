"""How fast kernel logs are searched for OOM kills: `python -m tools.benchmarks.oomlog`.

Prints MB/s of CPU time in one thread, the best of some runs, so that other load counts little: for
logs without kills, in the shapes that journalctl and syslog write, and for logs that are nothing
but kills. With a FILE: of that log.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from memtui.kernel.oomlog import OomLog

_SIZE = 32 << 20
_RUNS = 3
_DUMP = Path(__file__).parents[2] / "tests/logs/kmsg_6.18_adj.txt"
_WORDS = (
    "usb 1-1: new high-speed USB device number %d using xhci_hcd",
    "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none. %d",
    "IN=eth0 OUT= MAC=00:00:00:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=%d TOS=0x00 PROTO=TCP SPT=443",
    'audit: type=1400 audit(1.0:%d): apparmor="ALLOWED" operation="open" comm="python3"',
)
_KILL = (
    "Memory cgroup out of memory: Killed process %d (python3) total-vm:76588kB, "
    "anon-rss:65152kB, file-rss:5356kB, shmem-rss:0kB, UID:0 pgtables:184kB oom_score_adj:0"
)


def _repeated(line: str, size: int = _SIZE) -> bytes:
    """Lines with a running number, until `size` bytes."""
    count = size // len(line)
    return b"".join((line % i).encode() + b"\n" for i in range(count))


def _journal(i: int) -> str:
    message = _WORDS[i % len(_WORDS)] % i
    fields = {"_TRANSPORT": "kernel", "__REALTIME_TIMESTAMP": "1714557600123456", "PRIORITY": "6"}
    return json.dumps(
        {**fields, "_BOOT_ID": "3957642b91db46aeb6ea566e41d1e893", "MESSAGE": message}
    )


def _dumps() -> bytes:
    """The dump of two kills again and again, of other processes each time."""
    data = _DUMP.read_bytes()
    count = _SIZE // 4 // len(data)
    return b"".join(
        data.replace(b"11085", b"%d" % (100_000 + i)).replace(b"11086", b"%d" % (200_000 + i))
        for i in range(count)
    )


def _logs() -> Iterator[tuple[str, bytes]]:
    for words in _WORDS[:2]:
        yield "quiet, dmesg", _repeated("[ 1234.567890] " + words)
    for words in _WORDS[2:]:
        yield "quiet, syslog", _repeated("May  1 10:00:00 host kernel: [ 1234.567890] " + words)
    entries = 40_000
    yield "quiet, journal json", b"".join(_journal(i).encode() + b"\n" for i in range(entries))
    yield "full dumps, /dev/kmsg", _dumps()
    yield "kill lines only, dmesg", _repeated("[ 1234.567890] " + _KILL, _SIZE // 4)


def _measure(name: str, data: bytes, records: bool) -> None:
    best, kills = 0.0, 0
    for _ in range(_RUNS):
        log = OomLog(records)
        start = time.process_time()
        kills = len(log.feed_data(data)) + len(log.finish())
        best = max(best, len(data) / (time.process_time() - start))
    what = "with records" if records else "facts only"
    print(f"{name:<24} {what:<13} {len(data) / 1e6:7.1f} MB {kills:7} kills {best / 1e6:8.1f} MB/s")


def main(argv: list[str]) -> int:
    logs = [(path, Path(path).read_bytes()) for path in argv] or _logs()
    for name, data in logs:
        for records in (True, False):
            _measure(name, data, records)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
