"""OOM kills from a kernel log of any age and shape: a pure parser, line after line.

A kill is a completed kill by the kernel: the line `Killed process ...`, at the beginning of a
kernel message. The dump before it (`... invoked oom-killer`, the process table, the `oom-kill:`
line) tells the rest, where it is there: it is rate-limited, lines get lost, dumps mix. A kill takes
only what belongs to it: by the PID that the dump names, or one in its table.

Never raises, takes time in proportion to the log, and keeps a bounded part of it.
Source: mm/oom_kill.c; real records of Linux 6.1 to 7.2 (tests/logs).
"""

from __future__ import annotations

from memtui.kernel import oomtext
from memtui.kernel.logentry import LogLine
from memtui.kernel.logline import LineReader
from memtui.kernel.oomdump import Dump, Dumps, Family, LogKill, apart
from memtui.kernel.oomtext import Broken, Killed, LimitLine, TaskRow
from memtui.kernel.otherkill import HINTS, OtherKill, OtherKills

__all__ = ["LimitLine", "LogKill", "OomLog", "OtherKill", "TaskRow", "parse_log"]

LINE = 1 << 16
"""The longest line that is looked at; of a longer one only the beginning is."""

_TRIGGERS = (
    b"illed process ",
    b" invoked oom-killer: ",
    b"oom-kill:",
    b"f memory: ",
    b"f memory (",
    b"memory.oom.group set",
    b'"MESSAGE":[',
    b'"MESSAGE": [',
    b'"MESSAGE" : [',
    *HINTS,
)
_BLOCK = 1 << 18
_JOINED = 16  # lines that one name may take: 15 newlines
SAME_S = 1.0
"""Within this time, the same PID, name and size is the same process."""

_RECENT = 64


