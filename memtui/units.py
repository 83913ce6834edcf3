"""Numbers as people read them: bytes, percent and times to text, and sizes from text.

Sizes are binary (1K = 1024 bytes), as in htop, free -h, systemd and docker.
"""

from __future__ import annotations

_UNITS = "KMGTPE"
_DECIMAL = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def processes(count: int) -> str:
    """Return how many processes, in words."""
    return f"{count} process" if count == 1 else f"{count} processes"


def size(n: int | None) -> str:
    """Return bytes in at most five cells: `812K`, `9.81M`, `1000M`, `1.31G`.

    Unknown (None) is `?`, never 0.
    """
    if n is None:
        return "?"
    if n < 0:
        return "-" + size(-n)
    if n < 1024:
        return f"{n}B" if n else "0"
    value = float(n)
    for unit in _UNITS:
        value /= 1024
        if value < 9.995:
            return f"{value:.2f}{unit}"
        if value < 99.95:
            return f"{value:.1f}{unit}"
        if value < 1023.5 or unit == "E":
            return f"{value:.0f}{unit}"
    raise AssertionError("unreachable")


def signed(n: int) -> str:
    """Return a change of bytes in at most six cells: `+9.81M`, `-57M`; none is `·`."""
    return "·" if not n else size(n) if n < 0 else "+" + size(n)


def size_short(n: int) -> str:
    """Return bytes in at most five cells, the sign of a negative number among them: `-1.3G`."""
    text = size(n)
    if len(text) <= 5:
        return text
    value, unit = float(text[:-1]), text[-1]
    if value <= -999.5:
        value, unit = value / 1024, _UNITS[_UNITS.index(unit) + 1]
    return f"{value:.1f}{unit}" if value > -9.95 else f"{value:.0f}{unit}"


SCALES = {"K": 0, "M": 1, "G": 3}
"""Units that sizes can be written in throughout, and their decimals, as top has them."""


def size_in(n: int, unit: str) -> str:
    """Return bytes in one unit of `SCALES`, whatever their magnitude: `9.8`, `12288.0`."""
    return f"{n / 1024 ** (_UNITS.index(unit) + 1):.{SCALES[unit]}f}"


def size_long(n: int | None) -> str:
    """Return bytes as reports write them: `1.31 GiB`."""
    short = size(n)
    return f"{short[:-1]} {short[-1]}iB" if short[-1] in _UNITS else short


def percent(part: float | None, whole: float | None) -> float | None:
    """Return 100 * part / whole, or None where either is unknown or there is no whole."""
    return None if part is None or not whole else 100.0 * part / whole


def cpu_time(seconds: float) -> str:
    """Return CPU time as htop's TIME+ does: `6:25.10`, then `1h22m`, then `3d04h`."""
    if seconds < 3600:
        minutes, rest = divmod(seconds, 60)
        return f"{int(minutes)}:{rest:05.2f}" if rest < 59.995 else f"{int(minutes) + 1}:00.00"
    return duration(seconds)


def duration(seconds: float) -> str:
    """Return a span of time in two units at most: `42s`, `3m05s`, `1h22m`, `3d04h`."""
    s = int(seconds)
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m{s % 60:02d}s"
    if s < 86400:
        return f"{s // 3600}h{s % 3600 // 60:02d}m"
    return f"{s // 86400}d{s % 86400 // 3600:02d}h"


def parse_size(text: str) -> int:
    """Return the bytes that `text` means: `500M`, `2G`, `1.5GiB`, `64000` (bytes), `500MB`.

    K, M, G, T and KiB … are powers of 1024; KB, MB … powers of 1000. Raises ValueError with a
    sentence for the user.
    """
    word = text.strip()
    number = word.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    unit = word[len(number) :].strip().lower()
    if unit in _DECIMAL:
        factor = _DECIMAL[unit]
    elif unit in ("", "b"):
        factor = 1
    else:
        letter = unit.removesuffix("ib").upper()
        factor = 1024 ** (_UNITS.index(letter) + 1) if len(letter) == 1 and letter in _UNITS else 0
    if not factor or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        raise ValueError(f"{text!r} is not a size: write bytes or a unit, as 500M, 2G or 1.5GiB")
    return int(float(number) * factor) if "." in number else int(number) * factor
