"""Write `mib` MiB into a file in `directory`, which should be on a tmpfs; remove it at the end.

With hold=0 that is then.
"""

import contextlib
import os
import signal
import sys

MOST_MIB = 512
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib = int(given["mib"])
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
path = os.path.join(given["directory"], f"memtui-test-{os.getpid()}")


def end(*_: object) -> None:
    """Leave nothing, whatever ends it but SIGKILL."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    os._exit(0)


for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, end)
signal.alarm(min(120, int(given.get("seconds", 60))))

print("ready 0", flush=True)
with open(path, "xb", buffering=0) as file:
    for written in range(mib):
        file.write(b"x" * (1 << 20))
        print("shmem", (written + 1) << 20, flush=True)
    print("done", mib << 20, flush=True)
    if given.get("hold") == "0":
        end()
    signal.pause()
