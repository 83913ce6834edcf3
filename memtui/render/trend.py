"""The trend line of the quota box: where usage goes, who drives it, and how memory struggles.

Part of the first frame, so it imports no more than it draws with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memtui.model.soon import SOON_S, about
from memtui.render.spans import Line, fitted, spread, width_of
from memtui.text import cells, elide, safe
from memtui.units import size

if TYPE_CHECKING:
    from memtui.model.thrash import Thrash
    from memtui.model.trend import Trend

_LABEL = 9
_SHORTEST = 14  # cells: less than that of some words is none


class _Piece(NamedTuple):
    """Some words of the trend line; those of the lowest rank give way first."""

    text: str
    role: str
    rank: int
    right: bool = False


_UNKNOWN = _Piece("?", "muted", 4)


def _rate(rate: float | None) -> str:
    """A rate in two digits: `+1.2M/s`, `steady`, `?`."""
    if not rate:
        return "?" if rate is None else "steady"
    short = size(round(abs(rate)))
    number, unit = (short[:-1], short[-1]) if short[-1].isalpha() else (short, "B")
    digits = f"{float(number):.{1 if float(number) < 9.95 else 0}f}"
    return f"{'+' if rate > 0 else '-'}{digits}{unit}/s"


def full_words(eta_s: tuple[float, float]) -> str:
    """Return when it will be full: `full in about 3 min`, `full in 2 to 5 min`."""
    low, high = eta_s
    middle = (low + high) / 2
    unit, seconds = ("min", 60) if middle >= 90 else ("s", 1)
    first, last = round(low / seconds), round(high / seconds)
    if high > 1.8 * low and last > first >= 1:
        return f"full in {first} to {last} {unit}"
    return f"full in {about(middle)}"


def _course(trend: Trend) -> list[_Piece]:
    """Where it goes, how fast, and who does it."""
    forecast, grown = trend.forecast, trend.grown
    eta = forecast.eta_s
    if eta is None:
        pieces = [_Piece(_rate(forecast.rate), "muted", 4)]
    else:
        role = "crit" if sum(eta) / 2 < SOON_S else "warn"
        pieces = [_Piece(_rate(forecast.rate), role, 4), _Piece(full_words(eta), role, 9)]
    if grown is not None:
        pieces.append(_Piece(f"mostly {safe(grown.command)}", "muted" if eta is None else "", 3))
    return pieces


def _struggle(thrash: Thrash) -> list[_Piece]:
    """Pressure in words; the first of them says most."""
    first, _, second = thrash.words.partition("; ")
    if not first:
        return []
    if thrash.level == "crit":
        first = f"CRIT {first}"
    role = "muted" if thrash.level in ("calm", None) else thrash.level
    said = [_Piece(first, role, 2 if role == "muted" else 8, right=True)]
    return [*said, _Piece(second, role, 1, right=True)] if second else said


def _beside(pieces: list[_Piece], separator: str) -> Line:
    """Pieces one after the other."""
    line: Line = []
    for piece in pieces:
        line += [(separator, piece.role)] if line else []
        line.append((piece.text, piece.role))
    return line


def _drawn(pieces: list[_Piece]) -> tuple[Line, Line]:
    """The left end and the right end of the line."""
    label: Line = [(f"{' trend':<{_LABEL}}", "muted")]
    right = _beside([p for p in pieces if p.right], "; ")
    gap = "  " if right else " "
    left = [*label, *_beside([p for p in pieces if not p.right], ", "), (gap, "")]
    return left, [*right, (" ", "")] if right else []


def _fitting(pieces: list[_Piece], width: int) -> list[_Piece]:
    """Those that have room, the most important first; one may be cut short."""
    kept: list[_Piece] = []
    for piece in sorted(pieces, key=lambda p: -p.rank):
        spare = width - sum(map(width_of, _drawn([*kept, piece])))
        room = cells(piece.text) + min(0, spare)
        if spare >= 0 or room >= _SHORTEST or not kept:
            kept.append(piece._replace(text=elide(piece.text, max(1, room))))
    return [k for p in pieces for k in kept if (k.rank, k.right) == (p.rank, p.right)]


def trend_line(trend: Trend | None, width: int) -> Line:
    """Return where usage goes and how memory is struggling: `+1.2M/s, full in about 3 min`.

    None: nothing was looked at yet.
    """
    pieces = [_UNKNOWN] if trend is None else _course(trend) + _struggle(trend.thrash)
    left, right = _drawn(_fitting(pieces, width))
    return fitted(spread(left, right, width), width)
