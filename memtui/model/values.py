"""What a person may write beside a field: sizes, per cent, spans, rates, moments; pure.

Each parser returns a number in the field's own unit, or raises ValueError with one sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from memtui.units import parse_size

_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PER = {"": 1.0, "min": 1.0, "m": 1.0, "s": 60.0, "sec": 60.0, "h": 1 / 60, "hour": 1 / 60}
_DATES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
_DIGITS = frozenset("0123456789")
_MOST = 60  # characters; a longer number is none that a person means

Number = int | float
Parser = Callable[[str], Number]


def _signed(word: str, parse: Parser) -> Number:
    sign = -1 if word[:1] == "-" else 1
    return sign * parse(word[1:] if word[:1] in ("-", "+") else word)


def _plain(word: str) -> float:
    """A decimal number without exponent, underscore or foreign digits."""
    whole, _, part = word.partition(".")
    if not (whole or part) or not _DIGITS.issuperset(whole + part) or len(word) > _MOST:
        raise ValueError
    return float(word)


def parse_bytes(word: str) -> Number:
    """Return bytes of `500m`, `1.5GiB`, `64000`; negative ones have a `-`. Raises ValueError."""
    if len(word) > _MOST:
        raise ValueError("the size is too long")
    return _signed(word, parse_size)


def parse_whole(word: str) -> Number:
    """Return a whole number. Raises ValueError."""
    digits = word[1:] if word[:1] in ("-", "+") else word
    if not digits or not _DIGITS.issuperset(digits) or len(word) > _MOST:
        raise ValueError(f"{word!r} is not a whole number")
    return int(word)


def parse_number(word: str) -> Number:
    """Return a number, with a fraction or without. Raises ValueError."""
    try:
        return _signed(word, _plain)
    except ValueError:
        raise ValueError(f"{word!r} is not a number") from None


def parse_percent(word: str) -> Number:
    """Return per cent of `5`, `7.5%`. Raises ValueError."""
    try:
        return _signed(word.removesuffix("%"), _plain)
    except ValueError:
        raise ValueError(f"{word!r} is not a percentage: write 5 or 7.5%") from None


def parse_span(word: str) -> Number:
    """Return seconds of `90` (seconds), `2h`, `1h30m`, `3d`. Raises ValueError."""
    total, at, text = 0.0, 0, word.lower()
    while at < len(text) <= _MOST:
        end = at
        while end < len(text) and text[end] in "0123456789.":
            end += 1
        stop = end
        while stop < len(text) and text[stop].isalpha():
            stop += 1
        unit = text[end:stop] or ("s" if not at else "")
        if end == at or unit not in _SPANS:
            break
        try:
            total += _plain(text[at:end]) * _SPANS[unit]
        except ValueError:
            break
        at = stop
    if not text or at < len(text):
        raise ValueError(f"{word!r} is not a span of time: write 90s, 5m, 1h30m or 3d")
    return total


def parse_growth(word: str) -> Number:
    """Return bytes a minute of `10m/min`, `1g/h`, `-500k/s`; a minute if not told. ValueError."""
    amount, _, per = word.partition("/")
    if per.lower() not in _PER:
        raise ValueError(f"{word!r} is not a rate: write 10m/min, 1g/h or 500k/s")
    return parse_bytes(amount) * _PER[per.lower()]


def parse_per_second(word: str) -> Number:
    """Return a rate a second of `10`, `10/s`. Raises ValueError."""
    return parse_number(word.removesuffix("/s"))


def parse_moment(word: str) -> Callable[[int], float]:
    """Return what gives seconds since the epoch of `14:30` (today) or `2026-05-01`, from now.

    Local time. Raises ValueError.
    """
    for form in _DATES:
        try:
            then = time.strptime(word, form)
            moment = time.mktime(then)
        except (ValueError, OverflowError):
            continue
        return lambda now: moment
    try:
        clock = time.strptime(word, "%H:%M")
    except ValueError:
        raise ValueError(f"{word!r} is no time: write 14:30 or 2026-05-01") from None
    hour, minute = clock.tm_hour, clock.tm_min

    def today(now: int) -> float:
        day = time.localtime(now)
        return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, hour, minute, 0, 0, 0, -1))

    return today
