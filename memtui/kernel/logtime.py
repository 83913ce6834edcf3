"""Times as logs print them, to seconds since the epoch.

A time without a zone (`dmesg -T`, RFC 3164) is that of the machine that wrote it; it is read as
this machine's local time, which holds when the log is read where it was written. A date without a
year (RFC 3164, `journalctl -o short`) is no date: it becomes one only where somebody says of a
moment after it (`with_year`).
"""

from __future__ import annotations

import re
import time as clock

_MONTHS = {
    m: i + 1 for i, m in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
}
_DAY_S = 86400
_ISO = rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
ISO = re.compile(_ISO + rb" ?(Z|UTC|[+-]\d\d:?\d\d)?")
"""ISO 8601 and RFC 3339, and `dmesg --time-format iso` with its comma."""
FULL = re.compile(rb"[A-Z][a-z]{2} " + _ISO + rb" ([A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)(?= )")
"""`journalctl -o short-full` and `with-unit`."""
CTIME = re.compile(rb"(?:[A-Z][a-z]{2}) ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})")
"""`dmesg -T`, and what ctime(3) writes."""
YEARLESS = re.compile(
    rb"([^\s\d\[<{]\S{1,15}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?= )"
)
"""RFC 3164 and `journalctl -o short`, `short-precise`, in any language."""
UNIX = re.compile(rb"(\d{9,11}\.\d{3,9})(?= )")
"""`journalctl -o short-unix`."""


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar."""
    year -= month <= 2
    shifted = (month + 9) % 12
    before = year * 365 + year // 4 - year // 100 + year // 400
    return before + (153 * shifted + 2) // 5 + day - 1 - 719468


def _fraction(digits: bytes | None) -> float:
    return int(digits) / 10 ** len(digits) if digits else 0.0


def _local(parts: tuple[int, ...]) -> float | None:
    try:
        return clock.mktime((*parts, 0, 0, -1))  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return None


def _epoch(parts: tuple[int, ...], fraction: float, offset_s: int | None) -> float | None:
    """Year, month, day, hour, minute, second; `offset_s` None is the local zone."""
    year, month, day, hour, minute, second = parts
    in_range = 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61
    if not in_range or year < 1970:
        return None
    if offset_s is None:
        whole = _local(parts)
        return None if whole is None else whole + fraction
    seconds = _days(year, month, day) * _DAY_S + hour * 3600 + minute * 60 + second
    return seconds - offset_s + fraction


def _offset(zone: bytes | None) -> int | None:
    """Seconds east of UTC; None where no zone is named. Raises ValueError for one of elsewhere."""
    if not zone:
        return None
    if zone in (b"Z", b"UTC", b"GMT"):
        return 0
    digits = zone[1:].replace(b":", b"").ljust(4, b"0")
    if zone[:1] in b"+-" and digits.isdigit():
        east = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        return -east if zone[:1] == b"-" else east
    if zone.decode("ascii", "replace") in clock.tzname:
        return None
    raise ValueError("an abbreviation that means nothing here")


def iso_epoch(found: re.Match[bytes]) -> float | None:
    """Return the seconds since the epoch that a match of ISO or FULL means."""
    try:
        offset = _offset(found[8])
    except ValueError:
        return None
    return _epoch(tuple(map(int, found.groups()[:6])), _fraction(found[7]), offset)


def ctime_epoch(found: re.Match[bytes]) -> float | None:
    """Return the seconds since the epoch that a match of CTIME means in the local zone."""
    month = _MONTHS.get(found[1], 0)
    day, hour, minute, second, year = map(int, found.groups()[1:])
    return _epoch((year, month, day, hour, minute, second), 0.0, None)


def with_year(log_time: bytes, reference: float) -> float | None:
    """Return the epoch of a date without a year that is at most a day later than `reference`.

    `reference` is in seconds since the epoch: when the log was last written. None where
    `log_time` is something else.
    """
    found = YEARLESS.match(log_time + b" ")
    if found is None or found[1] not in _MONTHS:
        return None
    rest = (_MONTHS[found[1]], *map(int, found.groups()[1:5]))
    year = clock.localtime(reference).tm_year
    for candidate in (year + 1, year, year - 1):
        told = _epoch((candidate, *rest), _fraction(found[6]), None)
        if told is not None and told <= reference + _DAY_S:
            return told
    return None


def yearless_apart(one: bytes, other: bytes) -> float:
    """Return the seconds between two times as printed; infinite where that is unclear."""
    if one == other:
        return 0.0
    a, b = YEARLESS.match(one + b" "), YEARLESS.match(other + b" ")
    if a is None or b is None or a.groups()[:2] != b.groups()[:2]:
        return float("inf")
    seconds = [int(m[3]) * 3600 + int(m[4]) * 60 + int(m[5]) + _fraction(m[6]) for m in (a, b)]
    return abs(seconds[0] - seconds[1])
