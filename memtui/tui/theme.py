"""Themes, and the Rich styles that the roles of `render` have in the theme of the moment."""

from __future__ import annotations

from dataclasses import replace

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

from memtui.render.palette import ALIASES, ANSI, DARK, LIGHT, PALETTES, Palette, looks
from memtui.render.sgr import PREFIX, Ink, ink_of
from memtui.render.spans import Line

_MOST_STYLES = 4096


def _theme(name: str, p: Palette, dark: bool) -> Theme:
    return Theme(
        name=name,
        primary=p.calm,
        secondary=p.calm,
        accent=p.calm,
        warning=p.warn,
        error=p.crit,
        success=p.calm,
        foreground=p.foreground,
        background=p.background,
        surface=p.surface,
        panel=p.track,
        dark=dark,
    )


_CURSOR = {
    "block-cursor-foreground": "ansi_bright_white",
    "block-cursor-background": "ansi_blue",
    "block-cursor-text-style": "bold",
    "block-cursor-blurred-foreground": "ansi_bright_white",
    "block-cursor-blurred-background": "ansi_bright_black",
    "block-cursor-blurred-text-style": "none",
}
"""Seen on a dark background and on a light one: nobody knows which the terminal has."""


def _ansi_theme() -> Theme:
    """Textual's theme of named colours, in memtui's, and for a light background too."""
    base = BUILTIN_THEMES["ansi-dark"]
    return replace(
        base,
        name="memtui-ansi",
        primary="ansi_blue",
        accent="ansi_blue",
        success="ansi_blue",
        variables=base.variables | _CURSOR,
    )


THEMES = (
    _theme("memtui-dark", DARK, True),
    _theme("memtui-light", LIGHT, False),
    _ansi_theme(),
)


def palette_of(theme: Theme, variables: dict[str, str], no_color: bool) -> Palette:
    """Return the palette for a theme: surfaces are the theme's, levels are always ours."""
    if theme.ansi:
        palette = ANSI
    elif theme.name in PALETTES:
        palette = PALETTES[theme.name]
    else:
        ours = DARK if theme.dark else LIGHT
        palette = ours._replace(
            background=variables.get("background", ours.background),
            foreground=variables.get("foreground", ours.foreground),
            surface=variables.get("surface", ours.surface),
            track=variables.get("panel", ours.track),
        )
    return palette._replace(mono=no_color)


def names() -> list[str]:
    """Return the names of all themes, ours first, with the short ones."""
    return [*ALIASES, *PALETTES, *sorted(BUILTIN_THEMES)]


class _Table(dict[str, Style]):
    """Styles by role; those of programs' own colours are made when they are met."""

    def __init__(self, styles: dict[str, Style], ground: Style, palette: Palette) -> None:
        super().__init__(styles)
        self._ground = ground
        self._palette = palette

    def __missing__(self, role: str) -> Style:
        if not role.startswith(PREFIX):
            raise KeyError(role)
        style = self._ground + self._inked(ink_of(role))
        if len(self) < _MOST_STYLES:  # a program may write 16 million of them
            self[role] = style
        return style

    def _inked(self, ink: Ink) -> Style:
        return Style(
            color=self._color(ink.fg),
            bgcolor=self._color(ink.bg),
            bold=ink.bold or None,
            dim=ink.dim or None,
            italic=ink.italic or None,
            underline=ink.underline or None,
            reverse=ink.reverse or None,
            strike=ink.strike or None,
        )

    def _color(self, color: int | str | None) -> str | None:
        if color is None or self._palette.mono:
            return None
        if isinstance(color, str):
            return color
        return self._palette.ansi[color] if self._palette.ansi else f"color({color})"


class Styles:
    """Rich styles by role, for ordinary lines and for the selected one."""

    def __init__(self, palette: Palette, few: bool = False) -> None:
        """`few`: of so few colours the selection's could be the background's."""
        table = looks(palette)
        mono = palette.mono
        ground = Style() if mono else Style(color=palette.foreground, bgcolor=palette.background)
        normal = {
            role: ground
            + Style(
                color=look.fg or None,
                bgcolor=look.bg or None,
                bold=look.bold,
                reverse=look.reverse or None,
            )
            for role, look in table.items()
        }
        self.normal = _Table(normal, ground, palette)
        named = palette.selection == "default"
        reverse = mono or named or few
        chosen = ground + (Style(reverse=True) if reverse else Style(bgcolor=palette.selection))
        # colours inside the selected row are switched off so that its text stays readable
        selected = {role: chosen + Style(bold=look.bold) for role, look in table.items()}
        self.selected = _Table(selected, chosen, palette._replace(mono=True))

    def strip(self, line: Line, width: int, selected: bool = False) -> Strip:
        """Return a line of exactly `width` cells, ready to draw."""
        table = self.selected if selected else self.normal
        return Strip([Segment(text, table[role]) for text, role in line], width)


_cache: dict[tuple[str, bool], Styles] = {}


def styles_of(app: App[object]) -> Styles:
    """Return the styles of the app's present theme."""
    key = app.theme, app.no_color
    if key not in _cache:
        palette = palette_of(app.current_theme, app.theme_variables, app.no_color)
        few = app.console.color_system in ("standard", None)
        _cache[key] = Styles(palette, few)
    return _cache[key]
