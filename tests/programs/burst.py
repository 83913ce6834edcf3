"""Take `mib` MiB of anonymous memory in one go, as fast as the kernel gives it; then end."""

import mmap
import signal
import sys
import time

MOST_MIB = 512
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib = int(given["mib"])
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
signal.alarm(60)
began = time.perf_counter()
held = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
took = time.perf_counter() - began
print("done", mib << 20, flush=True)
print("rate", int((mib << 20) / max(took, 1e-6)), flush=True)
