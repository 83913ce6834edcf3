"""One line of a log: whose it is, when, and what it says without its prefix.

Shapes: the kernel's own text; dmesg(1) with and without `-T`, `-x`, `-r`, `-d`, `-e`, with
callers (CONFIG_PRINTK_CALLER); records of /dev/kmsg (Documentation/ABI/testing/dev-kmsg) and
netconsole; journalctl(1) short, short-precise, -iso, -monotonic, -full, -unix, with-unit, json and
export; syslog by RFC 3164, RFC 5424 and RFC 3339, busybox and OpenWrt; serial consoles with escape
sequences and a console server's time before each line.

Only the kernel's text is the kernel's: facility 0 where a facility is told (what programs write to
/dev/kmsg has another), the tag `kernel` without a PID, the journal's kernel transport.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from memtui.kernel import logtime

_DEPTH = 3  # prefixes within prefixes
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\^_])")
_KMSG = re.compile(rb"(\d{1,4}),\d{1,20},(\d{1,20}),[^;,]{1,8}((?:,[^;]{0,200})?);")
_CALLER = re.compile(rb"caller=([TC]\d+)")
_CALLER_FIELD = re.compile(rb"\[ *([TC]\d+)\] ?")
_MANGLED = re.compile(rb"\\x([0-9a-f]{2})")
_PRI = re.compile(rb"<(\d{1,4})>")
_RFC5424 = re.compile(rb"1 (\S+) \S+ (\S+) (\S+) \S+ (?:(-)(?: |$)|(?=\[))")
_DATA = re.compile(rb'\[[^"\]]{0,200}(?:"(?:[^"\\]|\\.){0,1000}"[^"\]]{0,200}){0,64}\]')
_MONOTONIC = re.compile(
    rb"\[ *(\d{1,12}\.\d{1,9})(?: *<[^>]{0,24}>)?\](?: ?\[ *([TC]\d+)\])?(?: |$)"
)
_NO_TIME = re.compile(rb"\[(?:< *[\d.]+>|  *\+[\d.]+|[A-Z][a-z]{2} ?\d{1,2} \d\d:\d\d)\] ")
_LEVEL = re.compile(rb"([a-z0-9]{2,8}) *:([a-z]{3,7}) *: ")
_TAG = re.compile(
    rb"(?:\S*[^\s:] )?(?:([a-z0-9]{2,8})\.[a-z]{3,8} )?([^\s:\[\]]+)(\[[^\]\s]{0,20}\])?:(?: |$)"
)
_HOST_KERNEL = re.compile(rb"\S+ kernel: ")
_CONSOLE = re.compile(rb"[^\[<]{0,80}(?:login: (?=\[)|(?=<\d{1,2}>\[))(?=(?:<\d+>)?\[ *\d+\.\d+\])")
_BARE = (b"memory", b"memory+swap", b"swap", b"kmem", b"oom_reaper")
"""Not tags, but how lines of the kernel's dump begin."""


class LogLine(NamedTuple):
    """What one line says."""

    text: bytes  # without the prefix
    kernel: bool
    tag: bytes = b""  # who says it, where that is told
    time: float | None = None  # seconds since the epoch
    monotonic: float | None = None  # seconds since that machine's boot
    log_time: bytes | None = None  # as printed
    caller: bytes = b""  # T and a thread, or C and a CPU


def unmangle(text: bytes) -> bytes:
    r"""Return `text` with `\xNN` as bytes: how /dev/kmsg writes what is not printable ASCII."""
    if b"\\x" not in text:
        return text
    return _MANGLED.sub(lambda m: bytes((int(m[1], 16),)), text)


def split(line: bytes, depth: int = 0) -> LogLine:
    """Return what a line says; never raises. A line without a known prefix is kernel text."""
    parse = _BY_FIRST.get(line[:1], _words)
    return (depth < _DEPTH and parse(line, depth)) or LogLine(line, True)


