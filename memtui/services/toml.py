"""TOML as far as memtui's own settings go: a quick reader, and an editor that spares all else.

The reader understands the plain lines that memtui writes itself, and leaves anything else to
tomllib, whose import alone would hold up the first frame. The editor changes the value of one key
where it stands: comments, order and foreign keys stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Value = bool | int | float | str | list[str]

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_NUMBER = frozenset("0123456789.")


class Broken(ValueError):
    """Text that is no TOML; says where and why."""


def loads(text: str) -> dict[str, Any]:
    """Return what TOML text says. Raises Broken."""
    plain = _read_plain(text)
    return _read_any(text) if plain is None else plain


def _read_any(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        told: dict[str, Any] = tomllib.loads(text)
        return told
    except tomllib.TOMLDecodeError as e:
        raise Broken(str(e)) from None
    except RecursionError:
        raise Broken("too deeply nested") from None


def _read_plain(text: str) -> dict[str, Any] | None:
    """Return what plain lines say; None where a line is anything else, or a key stands twice."""
    whole: dict[str, Any] = {}
    table = whole
    for line in text.split("\n"):
        if not line or (line[0] == "#" and line.isprintable()):
            continue
        header = line[0] == "[" and line[-1] == "]"
        key, _, word = (line[1:-1], "", "") if header else line.partition(" = ")
        if not key or not _BARE.issuperset(key) or key in (whole if header else table):
            return None
        if header:
            table = whole[key] = {}
            continue
        value = _plain_value(word)
        if value is None:
            return None
        table[key] = value
    return whole


def _plain_value(word: str) -> Value | None:
    if word in ("true", "false"):
        return word == "true"
    if word[:1] == "[" and word[-1:] == "]":
        parts = word[1:-1].split(", ") if word != "[]" else []
        texts = [_plain_text(p) for p in parts]
        return None if None in texts else [t for t in texts if t is not None]
    if word[:1] == '"':
        return _plain_text(word)
    if not word.isascii() or not _NUMBER.issuperset(word) or len(word) > 9:
        return None
    whole, point, part = word.partition(".")
    if not whole.isdecimal() or (whole[0] == "0" and len(whole) > 1):
        return None
    if not point:
        return int(whole)
    return float(word) if part.isdecimal() else None


def _plain_text(word: str) -> str | None:
    text = word[1:-1]
    plain = len(word) > 1 and word[0] == word[-1] == '"' and text.isprintable()
    return text if plain and '"' not in text and "\\" not in text else None


def dump(value: Value) -> str:
    """Return a value as TOML writes it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(dump(v) for v in value)}]"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"


# -- editing


class _Statement(NamedTuple):
    """Lines that belong together: a header, a key with its value, or neither."""

    begin: int
    end: int
    table: str | None  # "" above all headers; None in what memtui does not write
    key: str | None


def _statements(lines: list[str]) -> Iterator[_Statement]:
    table: str | None = ""
    at = 0
    while at < len(lines):
        word = lines[at].strip()
        end = at + 1
        key = None
        if word.startswith("["):
            name = word.partition("#")[0].strip()[1:-1].strip()
            table = name if _BARE.issuperset(name) else None
        elif word and word[0] != "#":
            end, key = _value_end(lines, at)
        yield _Statement(at, end, table, key)
        at = end


def _value_end(lines: list[str], at: int) -> tuple[int, str | None]:
    """Return the line behind a key's value, which may go over many, and the key if it is plain."""
    for end in range(at + 1, len(lines) + 1):
        try:
            told = _read_any("\n".join(lines[at:end]))
        except Broken:
            continue
        key = next(iter(told), None)
        return end, None if key is not None and isinstance(told[key], dict) else key
    raise Broken(f"line {at + 1} has no end")


def edit(text: str, changes: Mapping[str, Value]) -> str:
    """Return `text` with new values for these keys, `name` or `table.name`.

    Everything else stays as it was, to the byte. Raises Broken where `text` is no TOML, or is
    written so that the keys cannot be told apart.
    """
    wanted = _merged(loads(text), changes)
    for key, value in changes.items():
        text = _edit_one(text, key, value)
    if loads(text) != wanted:
        raise Broken("it is written in a way that memtui cannot change; edit it by hand")
    return text


def _merged(told: dict[str, Any], changes: Mapping[str, Value]) -> dict[str, Any]:
    for path, value in changes.items():
        table, _, key = path.rpartition(".")
        into = told.setdefault(table, {}) if table else told
        if not isinstance(into, dict):
            raise Broken(f"{table} is no table")
        into[key] = value
    return told


def _edit_one(text: str, path: str, value: Value) -> str:
    table, _, key = path.rpartition(".")
    lines = text.split("\n")
    new = f"{key} = {dump(value)}"
    last = None
    for found in _statements(lines):
        if found.table != table:
            continue
        if found.key == key:
            return "\n".join([*lines[: found.begin], new, *lines[found.end :]])
        if found.key is not None or (table and lines[found.begin].strip().startswith("[")):
            last = found.end
    if last is not None:
        return "\n".join([*lines[:last], new, *lines[last:]])
    if not table:
        return f"{new}\n{text}"
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}[{table}]\n{new}\n"
