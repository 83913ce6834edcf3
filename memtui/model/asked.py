"""Columns and orders as a command line asks for them: smem's names beside memtui's own; pure."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from memtui.model import fields, query
from memtui.model.fields import BY_KEY, FIELDS, Field
from memtui.model.snapshot import Proc

SMEM = ("pid", "user", "swap", "uss", "pss", "rss", "command")
"""What smem shows, the command line last: there it need not be cut."""

MAPPINGS = 1 << 16
"""As `Field.needs`: smaps, which costs 15 ms per GiB and 20 us per mapping."""

OF_MAPPINGS = frozenset({"maps", "swap", "uss", "pss", "rss", "virt"})
"""What is known of some mappings as of all."""

OF_WHOLE = frozenset(
    {
        "shr", "priv", "anon", "shmem", "peak", "growth", "oom", "limit", "tree", "quota", "host",
    }
)  # fmt: skip
"""What is known of a whole process only, never of some of its mappings."""


class Mapped(Proc):
    """A process whose mappings were counted."""

    maps: int | None = None


def with_maps(proc: Proc, maps: int) -> Mapped:
    """Return `proc` with the number of its mappings."""
    made = Mapped._make(proc)
    made.maps = maps
    return made


def _maps(proc: Proc) -> int | None:
    return proc.maps if isinstance(proc, Mapped) else None


def _maps_text(proc: Proc, _: fields.Context) -> str:
    maps = _maps(proc)
    return "·" if proc.kernel_thread else "?" if maps is None else str(maps)


EXTRA = (
    Field(
        "name", "NAME", 15, False, False, 41,
        attrgetter("name"), lambda p, _: p.name,
        "the program's name as the kernel has it; /proc/PID/stat",
    ),
    Field(
        "maps", "MAPS", 6, True, True, 9,
        _maps, _maps_text,
        "how many mappings; /proc/PID/smaps",
        MAPPINGS,
    ),
)  # fmt: skip
"""Columns that only `memtui ps` has."""

_EXTRA = {f.key: f for f in EXTRA}
_ALIASES = {"vss": "virt", "vsz": "virt", "comm": "name", "cmd": "command", "args": "command"}


class By(query.Order):
    """An order that may go by the columns of `EXTRA` too."""

    __slots__ = ()

    @property
    def field(self) -> Field:
        """The column sorted by."""
        return column(self.key)


def column(key: str) -> Field:
    """Return the column of this key. Raises KeyError."""
    return _EXTRA.get(key) or BY_KEY[key]


def find(name: str) -> Field:
    """Return the column that memtui or smem calls so. Raises ValueError with a sentence."""
    word = name.strip().lower()
    word = _ALIASES.get(word, word)
    try:
        return _EXTRA.get(word) or fields.find(word)
    except ValueError:
        known = " ".join(f.key for f in (*FIELDS, *EXTRA))
        raise ValueError(f"no column {name!r}: choose from {known}") from None


def words(text: str) -> list[str]:
    """Return the names in a list of columns, with blanks (as smem has it) or commas between."""
    return text.replace(",", " ").split()


def needs(columns: Iterable[Field]) -> int:
    """Return what has to be read for these columns, as bits."""
    bits = 0
    for each in columns:
        bits |= each.needs
    return bits
