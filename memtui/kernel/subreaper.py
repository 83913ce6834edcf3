"""Orphans of our descendants become our children, so that no double fork leaves the tree."""

from __future__ import annotations

_PR_SET_CHILD_SUBREAPER = 36  # Linux 3.4


def become_subreaper() -> bool:
    """Have it so for this process from now on; False where that cannot be had."""
    import ctypes  # only where it is needed: 2 ms

    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
