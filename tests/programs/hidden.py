"""Hold `mib` MiB in a process that may not be dumped, as setuid programs are: nobody but the
kernel, and who may trace anything, can look at its mappings."""

import ctypes
import signal
import sys

MOST_MIB = 64
PR_SET_DUMPABLE = 4
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib = int(given.get("mib", 1))
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
signal.alarm(min(120, int(given.get("seconds", 60))))
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
    sys.exit(f"prctl: error {ctypes.get_errno()}")

print("ready 0", flush=True)
held = bytearray(b"x") * (mib << 20)
print("anon", len(held), flush=True)
print("done", len(held), flush=True)
signal.pause()