def _kmsg(line: bytes, depth: int) -> LogLine | None:
    found = _KMSG.match(line)
    if found is None:
        return _stamped(line, depth)
    caller = _CALLER.search(found[3]) if found[3] else None
    kernel = int(found[1]) < 8
    return LogLine(
        unmangle(line[found.end() :]),
        kernel,
        b"kernel" if kernel else b"",
        None,
        int(found[2]) / 1e6,
        found[2],
        caller[1] if caller else b"",
    )


def _stamped(line: bytes, depth: int) -> LogLine | None:
    """A time, then perhaps a host and a tag."""
    if found := logtime.ISO.match(line):
        return _after(line, found, logtime.iso_epoch(found), depth)
    if found := logtime.UNIX.match(line):
        return _after(line, found, float(found[1]), depth)
    return None


def _after(line: bytes, stamp: re.Match[bytes], time: float | None, depth: int) -> LogLine:
    log_time, rest = stamp[0].rstrip(), line[stamp.end() :].lstrip(b" ")
    tag = _TAG.match(rest)
    if tag is None or tag[2] in _BARE:
        console = _CONSOLE.match(rest)
        rest = rest[console.end() :] if console else rest
        inner = split(rest, depth + 1) if rest[:1] in b"[<" else LogLine(rest, True)
        return inner._replace(time=time, log_time=log_time)
    kernel = tag[2] == b"kernel" and not tag[3] and tag[1] in (None, b"kern")
    text = rest[tag.end() :]
    if not kernel:
        return LogLine(text, False, tag[2], time, None, log_time)
    inner = _bracket(text, _DEPTH) or LogLine(text, True)
    return inner._replace(tag=b"kernel", time=time, log_time=log_time)


def _bracket(line: bytes, depth: int) -> LogLine | None:
    if found := _MONOTONIC.match(line):
        text = line[found.end() :]
        if host := _HOST_KERNEL.match(text):
            text = text[host.end() :]
        return LogLine(text, True, b"", None, float(found[1]), found[1], found[2] or b"")
    if depth >= _DEPTH:
        return None
    if found := _NO_TIME.match(line):
        return LogLine(line[found.end() :], True, log_time=found[0][1:-2].strip())
    end = line.find(b"]", 0, 48)
    return _dated(line, line[1:end], end + 1, depth) if end > 0 else None


def _dated(line: bytes, stamp: bytes, end: int, depth: int) -> LogLine | None:
    """A date in brackets: dmesg -T, or a console server's before the kernel's own prefix."""
    rest = line[end:].lstrip(b" ")
    if found := logtime.CTIME.fullmatch(stamp):
        caller = _CALLER_FIELD.match(rest)
        text = rest[caller.end() :] if caller else rest
        who = caller[1] if caller else b""
        return LogLine(text, True, b"", logtime.ctime_epoch(found), None, stamp, who)
    if found := logtime.ISO.fullmatch(stamp):
        inner = split(rest, depth + 1)
        return inner._replace(time=logtime.iso_epoch(found), log_time=stamp)
    return None


def _priority(line: bytes, depth: int) -> LogLine | None:
    pri = _PRI.match(line)
    if pri is None:
        return None
    rest, from_kernel = line[pri.end() :], int(pri[1]) < 8
    found = _RFC5424.match(rest)
    if found is None:
        inner = split(rest, depth + 1)
        return inner._replace(kernel=inner.kernel and from_kernel)
    stamp = logtime.ISO.match(found[1])
    start = found.end()
    while not found[4] and (data := _DATA.match(rest, start)):
        start = data.end()
    start += not found[4] and rest[start : start + 1] == b" "
    text = rest[start:].removeprefix(b"\xef\xbb\xbf")
    inner = _bracket(text, _DEPTH) or LogLine(text, True)
    return inner._replace(
        kernel=from_kernel and found[2] == b"kernel" and found[3] == b"-",
        tag=found[2],
        time=logtime.iso_epoch(stamp) if stamp else None,
        log_time=found[1],
    )


