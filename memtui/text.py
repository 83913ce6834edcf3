"""The border for foreign text: what a process calls itself never reaches a terminal unchecked.

Process names, command lines, cgroup paths and log lines are hostile input. Everything shown
passes `safe` once, where it enters the model; widths are counted in terminal cells.
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

_PICTURES = {i: chr(0x2400 + i) for i in range(0x20)} | {0x7F: "␡"}
_VARIATION = dict.fromkeys(range(65024, 65040))  # would widen the cell before them


def safe(text: str) -> str:
    """Return `text` with everything a terminal could act upon made visible.

    C0 controls and DEL become their control pictures (ESC is `␛`); C1, surrogates, bidi and
    zero-width characters, private use and unassigned code points become `�`.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_VARIATION).translate(_PICTURES)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "�" for c in text)


def decode(raw: bytes) -> str:
    """Return kernel bytes as lossless text (undecodable bytes as lone surrogates)."""
    return raw.decode("utf-8", "surrogateescape")


def show(raw: bytes) -> str:
    """Return kernel bytes as text that is safe to display."""
    return safe(raw.decode("utf-8", "replace"))


def _cell(char: str) -> int:
    if category(char) in ("Mn", "Me"):  # first: some of these are wide marks of wide letters
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def cells(text: str) -> int:
    """Return the width of `text` in terminal cells."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def clip(text: str, width: int) -> str:
    """Return the longest beginning of `text` that fits `width` cells."""
    if text.isascii():
        return text[: max(0, width)]
    used = 0
    for i, char in enumerate(text):
        used += _cell(char)
        if used > width:
            return text[:i]
    return text


def clip_left(text: str, width: int) -> str:
    """Return the longest end of `text` that fits `width` cells."""
    used, start = 0, len(text)
    for i in range(len(text) - 1, -1, -1):
        used += _cell(text[i])
        if used > width:
            break
        start = i
    return text[start:]


def elide(text: str, width: int) -> str:
    """Return `text` cut at the end to `width` cells, with `…` where something was lost."""
    if 2 * len(text) <= width or cells(text) <= width:  # counting costs more than all else
        return text
    return clip(text, width - 1) + "…" if width > 0 else ""


def elide_left(text: str, width: int) -> str:
    """Return `text` cut at the front: the end of a path tells more than its beginning."""
    if cells(text) <= width:
        return text
    return "…" + clip_left(text, width - 1) if width > 0 else ""


def fit(text: str, width: int, right: bool = False) -> str:
    """Return `text` elided and padded to exactly `width` cells."""
    text = elide(text, width)
    pad = " " * (width - cells(text))
    return pad + text if right else text + pad
