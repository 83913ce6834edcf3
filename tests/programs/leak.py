"""Grow by `kib` KiB of small objects every `pause` seconds, up to `mib` MiB; then hold them."""

import signal
import sys
import time

MOST_MIB = 128
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib, kib, pause = int(given["mib"]), int(given.get("kib", 256)), float(given.get("pause", 0.05))
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
signal.alarm(min(120, int(given.get("seconds", 60))))

print("ready 0", flush=True)
held: list[bytes] = []
while len(held) < mib << 10:
    held.extend(b"x" * 1024 + b"%d" % n for n in range(len(held), len(held) + kib))
    print("anon", len(held) << 10, flush=True)
    time.sleep(pause)
print("done", len(held) << 10, flush=True)
signal.pause()
