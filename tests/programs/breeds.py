"""A family that keeps forking: who is killed one by one goes on in those born meanwhile.

`way=brood`: everybody has children that live for a moment and have children themselves.
`way=flight`: everybody has one child and ends, so that no living parent leads to the child.
Never more than MOST_LIVING at once, never more than MOST_BORN in all; gone after `seconds`.
"""

import contextlib
import mmap
import os
import signal
import struct
import sys
import time

MOST_LIVING, MOST_BORN = 24, 4000
given = dict(word.split("=", 1) for word in sys.argv[1:])
flight = given.get("way") == "flight"
signal.alarm(min(60, int(given.get("seconds", 30))))
born = mmap.mmap(-1, 4096)  # shared: one byte for each place, and how many were born in all
end = time.monotonic() + min(60, int(given.get("seconds", 30)))


def count() -> int:
    """Count one more birth; two at once may count as one."""
    number: int = struct.unpack_from("=I", born, 4)[0] + 1
    struct.pack_into("=I", born, 4, number)
    return number


def fork() -> int:
    """Have a child, where there may be more; it ends with us at the latest. 1: there may not."""
    if count() > MOST_BORN or time.monotonic() > end:
        return 1
    pid = os.fork()
    if not pid:
        signal.alarm(max(1, int(end - time.monotonic())))
    return pid


def breed(places: range) -> None:
    """Have a child in each of two `places`, again and again; each has half of those left.

    Who has no places left lives for a moment only.
    """
    children: dict[int, int] = {}
    half = len(places) // 2
    while half and time.monotonic() < end:
        for place in (places.start, places.start + half):
            if place not in children.values():
                pid = fork()
                if not pid:
                    breed(range(place + 1, place + half))
                    return
                if pid > 1:
                    children[pid] = place
        with contextlib.suppress(ChildProcessError):
            children.pop(os.waitpid(-1, os.WNOHANG)[0], None)
        time.sleep(0.002)
    time.sleep(0.02)


def flee() -> None:
    """Go on in a child, again and again."""
    while time.monotonic() < end:
        time.sleep(0.1)
        pid = fork()
        if pid:
            os._exit(0)


os.write(1, b"ready 0\n")
if flight:
    if fork() == 0:
        flee()
    signal.pause()
else:
    breed(range(MOST_LIVING))
os._exit(0)
