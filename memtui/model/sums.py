"""What smem adds up: processes by user, mappings by name, the machine by area; pure.

A row is a mapping from a column's key to its value: text, a count, bytes, or a `Sum` of bytes
that says of how many processes the number is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from memtui.kernel import procmore
from memtui.model.groups import Sum
from memtui.model.snapshot import Proc
from memtui.text import show

Row = Mapping[str, "str | int | Sum | None"]


class Head(NamedTuple):
    """One column of a summary."""

    key: str
    title: str
    kind: str  # "text", "count" or "size"
    width: int
    help: str


class Report(NamedTuple):
    """One kind of summary: its columns, those shown unasked, and what it is sorted by."""

    heads: tuple[Head, ...]
    shown: tuple[str, ...]
    order: str

    def find(self, name: str) -> Head:
        """Return the column called so. Raises ValueError with a sentence."""
        word = name.strip().lower()
        word = _ALIASES.get(word, word)
        for head in self.heads:
            if word in (head.key, head.title.lower()):
                return head
        known = ", ".join(h.key for h in self.heads)
        raise ValueError(f"no column {name!r} here: choose from {known}")


_ALIASES = {"vss": "virt", "vsz": "virt", "mem": "rss", "mapping": "map", "name": "map"}
_SIZES = (
    Head("swap", "SWAP", "size", 7, "swapped out"),
    Head("uss", "USS", "size", 7, "what nobody else maps"),
    Head("pss", "PSS", "size", 7, "each shared page divided by its users: these sums are right"),
    Head("rss", "RES", "size", 7, "resident, shared pages counted each time"),
    Head("virt", "VIRT", "size", 7, "address space (smem: vss)"),
)
USERS = Report(
    (
        Head("user", "USER", "text", 8, "effective user"),
        Head("count", "COUNT", "count", 5, "processes, without kernel threads"),
        *_SIZES,
    ),
    ("user", "count", "swap", "uss", "pss", "rss"),
    "pss",
)
MAPPINGS = Report(
    (
        Head("map", "MAP", "text", 40, "file, [heap], [stack], <anonymous>"),
        Head("count", "COUNT", "count", 6, "mappings of this name"),
        Head("pids", "PIDS", "count", 5, "processes that have one"),
        *_SIZES,
        Head("avgpss", "AVGPSS", "size", 7, "PSS per process"),
        Head("avguss", "AVGUSS", "size", 7, "USS per process"),
        Head("avgrss", "AVGRSS", "size", 7, "RES per process"),
    ),
    ("map", "pids", "avgpss", "pss"),
    "pss",
)
AREAS = Report(
    (
        Head("order", "ORDER", "count", 5, "the order in which smem has them"),
        Head("area", "AREA", "text", 24, "a part of the machine's memory"),
        Head("used", "USED", "size", 10, "in use"),
        Head("cache", "CACHE", "size", 10, "of it, cache"),
        Head("noncache", "NONCACHE", "size", 10, "of it, no cache"),
    ),
    ("area", "used", "cache", "noncache"),
    "order",
)
_SUMMED = ("swap", "uss", "pss", "rss", "virt")


def _add(procs: Sequence[Proc], key: str) -> Sum:
    values: list[int | None] = [getattr(p, key) for p in procs]
    known = [v for v in values if v is not None]
    return Sum(sum(known), len(procs) - len(known), len(known))


def by_user(procs: Iterable[Proc], numeric: bool = False) -> list[Row]:
    """Return a row for each user: his processes, kernel threads left out."""
    members: dict[int | None, list[Proc]] = {}
    for proc in procs:
        if not proc.kernel_thread:
            members.setdefault(proc.uid, []).append(proc)
    rows: list[Row] = []
    for uid, found in members.items():
        number = "?" if uid is None else str(uid)
        row: dict[str, str | int | Sum | None] = {key: _add(found, key) for key in _SUMMED}
        row |= {"user": number if numeric else found[0].user, "uid": uid, "count": len(found)}
        rows.append(row)
    return rows


def by_mapping(found: Iterable[Sequence[procmore.Mapping]]) -> list[Row]:
    """Return a row for each name that a mapping has; `found` are those of each process."""
    sums: dict[bytes, list[int]] = {}
    for mappings in found:
        for m in mappings:
            row = sums.setdefault(m.name, [0] * 7)
            for i, n in enumerate((m.maps, 1, m.swap, m.uss, m.pss, m.rss, m.virt)):
                row[i] += n
    return [_mapping(name, *row) for name, row in sums.items()]


def _mapping(
    name: bytes, count: int, pids: int, swap: int, uss: int, pss: int, rss: int, virt: int
) -> Row:
    return {
        "map": show(name), "raw": name.decode("utf-8", "surrogateescape"),
        "count": count, "pids": pids, "swap": swap, "uss": uss, "pss": pss, "rss": rss,
        "virt": virt, "avgpss": pss // pids, "avguss": uss // pids, "avgrss": rss // pids,
    }  # fmt: skip


def areas(info: Mapping[str, int]) -> list[Row]:
    """Return smem's areas from the lines of /proc/meminfo, in bytes.

    Firmware and the kernel's image are outside of MemTotal, and no file tells of them: unknown.
    """

    def line(*names: str) -> int | None:
        values = [info.get(n) for n in names]
        known = [v for v in values if v is not None]
        return sum(known) if len(known) == len(names) else None

    total, free, mapped = line("MemTotal"), line("MemFree"), line("Mapped")
    user, cached = line("AnonPages", "Mapped"), line("Buffers", "SReclaimable", "Cached")
    kernel = None if None in (total, free, user) else (total or 0) - (free or 0) - (user or 0)
    cache = None if None in (cached, mapped) else (cached or 0) - (mapped or 0)
    found = (
        ("firmware/hardware", None, None),
        ("kernel image", None, None),
        ("kernel dynamic memory", kernel, cache),
        ("userspace memory", user, mapped),
        ("free memory", free, free),
    )
    return [_area(i, *each) for i, each in enumerate(found)]


def _area(order: int, area: str, used: int | None, cache: int | None) -> Row:
    rest = None if used is None or cache is None else used - cache
    return {"order": order, "area": area, "used": used, "cache": cache, "noncache": rest}


def number(value: str | int | Sum | None) -> float | str | None:
    """Return what a value is sorted by and written as: of a sum, what is known of it."""
    return value.told if isinstance(value, Sum) else value


def arrange(rows: Sequence[Row], head: Head, descending: bool) -> list[Row]:
    """Return the rows sorted; unknown comes last in both directions."""

    def key(row: Row) -> float | str | None:
        return number(row[head.key])

    known = [r for r in rows if key(r) is not None]
    get: Callable[[Row], object] = key
    known.sort(key=get, reverse=descending)  # type: ignore[arg-type]
    return known + [r for r in rows if key(r) is None]


def total(rows: Sequence[Row], key: str) -> Sum:
    """Return the sum of a column, and of how many it is not known."""
    value = unknown = known = 0
    for row in rows:
        each = row[key]
        if isinstance(each, Sum):
            value, unknown, known = (
                value + int(each.value), unknown + each.unknown, known + each.known
            )  # fmt: skip
        elif isinstance(each, int):
            value, known = value + each, known + 1
        else:
            unknown += 1
    return Sum(value, unknown, known)
