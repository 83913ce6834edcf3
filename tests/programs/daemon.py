"""Become a daemon (fork, setsid, fork), which ignores SIGTERM and SIGHUP and holds `mib` MiB."""

import os
import signal
import sys

MOST_MIB = 512
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib = int(given.get("mib", 1))
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")

print("ready 0", flush=True)
if os.fork():
    os.wait()  # until the daemon is there
    os._exit(int(given.get("status", 0)))
os.setsid()
reader, writer = os.pipe()
if os.fork():
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
signal.alarm(min(120, int(given.get("seconds", 60))))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
held = bytearray(b"x") * (mib << 20)
print("anon", len(held), flush=True)
print("process", os.getpid(), flush=True)
nowhere = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(nowhere, number)
os.close(writer)
signal.pause()
