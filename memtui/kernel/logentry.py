"""What one line, or one entry, of a log says; and entries that are sets of fields.

Source: systemd.journal-fields(7), "Journal JSON Format"; dmesg(1) for `dmesg -J`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class LogLine(NamedTuple):
    """What one line says."""

    text: bytes  # without the prefix
    kernel: bool
    tag: bytes = b""  # who says it, where that is told
    time: float | None = None  # seconds since the epoch
    monotonic: float | None = None  # seconds since that machine's boot
    log_time: bytes | None = None  # as printed
    caller: bytes = b""  # T and a thread, or C and a CPU


def as_bytes(value: object) -> bytes:
    """Return a field of a journal entry: a string, a list of bytes, or several of those."""
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace")
    if isinstance(value, list) and value:
        if all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
            return bytes(value)
        return as_bytes(value[0]) if isinstance(value[0], str) else b""
    return value if isinstance(value, bytes) else b""


def _micros(entry: dict[str, Any], *keys: str) -> bytes | None:
    """The first of those fields that is there."""
    told = (as_bytes(entry.get(key)) for key in keys)
    return next((value for value in told if value.isdigit() and len(value) <= 19), None)


def from_entry(entry: dict[str, Any]) -> LogLine:
    """Return what a journal entry says (systemd.journal-fields(7))."""
    tag = as_bytes(entry.get("SYSLOG_IDENTIFIER")) or as_bytes(entry.get("_COMM"))
    told = (
        as_bytes(entry.get("_TRANSPORT", "kernel")) == b"kernel"
        and as_bytes(entry.get("SYSLOG_FACILITY", "0")) == b"0"
        and as_bytes(entry.get("SYSLOG_IDENTIFIER", "kernel")) == b"kernel"
    )
    named = "_TRANSPORT" in entry or "SYSLOG_IDENTIFIER" in entry
    realtime = _micros(entry, "__REALTIME_TIMESTAMP")
    monotonic = _micros(entry, "_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
    return LogLine(
        as_bytes(entry.get("MESSAGE")),
        told and named,
        tag,
        int(realtime) / 1e6 if realtime else None,
        int(monotonic) / 1e6 if monotonic else None,
        realtime,
    )


def _dmesg(entry: dict[str, Any]) -> LogLine:
    """An entry of `dmesg -J`: msg, time, pri with the facility in it or beside it."""
    pri, fac = entry.get("pri"), entry.get("fac", "kern")
    stamp = str(entry.get("time", "")).strip()
    try:
        monotonic = float(stamp) if isinstance(entry.get("time"), (int, float)) else None
    except (ValueError, OverflowError):
        monotonic = None
    kernel = fac == "kern" and not (isinstance(pri, int) and pri > 7)
    text = as_bytes(entry.get("msg"))
    return LogLine(text, kernel, b"", None, monotonic, as_bytes(stamp) or None)


def from_json(data: bytes) -> LogLine | None:
    """Return what an entry in JSON says; None where it is none. Lossless for any bytes."""
    import json

    try:
        entry = json.loads(data.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    return _dmesg(entry) if "msg" in entry and "MESSAGE" not in entry else from_entry(entry)
