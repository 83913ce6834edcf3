"""What the user chose, kept in $XDG_CONFIG_HOME/memtui/config.toml (~/.config by default).

A key that memtui does not know is kept, and told; a value that makes no sense is told, and the
default taken. A file that is no TOML is reported and left alone: nothing is ever saved over it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from memtui.model.fields import BY_KEY, DEFAULT, find
from memtui.model.query import Order
from memtui.render.frame import Shown, Sizes
from memtui.services import atomic, toml
from memtui.services.toml import Value
from memtui.text import safe

_MOST = 1 << 20  # bytes: no settings are longer
MIN_DELAY_S, MAX_DELAY_S = 0.1, 3600.0


class Alerts(NamedTuple):
    """What is to happen at an alert: the table `[alerts]`."""

    title: bool = True  # the terminal's title says it
    bell: bool = False
    notify: bool = False  # the desktop's notification, by the terminal (OSC 9 and 777)
    command: str = ""  # run without a shell, the facts in its environment; "" runs nothing


class Settings(NamedTuple):
    """What was chosen, and what has to be told of the file. None: nothing was chosen."""

    shown: Shown = Shown()
    order: Order = Order()
    theme: str = ""
    delay_s: float = 1.0
    alerts: Alerts = Alerts()
    idle_minutes: float = 30.0  # after which a kernel is one of the idle ones
    told: tuple[str, ...] = ()  # sentences for the user: what was not understood
    broken: bool = False  # the file could not be read: nothing is saved


_DEFAULTS = Settings()
_MOST_MINUTES = 60 * 24 * 30
_FLAGS = {
    "pools": "pools", "tree": "tree", "kernel_threads": "kernel", "paths": "paths",
    "names": "names",    "details": "details",
}  # fmt: skip
"""Keys of the file that are true or false, and the fields of `Shown` that they are."""
_SIZES = {"details_width": "details", "graph_width": "graph", "panels_height": "panels"}
"""Keys of the file that say where a border was put, and the fields of `Sizes` that they are."""
_MOST_CELLS = 1000
_UNITS = {"": "", "auto": "", "K": "K", "KiB": "K", "M": "M", "MiB": "M", "G": "G", "GiB": "G"}
_KNOWN = (
    "columns",
    "sort",
    "idle_minutes",
    "invert",
    "theme",
    "delay",
    "totals",
    "unit",
    "alerts",
    *_FLAGS,
    *_SIZES,
)


def path(env: Mapping[str, str]) -> str:
    """Return where the settings of this user lie."""
    base = env.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):  # the specification says: ignore a relative one
        base = os.path.join(env.get("HOME") or os.path.expanduser("~"), ".config")
    return os.path.join(base, "memtui", "config.toml")


def load(file: str) -> Settings:
    """Return the settings in `file`; the defaults where there is none. Raises nothing."""
    try:
        text = _read(file)
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        return Settings(told=(f"settings not read, {safe(file)}: {safe(why)}",), broken=True)
    if text is None:
        return _DEFAULTS
    try:
        return _understood(toml.loads(text), file)
    except toml.Broken as e:
        words = f"settings not read, and left alone: {safe(file)}: {safe(str(e))}"
        return Settings(told=(words,), broken=True)


def _read(file: str) -> str | None:
    """The file's text; None where there is none. Raises OSError, ValueError."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(fd, "rb") as opened:
        data = opened.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError("it is longer than 1 MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


class _Reader:
    """Takes values out of a parsed table, and notes what makes no sense."""

    def __init__(self, told: dict[str, Any], lead: str = "") -> None:
        self._told = told
        self._lead = lead
        self.words: list[str] = []

    def note(self, key: str, why: str) -> None:
        """Note that the value of `key` was not taken."""
        self.words.append(f"{safe(self._lead + key)} {why}")

    def strange(self, known: tuple[str, ...]) -> None:
        """Note every key that memtui does not know."""
        for key in self._told:
            if key not in known:
                self.note(key, "is not known to memtui, and kept")

    def flag(self, key: str, default: bool | None) -> bool | None:
        """Return true or false."""
        value = self._told.get(key, default)
        if value is default or isinstance(value, bool):
            return value
        self.note(key, "must be true or false")
        return default

    def text(self, key: str) -> str:
        """Return a text; "" where there is none."""
        value = self._told.get(key, "")
        if isinstance(value, str):
            return value
        self.note(key, "must be a text in quotes")
        return ""

    def cells(self, key: str) -> int:
        """Return a number of cells; 0 where there is none."""
        value = self._told.get(key, 0)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_CELLS:
            return value
        self.note(key, f"must be a number of cells up to {_MOST_CELLS}, or 0 for none of your own")
        return 0

    def delay(self) -> float:
        """Return the seconds between refreshes."""
        value = self._told.get("delay", _DEFAULTS.delay_s)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and MIN_DELAY_S <= value <= MAX_DELAY_S:
            return float(value)
        self.note("delay", f"must be {MIN_DELAY_S:g} to {MAX_DELAY_S:g} seconds")
        return _DEFAULTS.delay_s

    def idle_minutes(self) -> float:
        """Return after how many minutes a kernel is one of the idle ones."""
        value = self._told.get("idle_minutes", _DEFAULTS.idle_minutes)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and 0 < value <= _MOST_MINUTES:
            return float(value)
        self.note("idle_minutes", f"must be minutes, above 0 and up to {_MOST_MINUTES}")
        return _DEFAULTS.idle_minutes

    def columns(self) -> tuple[str, ...]:
        """Return the keys of the columns; the command line is always the last."""
        value = self._told.get("columns", list(DEFAULT))
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.note("columns", "must be a list of names in quotes")
            return DEFAULT
        strange = [v for v in value if v not in BY_KEY]
        if strange:
            self.note("columns", f"names no column: {safe(', '.join(strange))}")
        keys = dict.fromkeys(v for v in value if v in BY_KEY and v != "command")
        return (*keys, "command")

    def shown(self) -> Shown:
        """Return what of the table is shown."""
        flags = {
            field: self.flag(key, Shown._field_defaults[field]) is True
            for key, field in _FLAGS.items()
        }
        unit = self.text("unit")
        if unit not in _UNITS:
            self.note("unit", "must be auto, KiB, MiB or GiB")
        totals = self.flag("totals", None)
        sizes = Sizes(**{field: self.cells(key) for key, field in _SIZES.items()})
        return Shown(self.columns(), totals, unit=_UNITS.get(unit, ""), sizes=sizes, **flags)

    def order(self) -> Order:
        """Return what is sorted by."""
        word = self.text("sort") or _DEFAULTS.order.key
        try:
            return Order(find(word).key, bool(self.flag("invert", False)))
        except ValueError:
            self.note("sort", f"names no column: {safe(word)}")
            return _DEFAULTS.order


def _understood(told: dict[str, Any], file: str) -> Settings:
    main = _Reader(told)
    main.strange(_KNOWN)
    table = told.get("alerts", {})
    if not isinstance(table, dict):
        main.note("alerts", "must be a table")
        table = {}
    under = _Reader(table, "alerts.")
    under.strange(Alerts._fields)
    flags = {k: bool(under.flag(k, v)) for k, v in Alerts._field_defaults.items() if k != "command"}
    done = Settings(
        main.shown(),
        main.order(),
        main.text("theme"),
        main.delay(),
        Alerts(command=under.text("command"), **flags),
        main.idle_minutes(),
    )
    words = [*main.words, *under.words]
    return done._replace(told=tuple(f"{safe(file)}: {w}" for w in words))


def changed(shown: Shown, order: Order, kept: Settings) -> dict[str, Value]:
    """Return what is now another than in `kept`, by the keys of the file."""
    now, was = _written(shown, order), _written(kept.shown, kept.order)
    return {k: v for k, v in now.items() if v is not None and v != was[k]}


def _written(shown: Shown, order: Order) -> dict[str, Value | None]:
    return {
        "columns": list(shown.columns),
        "totals": shown.totals,
        "sort": order.key,
        "invert": order.inverted,
        "unit": f"{shown.unit}iB" if shown.unit else "auto",
        **{key: bool(getattr(shown, field)) for key, field in _FLAGS.items()},
        **{key: int(getattr(shown.sizes, field)) for key, field in _SIZES.items()},
    }


def save(file: str, changes: Mapping[str, Value]) -> str:
    """Put new values into `file`, atomically; return "", or in words why it could not be done.

    Keys are those of the file: `columns`, `sort`, `alerts.bell`. What else it says stays, and a
    link stays one. A file that is no TOML is left alone.
    """
    target = os.path.realpath(file)
    try:
        text = toml.edit(_read(target) or "", changes)
        _write(target, text)
    except OSError as e:
        return f"not saved, {safe(file)}: {safe(e.strerror or str(e))}"
    except ValueError as e:  # Broken is one
        return f"not saved, {safe(file)} is left alone: {safe(str(e))}"
    return ""


def _write(target: str, text: str) -> None:
    """Replace `target` as a whole: whoever reads it sees the old or the new one. OSError."""
    directory = os.path.dirname(target)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    mode = 0o600
    with contextlib.suppress(OSError):
        mode = os.stat(target).st_mode & 0o777
    atomic.replace(target, text.encode(), mode)