class OomLog:
    """Reads a log; `feed` or `feed_data`, then `finish`. Others' kills are in `others`."""

    def __init__(self, records: bool = True) -> None:
        """`records` keeps tables, limits and raw lines with each kill."""
        self.others: list[OtherKill] = []
        """What other programs told, oldest first; the reader of this list empties it."""
        self._records = records
        self._lines = LineReader()
        self._dumps = Dumps(records)
        self._others = OtherKills()
        self._held: LogKill | None = None  # until the next line tells whether its group dies too
        self._last: LogKill | None = None
        self._dump: Dump | None = None  # of the last kill
        self._family: Family | None = None  # whose members are being killed
        self._broken: tuple[LogLine, bytes, int] | None = None  # a name with a newline
        self._recent: dict[tuple[int, bytes], LogKill] = {}  # the last kills, oldest first
        self._next_id = 1
        self._rest = b""

    def feed(self, line: bytes) -> list[LogKill]:
        """Take one line, with or without its ending; return the kills that are now told."""
        if len(line) > LINE:
            line = line[:LINE]
        entry = self._lines.read(line)
        if entry is None:
            return []
        if not entry.kernel:
            self._note(entry)
            return []
        if not entry.tag:  # raw text: perhaps a program's own log
            self._note(entry)
        return self._kernel(entry, line.rstrip(b"\r\n"))

    def feed_data(self, data: bytes) -> list[LogKill]:
        """Take the next bytes of the log, cut anywhere; return the kills that are now told."""
        data = self._rest + data if self._rest else data
        if not self._lines.begun and b"\n" in data:
            self._lines.begin(data.lstrip()[:LINE].partition(b"\n")[0])
        end = self._end_of_lines(data)
        told: list[LogKill] = []
        pos = 0
        while pos < end:
            stop = self._end_of_lines(data[pos : pos + _BLOCK]) if end - pos > _BLOCK else end - pos
            stop = pos + (stop or end - pos)
            told += self._block(data[pos:stop])
            pos = stop
        self._rest = data[end : end + LINE * (4 if self._lines.separator else 1)]
        return told

    def flush(self) -> list[LogKill]:
        """Return the kill that waits for the next line, where nobody can wait for that.

        If that line tells more, the kill is told again, with the same id.
        """
        held, self._held = self._held, None
        return [held] if held else []

    def finish(self) -> list[LogKill]:
        """The log ends here; return what was not yet told."""
        rest, self._rest = self._rest, b""
        told = [kill for line in rest.split(b"\n") if rest for kill in self.feed(line + b"\n")]
        told += self.feed(b"\n") if self._lines.inside else []
        return told + self.flush()

    def _end_of_lines(self, data: bytes) -> int:
        """Where the last whole line, or whole entry of an export, ends."""
        separator = self._lines.separator
        if not separator:
            return data.rfind(b"\n") + 1
        at = data.rfind(separator)
        return at + separator.endswith(b"\n\n") * 2 if at >= 0 else 0

    def _block(self, data: bytes) -> list[LogKill]:
        """Whole lines: those before the next hint of a kill are passed over."""
        told: list[LogKill] = []
        hints = _Hints(data)
        entry = self._lines.separator
        pos, end = 0, len(data)
        while pos < end:
            if self._idle():
                at = hints.after(pos)
                if at < 0:
                    break
                start = data.rfind(entry, pos, at) if entry else data.rfind(b"\n", pos, at) + 1
                pos = max(pos, start)
            stop = data.find(b"\n", pos) + 1 or end
            told += self.feed(data[pos:stop])
            pos = stop
        return told

    def _idle(self) -> bool:
        """Whether a line without a hint can tell nothing."""
        return not (self._held or self._broken or self._dumps.open or self._lines.inside)

    def _note(self, entry: LogLine) -> None:
        other = self._others.read(entry)
        if other is not None:
            self.others.append(other)

    def _kernel(self, entry: LogLine, raw: bytes) -> list[LogKill]:
        text = entry.text
        if self._broken is not None:
            entry, text = self._join(entry)
        if b"illed process " in text:
            killed = oomtext.parse_killed(text)
            if isinstance(killed, Broken):
                count = self._broken[2] + 1 if self._broken else 1
                self._broken = (entry, killed.text, count) if count < _JOINED else None
                return []
            if killed is not None:
                self._broken = None
                return self._killed(killed, entry, raw)
        self._broken = None
        if text.startswith(b"Tasks in ") and (group := oomtext.parse_group(text)) is not None:
            return self._group(group, entry, raw)
        if self._dumps.read(entry, text, raw):
            self._family = None
        return self.flush()

    def _join(self, entry: LogLine) -> tuple[LogLine, bytes]:
        """The line that goes on after a newline in a name; a new message stands for itself."""
        first, text, _ = self._broken or (entry, b"", 0)
        more = entry.text if entry.log_time else entry.text.lstrip(b" ")
        joined = text + b"\n" + more
        if isinstance(oomtext.parse_killed(entry.text), Killed) or not oomtext.parse_killed(joined):
            return entry, entry.text
        return first, joined

    def _killed(self, killed: Killed, entry: LogLine, raw: bytes) -> list[LogKill]:
        told = self.flush()
        if self._family and not self._family.has(killed, entry):
            self._family = None
        dump = self._family.dump if self._family else self._dumps.take(killed, entry)
        if self._told_before(killed, entry, dump):
            return told
        dump = dump or Dump(entry, False)
        kill = dump.describe(killed, entry, self._next_id, raw)
        if self._family:
            kill = self._family.adopt(kill)
        self._next_id += 1
        self._remember(kill)
        self._last, self._held, self._dump = kill, kill, dump
        return told

    def _told_before(self, killed: Killed, entry: LogLine, dump: Dump | None) -> bool:
        """Whether this very kill is known: a group kill logs its first victim twice."""
        if self._family and self._family.told(killed):
            return True
        kill = self._recent.get((killed.pid, killed.comm))
        if kill is None:
            return False
        between = apart(kill, entry)
        named = not self._family and dump is not None and dump.names(killed.pid)
        near = between == 0 if named else between is None or between <= SAME_S
        return near and kill.total_vm == killed.total_vm

    def _remember(self, kill: LogKill) -> None:
        key = kill.pid, kill.comm
        self._recent.pop(key, None)
        self._recent[key] = kill
        if len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]

    def _group(self, path: bytes, entry: LogLine, raw: bytes) -> list[LogKill]:
        """All tasks of a cgroup are going to be killed: the last victim was its first."""
        waited = self.flush()
        first = self._last
        if first is None or (apart(first, entry) or 0) > SAME_S:
            self._family = Family(None, Dump(entry, False), path, entry)
            return waited
        if first.record:
            first = first._replace(record=(*first.record, raw))
        first = self._last = first._replace(group_kill=True)
        self._family = Family(first, self._dump or Dump(entry, False), path, entry)
        return [first]


class _Hints:
    """Where in a block the next hint of a kill is: each kind is looked for once per find."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = {word: at for word in _TRIGGERS if (at := data.find(word)) >= 0}

    def after(self, pos: int) -> int:
        """Return the position of the first hint at or after `pos`, or -1."""
        for word, at in list(self._next.items()):
            if at < pos:
                self._next[word] = found = self._data.find(word, pos)
                if found < 0:
                    del self._next[word]
        return min(self._next.values(), default=-1)


def parse_log(data: bytes) -> list[LogKill]:
    """Return the OOM kills in a whole log, oldest first, each once. Never raises."""
    log = OomLog()
    return log.feed_data(data) + log.finish()
