"""`--since`: a moment in the past, as people write it."""

from __future__ import annotations

import re
from datetime import datetime

from memtui.cli.common import UsageError

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
_UNITS |= {"w": 7 * 86400, "week": 7 * 86400, "second": 1, "minute": 60}
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([a-z]{1,8})(?:,? (?:and )?)?")
_EXAMPLES = "write 2h, 13h ago, 2026-05-01, 2026-05-01 14:30 or boot"


def parse_since(text: str, now: float, boot: float) -> float:
    """Return the moment in seconds since the epoch; a date without a zone is local time.

    Raises UsageError.
    """
    word = " ".join(text.lower().split())
    if word == "boot":
        return boot
    if word in ("now", "today", "yesterday"):
        return _named(word, now)
    span = _span(word.removesuffix(" ago"))
    moment = _date(text.strip()) if span is None else now - span
    if moment is None:
        raise UsageError(f"--since {text!r} is no time: {_EXAMPLES}")
    if moment > now + 1:
        raise UsageError(f"--since {text!r} is in the future")
    return max(0.0, moment)


def _named(word: str, now: float) -> float:
    if word == "now":
        return now
    midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    days = 86400 if word == "yesterday" else 0
    return midnight.timestamp() - days


def _span(word: str) -> float | None:
    """Seconds of `2h`, `1h30m`, `3 days`; None where it is none."""
    at, total = 0, 0.0
    while at < len(word):
        found = _SPAN.match(word, at)
        unit = found[2] if found else ""
        unit = unit if len(unit) == 1 else unit.removesuffix("s")
        if found is None or unit not in _UNITS:
            return None
        total += float(found[1]) * _UNITS[unit]
        at = found.end()
    return total if word else None


def _date(text: str) -> float | None:
    if text.startswith("@") and text[1:].isdecimal() and text.isascii():
        return float(text[1:]) if len(text) < 16 else None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
