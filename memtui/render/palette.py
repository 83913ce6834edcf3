"""Colours: three levels that survive colour blindness, one accent, greys.

Colour means pressure against a limit, not a big number, and never stands alone: glyphs and
words say the same.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """How a role is drawn: colours as #rrggbb or by name, "" for what is there already."""

    fg: str = ""
    bg: str = ""
    bold: bool = False
    reverse: bool = False


class Palette(NamedTuple):
    """The colours of one theme."""

    background: str
    foreground: str
    muted: str
    calm: str
    warn: str
    crit: str
    track: str  # the empty part of a bar
    surface: str  # header row and key bar
    selection: str
    series: tuple[str, ...]  # five lines of a chart, told apart by the colour-blind too
    ansi: tuple[str, ...] = ()  # the sixteen that programs name; none: by the terminal's own names
    mono: bool = False  # no colour at all: bold and reverse carry the meaning


DARK = Palette(
    background="#16181d",
    foreground="#d7dae0",
    muted="#8a929e",
    calm="#5aa9e6",
    warn="#f2c14e",
    crit="#f0566a",
    track="#2a2e37",
    surface="#22262e",
    selection="#2d5070",
    series=("#5aa9e6", "#e6a15a", "#4fc1a6", "#b48ef0", "#8a929e"),
    ansi=(
        "#5c6370",
        "#e06c75",
        "#98c379",
        "#e5c07b",
        "#61afef",
        "#c678dd",
        "#56b6c2",
        "#d7dae0",
        "#8a929e",
        "#ff7b86",
        "#b5e08f",
        "#f5d58a",
        "#82c4ff",
        "#dd9af0",
        "#7fd6e0",
        "#ffffff",
    ),
)
LIGHT = Palette(
    background="#fafaf7",
    foreground="#23262d",
    muted="#6a6f78",
    calm="#005f9e",
    warn="#8a5a00",
    crit="#b3174d",
    track="#e2e3df",
    surface="#ecece6",
    selection="#bcd9ef",
    series=("#005f9e", "#b05a00", "#00786a", "#7a3fb8", "#6a6f78"),
    ansi=(
        "#23262d",
        "#b3261e",
        "#2e6b34",
        "#8a5a00",
        "#005f9e",
        "#7a3fb8",
        "#00695f",
        "#6a6f78",
        "#555b66",
        "#c9372c",
        "#3a7d40",
        "#9a6700",
        "#1a73b8",
        "#8e55cc",
        "#0b7a70",
        "#4a4f59",
    ),
)
ANSI = Palette(
    background="default",
    foreground="default",
    muted="bright_black",
    calm="blue",
    warn="yellow",
    crit="red",
    track="default",
    surface="default",
    selection="default",  # reversed instead
    series=("blue", "yellow", "cyan", "magenta", "bright_black"),
)
"""The terminal's own colours, as its user chose them: by name, sixteen at most."""
PALETTES = {"memtui-dark": DARK, "memtui-light": LIGHT, "memtui-ansi": ANSI}
ALIASES = {"dark": "memtui-dark", "light": "memtui-light", "ansi": "memtui-ansi"}


def theme_name(wanted: str, colors: int) -> str:
    """Return the theme that is meant; where none is, the one for a terminal with `colors`.

    `colors` is the number of bits, as `ansi.depth` has it.
    """
    if not wanted:
        return "memtui-ansi" if colors <= 4 else "memtui-dark"
    return ALIASES.get(wanted, wanted)


def _looks(p: Palette) -> dict[str, Look]:
    return {
        "": Look(),
        "bold": Look(bold=True),
        "muted": Look(p.muted),
        "rule": Look(p.muted if p.mono else p.track),
        "calm": Look(p.calm),
        "warn": Look(p.warn, bold=True),
        "crit": Look(p.crit, bold=True, reverse=p.mono),
        "accent": Look(p.calm, bold=True),
        "bar": Look(p.calm, p.track),
        "bar_warn": Look(p.warn, p.track),
        "bar_crit": Look(p.crit, p.track),
        "bar_cache": Look(p.muted, p.track),
        "bar_mark": Look(p.foreground, p.track, bold=True),
        "head": Look(p.muted, p.surface),
        "head_sort": Look(p.foreground, p.surface, bold=True, reverse=p.mono),
        "key": Look(p.calm, p.surface, bold=True),
        "label": Look(p.foreground, p.surface),
        "tag": Look(p.warn, bold=True),
        "job": Look(p.calm, bold=True),
        "pool": Look(p.calm),
        "sum": Look(p.foreground, p.surface, bold=True),
        "tab": Look(p.calm, p.surface, bold=True, reverse=p.mono),
        "cursor": Look(reverse=True),
        "doomed": Look(p.crit, bold=True),
        **{f"series{i}": Look(color, bold=True) for i, color in enumerate(p.series)},
    }


def looks(palette: Palette) -> dict[str, Look]:
    """Return how each role is drawn; without colour, by bold and reverse alone."""
    table = _looks(palette)
    if palette.mono:
        return {role: Look("", "", look.bold, look.reverse) for role, look in table.items()}
    return table


def level(pct: float | None) -> str:
    """Return the role of a share of a limit: calm, warn from 75 %, crit from 90 %."""
    if pct is None or pct < 75:
        return "calm"
    return "warn" if pct < 90 else "crit"
