"""Values of a document that somebody else may have written: checked, or a ValueError. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memtui.text import safe

Doc = Mapping[str, Any]
"""An object, as JSON calls it."""

MOST = 1 << 63
PATH = 4096  # characters
_LATEST = 1e11  # seconds since the epoch that local time can still show


def as_doc(value: object) -> Doc:
    """Return `value` as an object. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def items(d: Doc, key: str, most: int) -> Sequence[object]:
    """Return a list, `most` of its items. Raises ValueError."""
    value = d.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value[:most]


def int_of(d: Doc, key: str, least: int = 0) -> int | None:
    """Return a whole number from `least` on, None where there is none. Raises ValueError."""
    value = d.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < MOST:
        raise ValueError(f"{key} is no number in range")
    return value


def need(value: int | None) -> int:
    """Return a number that has to be there. Raises ValueError."""
    if value is None:
        raise ValueError("a number is missing")
    return value


def time_of(d: Doc, key: str) -> float:
    """Return a moment, in seconds since the epoch. Raises ValueError."""
    value = d.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{key} is no time")
    if not 0 <= value < _LATEST:  # nor is NaN
        raise ValueError(f"{key} is out of range")
    return float(value)


def bool_of(d: Doc, key: str) -> bool:
    """Return true or false. Raises ValueError."""
    value = d.get(key)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false")
    return value


def text_of(d: Doc, key: str, most: int) -> str:
    """Return a text of at most `most` characters, safe to display. Raises ValueError."""
    value = d.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return safe(value[:most])


def lines_of(d: Doc, key: str, most: int) -> str:
    """Return a text of several lines, each safe to display. Raises ValueError."""
    value = d.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return "\n".join(map(safe, value[:most].split("\n")))


def path_of(d: Doc, key: str) -> str | None:
    """Return a path as the kernel has it: lossless, made safe where it is shown.

    Raises ValueError.
    """
    value = d.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > PATH):
        raise ValueError(f"{key} is no path")
    return value


def one_of(d: Doc, key: str, known: Sequence[str]) -> str:
    """Return one of the words that are known. Raises ValueError."""
    value = d.get(key)
    if value not in known or not isinstance(value, str):
        raise ValueError(f"{key} is none of {', '.join(known)}")
    return value
