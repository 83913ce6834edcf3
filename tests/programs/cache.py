"""Read `mib` MiB of `file` from its disk, so that they are in the page cache; keep it open.

With hold=0 it ends then.
"""

import os
import signal
import sys

MOST_MIB = 128
given = dict(word.split("=", 1) for word in sys.argv[1:])
mib = int(given["mib"])
if mib > MOST_MIB:
    sys.exit(f"no more than {MOST_MIB} MiB")
signal.alarm(min(120, int(given.get("seconds", 60))))

print("ready 0", flush=True)
with open(given["file"], "rb", buffering=0) as file:
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what others had read
    done, room = 0, memoryview(bytearray(1 << 16))
    while done < mib << 20 and (got := file.readinto(room[: (mib << 20) - done])):
        done += got
        if done % (1 << 20) == 0:
            print("cache", done, flush=True)
    print("done", done, flush=True)
    if given.get("hold") != "0":
        signal.pause()
