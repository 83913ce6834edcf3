"""A small area graph in braille: two samples a cell, four levels a line."""

from __future__ import annotations

from collections.abc import Sequence

# dots of one braille column from the bottom up: left 7 3 2 1, right 8 6 5 4
_LEFT = (0, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0, 0x80, 0xA0, 0xB0, 0xB8)


def area(values: Sequence[float | None], top: float, width: int, height: int) -> list[str]:
    """Return `height` lines of `width` cells, the newest value at the right end.

    `values` beyond 2 * width are dropped, oldest first; None and what is missing is blank.
    A value above nothing shows at least one dot.
    """
    last = values[-2 * width :]
    shown: list[float | None] = [None] * (2 * width - len(last))
    shown += last
    levels = 4 * height
    dots = [
        0 if v is None or top <= 0 else min(levels, max(round(v / top * levels), 1 if v > 0 else 0))
        for v in shown
    ]
    lines = []
    for y in range(height - 1, -1, -1):
        base = 4 * y
        column = [min(4, max(0, d - base)) for d in dots]
        lines.append(
            "".join(
                chr(0x2800 + _LEFT[column[i]] + _RIGHT[column[i + 1]])
                if column[i] or column[i + 1]
                else " "
                for i in range(0, 2 * width, 2)
            )
        )
    return lines
