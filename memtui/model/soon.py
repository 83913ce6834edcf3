"""Times that are not exact, in words."""

from __future__ import annotations

from memtui.units import duration

SOON_S = 120.0
"""Seconds until full from which on it is an alarm."""


def about(seconds: float) -> str:
    """Return a time that is not exact: `about 40 s`, `about 3 min`."""
    if seconds < 1.5:
        return "a second"
    if seconds < 9.5:
        return f"about {seconds:.0f} s"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {duration(seconds)}"
