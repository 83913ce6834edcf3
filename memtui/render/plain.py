"""The rows of `memtui ps` as CSV (RFC 4180): raw numbers, nothing that a terminal acts upon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from memtui.model.fields import Field, limit_share, started
from memtui.model.snapshot import NO_LIMIT, Proc
from memtui.text import safe
from memtui.units import percent

if TYPE_CHECKING:
    from memtui.model.fields import Context

Value = str | int | float | None


def line(values: Iterable[Value]) -> str:
    """Return one record; unknown is empty."""
    return ",".join(map(_quoted, values)) + "\r\n"


def _quoted(value: Value) -> str:
    if value is None:
        return ""
    text = safe(value) if isinstance(value, str) else _number(value)
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _number(n: float) -> str:
    return str(n) if isinstance(n, int) else f"{n:.3f}".rstrip("0").rstrip(".")


def _points(proc: Proc, around: Context) -> Value:
    share = percent(proc.badness, around.total)
    return None if share is None else round(10 * share)


def _age(proc: Proc, around: Context) -> Value:
    began = started(proc, around.boot)
    return None if began is None or around.now is None else around.now - began


_SPECIAL: dict[str, Callable[[Proc, Context], Value]] = {
    "quota": limit_share,
    "host": lambda p, c: percent(p.rss, c.host),
    "user": lambda p, _: None if p.uid is None else p.user,
    "limit": lambda p, _: "none" if p.limit == NO_LIMIT else p.limit,
    "start": lambda p, c: started(p, c.boot),
    "age": _age,
    "oom": _points,
}


def raw(field: Field, proc: Proc, around: Context, numeric: bool = False) -> Value:
    """Return what a column says of a process: bytes, seconds, per cent, or text."""
    if field.key == "user" and numeric:
        return proc.uid
    special = _SPECIAL.get(field.key)
    value: Value = special(proc, around) if special else field.sort(proc)
    return value


def process_lines(
    procs: Sequence[Proc], fields: Sequence[Field], around: Context, numeric: bool, header: bool
) -> str:
    """Return the whole table; the header has the columns' keys."""
    lines = [line(f.key for f in fields)] if header else []
    lines += [line(raw(f, p, around, numeric) for f in fields) for p in procs]
    return "".join(lines)
