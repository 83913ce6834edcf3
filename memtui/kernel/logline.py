"""One line of a log: whose it is, when, and what it says without its prefix.

Shapes: the kernel's own text; dmesg(1) with and without `-T`, `-x`, `-r`, `-d`, `-e`, with
callers (CONFIG_PRINTK_CALLER); records of /dev/kmsg (Documentation/ABI/testing/dev-kmsg) and
netconsole; journalctl(1) short, short-precise, -iso, -monotonic, -full, -unix, with-unit, json,
json-pretty and export; `dmesg -J`; syslog by RFC 3164, RFC 5424 and RFC 3339, busybox and OpenWrt;
serial consoles with escape sequences and a console server's time before each line.

Only the kernel's text is the kernel's: facility 0 where a facility is told (what programs write to
/dev/kmsg has another), the tag `kernel` without a PID, the journal's kernel transport.
"""

from __future__ import annotations

import re

from memtui.kernel import logtime
from memtui.kernel.logentries import Exported, Pretty
from memtui.kernel.logentry import LogLine, from_json

__all__ = ["LineReader", "LogLine", "split", "unmangle"]

_BOM = b"\xef\xbb\xbf"
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
    rb"(?:\S*[^\s:] )?(?:([a-z0-9]{2,8})\.[a-z]{3,8} )?"
    rb"([^\s:\[\]]+)(\[[^\]\s]{0,20}\])?:(?: |$|(?=\[))"
)
_HOST_KERNEL = re.compile(rb"\S+ kernel: ")
_CONSOLE = re.compile(rb"[^\[<]{0,80}(?:login|Guest): (?=(?:<\d{1,2}>)?\[ *\d+\.\d+\])")
_BARE = (b"memory", b"memory+swap", b"swap", b"kmem", b"oom_reaper")
"""Not tags, but how lines of the kernel's dump begin."""


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
    return _rfc5424(line)


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
    inner = _rfc5424(rest) or split(rest, depth + 1)
    return inner._replace(kernel=inner.kernel and from_kernel)


def _rfc5424(line: bytes) -> LogLine | None:
    """What stands after the priority, which some tools leave out."""
    found = _RFC5424.match(line)
    if found is None:
        return None
    stamp = logtime.ISO.match(found[1])
    start = found.end()
    while not found[4] and (data := _DATA.match(line, start)):
        start = data.end()
    start += not found[4] and line[start : start + 1] == b" "
    text = line[start:].removeprefix(_BOM)
    inner = _bracket(text, _DEPTH) or LogLine(text, True)
    return inner._replace(
        kernel=found[2] == b"kernel" and found[3] == b"-",
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
    """An entry of `journalctl -o json`."""
    return from_json(line) or LogLine(line, False)


_BY_FIRST = {
    **dict.fromkeys((b"%d" % i for i in range(10)), _kmsg),
    b"[": _bracket,
    b"<": _priority,
    b"{": _json,
}


class LineReader:
    """Reads line after line, for the shapes where a line alone does not tell.

    The first line that is not blank decides which shape it is.
    """

    def __init__(self) -> None:
        self._after_kmsg = False
        self.begun = False
        self._entries: Exported | Pretty | None = None

    def begin(self, line: bytes) -> None:
        """Learn the log's shape from its first line, before that is read."""
        word = line.removeprefix(_BOM).strip()
        if not self.begun and word:
            self.begun = True
            if word.startswith(b"__CURSOR="):
                self._entries = Exported()
            elif word == b"{":
                self._entries = Pretty()

    @property
    def separator(self) -> bytes:
        """What stands before each entry, where entries have several lines; else empty."""
        return self._entries.separator if self._entries else b""

    @property
    def inside(self) -> bool:
        """Whether the last line was in the middle of an entry."""
        return self._entries is not None and self._entries.inside

    def read(self, line: bytes) -> LogLine | None:
        """Return what `line` (with or without its ending) says; None where it ends nothing."""
        line = line.removeprefix(_BOM)
        if not self.begun:
            self.begin(line)
        if self._entries is not None:
            return self._entries.read(line)
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
        boot_only = told.time is None and told.monotonic is not None
        self._after_kmsg = boot_only and line[:1].isdigit()
        return told


def _indented(line: bytes) -> bytes:
    """A log that was pasted with an indent; the kernel's own text may begin with blanks."""
    inner = line.lstrip(b" ")
    return inner if inner[:1] in b"[<" or logtime.YEARLESS.match(inner) else line
