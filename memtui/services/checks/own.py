"""memtui's own surroundings: the terminal, and what it is made of."""

from __future__ import annotations

import locale
import os
import platform
import sys
from importlib import metadata

from memtui import __version__
from memtui.kernel.probe import read_release
from memtui.model.finding import LIMITED, NO, OK, Finding
from memtui.render.ansi import COLORS_16, NO_COLOR, TRUE_COLOR, depth
from memtui.render.frame import MIN_HEIGHT, MIN_WIDTH
from memtui.services.checks.seen import Seen, not_in_files

_COLORS = {NO_COLOR: "no colour", COLORS_16: "16 colours", TRUE_COLOR: "true colour"}
_PACKAGES = ("psutil", "textual", "plotext")


def _codeset() -> str:
    """What the locale's characters are encoded as, in words as `UTF-8`."""
    try:
        return locale.nl_langinfo(locale.CODESET)
    except (AttributeError, ValueError):
        return locale.getpreferredencoding(False)


def _size() -> os.terminal_size | None:
    try:
        return os.get_terminal_size(2)  # where the screen is drawn
    except OSError:
        return None


def _complaints(size: os.terminal_size, codeset: str) -> dict[str, str]:
    """What a terminal lacks, and what would mend it."""
    lacks = {}
    if codeset.upper().replace("-", "") != "UTF8":
        lacks[f"the locale's characters are {codeset}"] = "a UTF-8 locale, as LC_ALL=C.UTF-8"
    if size.columns < MIN_WIDTH or size.lines < MIN_HEIGHT:
        lacks["it is too small"] = f"{MIN_WIDTH}x{MIN_HEIGHT} cells or more"
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        lacks["TERM is not set, or dumb"] = "TERM, as xterm-256color"
    return lacks


def check_terminal(seen: Seen) -> Finding:
    """Say what the screen would be drawn on; what only Textual could ask is left out."""
    if not seen.live:
        return not_in_files("terminal", "the terminal")
    size, codeset, colors = _size(), _codeset(), depth(dict(os.environ))
    shown = _COLORS.get(colors, "256 colours")
    facts = {
        "columns": size.columns if size else None,
        "lines": size.lines if size else None,
        "colors": {NO_COLOR: 0, COLORS_16: 16, TRUE_COLOR: 1 << 24}.get(colors, 256),
        "encoding": codeset,
    }
    if size is None or not os.isatty(0):
        means = "the screen cannot be shown; ps, quota, run and doctor need none"
        why = "stdin or stderr is not a terminal"
        return Finding("terminal", NO, means, why, "a terminal on stdin and stderr", facts)
    means = f"{size.columns}x{size.lines}, {shown}, {codeset}"
    if lacks := _complaints(size, codeset):
        why, grant = "; ".join(lacks), "; ".join(lacks.values())
        return Finding("terminal", LIMITED, means, why, grant, facts)
    return Finding("terminal", OK, means, facts=facts)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_versions(seen: Seen) -> Finding:
    """Say what runs here: memtui, Python, its packages; and the kernel looked at."""
    facts: dict[str, str | None] = {
        "memtui": __version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }
    means = ", ".join(f"{name} {version or 'missing'}" for name, version in facts.items())
    kernel = f"{platform.system()} {platform.release()}" if seen.live else read_release(seen.roots)
    facts["kernel"] = kernel
    means += f"; {kernel or 'kernel unknown'}"
    means += f" on {platform.machine()}" if seen.live else " where the files are from"
    missing = [package for package in _PACKAGES if facts[package] is None]
    if missing:
        why = f"{' and '.join(missing)} cannot be found: the screen or its charts are not to be had"
        return Finding(
            "versions", LIMITED, means, why, f"{sys.executable} -m pip install memtui", facts
        )
    return Finding("versions", OK, means, facts=facts)
