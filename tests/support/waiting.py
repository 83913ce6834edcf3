"""Waiting for a descriptor, however large its number: select() knows none above 1023."""

from __future__ import annotations

import select


def readable(fd: int, seconds: float) -> bool:
    """Whether something can be read from `fd`, or it was closed, within that time."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * max(0.0, seconds)))
