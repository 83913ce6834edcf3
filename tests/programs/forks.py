"""A tree of processes: `width` children each, `depth` levels deep, with `mib` MiB of each's own.

The first takes `shared` MiB before it forks, which all of them then have together. With hold=0
each ends once it has its own and its children have ended, `linger` seconds later.
"""

import contextlib
import os
import signal
import sys
import time

MOST_PROCESSES, MOST_MIB = 20, 512
given = dict(word.split("=", 1) for word in sys.argv[1:])
width, depth = int(given.get("width", 2)), int(given.get("depth", 1))
own, shared = int(given.get("mib", 1)), int(given.get("shared", 0))
count = sum(width**level for level in range(depth + 1))
if count > MOST_PROCESSES or count * own + shared > MOST_MIB:
    sys.exit(f"no more than {MOST_PROCESSES} processes and {MOST_MIB} MiB")
seconds = min(120, int(given.get("seconds", 60)))


def say(what: str, number: int) -> None:
    """Write a line at once, so that lines of several processes never mix."""
    os.write(1, f"{what} {number}\n".encode())


together = bytearray(b"x") * (shared << 20)
signal.alarm(seconds)
say("ready", 0)
left = depth
while left:
    left -= 1
    if any(os.fork() == 0 for _ in range(width)):
        signal.alarm(seconds)  # is not inherited
        continue
    break
held = bytearray(b"x") * (own << 20)
say("process", os.getpid())
say("anon", len(held))
if given.get("hold") == "0":
    time.sleep(float(given.get("linger", 0)))
    failed = 0
    with contextlib.suppress(ChildProcessError):
        while True:
            failed |= os.wait()[1]
    sys.exit(failed != 0)
signal.pause()
