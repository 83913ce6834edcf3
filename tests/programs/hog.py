"""Take `mib` MiB of anonymous memory, one after the other with `pause` seconds between; hold it.

With tell=0 it says nothing before it has all of it, and then ends.
"""

import signal
import sys
import time

MOST_MIB = 512
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib, pause, tell = int(given["mib"]), float(given.get("pause", 0)), given.get("tell") != "0"
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
signal.alarm(min(120, int(given.get("seconds", 60))))

if tell:
    print("ready 0", flush=True)
held = []
for number in range(mib):
    held.append(bytearray(b"x") * (1 << 20))
    if tell:
        print("anon", (number + 1) << 20, flush=True)
    if pause:
        time.sleep(pause)
print("done", len(held) << 20, flush=True)
if tell:
    signal.pause()