def _words(line: bytes, depth: int) -> LogLine | None:
    if found := _LEVEL.match(line):
        inner = split(line[found.end() :], depth + 1)
        return inner._replace(kernel=inner.kernel and found[1] == b"kern")
    if found := logtime.YEARLESS.match(line):
        return _after(line, found, None, depth)
    if found := logtime.FULL.match(line):
        return _after(line, found, logtime.iso_epoch(found), depth)
    if found := logtime.CTIME.match(line):
        return _after(line, found, logtime.ctime_epoch(found), depth)
    if found := _CONSOLE.match(line):
        return split(line[found.end() :], depth + 1)
    return None


def _json(line: bytes, depth: int) -> LogLine | None:
    """An entry of `journalctl -o json`: text that is not UTF-8 is a list of bytes there."""
    import json

    try:
        entry = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return LogLine(line, False)
    return from_entry(entry) if isinstance(entry, dict) else LogLine(line, False)


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


_BY_FIRST = {
    **dict.fromkeys((b"%d" % i for i in range(10)), _kmsg),
    b"[": _bracket,
    b"<": _priority,
    b"{": _json,
}


class LineReader:
    """Reads line after line, for the shapes where a line alone does not tell."""

    def __init__(self) -> None:
        self._after_kmsg = False
        self._entry: dict[str, Any] | None = None  # of `journalctl -o export`
        self._binary: tuple[bytes, bytes] | None = None  # the field, and its bytes so far

    @property
    def exporting(self) -> bool:
        """Whether these are entries of several lines."""
        return self._entry is not None

    @property
    def inside(self) -> bool:
        """Whether the last line was in the middle of an entry."""
        return bool(self._entry) or self._binary is not None

    def read(self, line: bytes) -> LogLine | None:
        """Return what `line` (with or without its ending) says; None where it ends nothing."""
        if self._entry is not None or line.startswith(b"__CURSOR="):
            return self._export(line)
        line = line.rstrip(b"\r\n")
        if b"\x1b" in line and line[:1] not in b"{":
            line = _ESCAPES.sub(b"", line)
        if line[:1] in b"\r\0\x1e ":
            if line[:1] == b" " and self._after_kmsg:
                return None  # the properties of a record: ` SUBSYSTEM=...`
            line = line.lstrip(b"\r\0\x1e") if line[:1] != b" " else _indented(line)
        elif line.startswith(b"data: {"):
            line = line[6:]
        told = split(line)
        self._after_kmsg = line[:1].isdigit() and _KMSG.match(line) is not None
        return told

    def _export(self, line: bytes) -> LogLine | None:
        if self._binary is not None:
            self._more(line)
            return None
        line = line.rstrip(b"\n")
        entry = self._entry = {} if self._entry is None else self._entry
        if not line:
            self._entry = {}
            return from_entry(entry) if entry else None
        name, equals, value = line.partition(b"=")
        if not equals:
            self._binary = (name, b"")
        elif len(entry) < 256:
            entry.setdefault(name.decode("latin-1"), value)
        return None

    def _more(self, line: bytes) -> None:
        """Collect a field with newlines or control characters: its length, then its bytes."""
        name, data = self._binary or (b"", b"")
        data += line.removesuffix(b"\n") + b"\n"
        size = int.from_bytes(data[:8], "little") if len(data) >= 8 else 1 << 20
        if len(data) > size + 8 or len(data) > 1 << 16:
            if self._entry is not None:
                self._entry.setdefault(name.decode("latin-1"), data[8 : 8 + size])
            self._binary = None
        else:
            self._binary = (name, data)


def _indented(line: bytes) -> bytes:
    """A log that was pasted with an indent; the kernel's own text may begin with blanks."""
    inner = line.lstrip(b" ")
    return inner if inner[:1] in b"[<" or logtime.YEARLESS.match(inner) else line
