"""The dumps that the kernel writes before it kills: collected until their kill comes."""

from __future__ import annotations

from typing import NamedTuple

from memtui.kernel import logtime, oomtext
from memtui.kernel.logentry import LogLine
from memtui.kernel.oomtext import Columns, Killed, LimitLine, Summary, TaskRow

_LINES = 4096  # of a dump's record, and rows of its table
_LINE = 1024
_OPEN = 4  # dumps whose kill has not come
_OLD_LINES = 8192  # a dump's kill comes within so many kernel lines,
_OLD_S = 60.0  # and within this time
_FAMILY_S = 5.0
_PIECES = 8  # records that one line may be torn into (pr_cont)
_SHARED = 512  # lines of a record that each member of a group has, too
_PAGES = (4096, 8192, 16384, 65536)


class LogKill(NamedTuple):
    """One process that the kernel's OOM killer killed, as the kernel log tells it.

    Sizes in bytes. None: the log does not say.
    """

    id: int  # in this log; told again under the same id, more is known
    pid: int  # in the first PID namespace of the machine
    comm: bytes
    time: float | None  # seconds since the epoch
    monotonic: float | None  # seconds since boot
    log_time: bytes | None  # as printed
    uid: int | None
    scope: str | None  # "memcg": a cgroup's limit was hit; "global": memory of the machine
    constraint: str | None  # "CONSTRAINT_MEMCG", ...
    oom_memcg: bytes | None  # whose limit was hit
    task_memcg: bytes | None  # the victim's cgroup
    invoked_by: bytes | None  # who asked for memory
    total_vm: int | None
    anon_rss: int | None
    file_rss: int | None  # before Linux 4.5 with shared memory
    shmem_rss: int | None
    pgtables: int | None
    oom_score_adj: int | None
    group_kill: bool  # with its whole cgroup (memory.oom.group); False: the log has no such line
    table: tuple[TaskRow, ...] = ()  # the processes that could have been chosen
    limits: tuple[LimitLine, ...] = ()  # of oom_memcg, as the limit was hit
    record: tuple[bytes, ...] = ()  # the lines of the dump, with their prefixes

    @property
    def rss(self) -> int | None:
        """Its resident memory: anonymous, of files, shared; else the table's."""
        told = [n for n in (self.anon_rss, self.file_rss, self.shmem_rss) if n is not None]
        if told:
            return sum(told)
        return next((row.rss for row in self.table if self.pid in (row.tgid, row.pid)), None)


class Dump:
    """What the kernel wrote about one OOM, so far."""

    def __init__(self, entry: LogLine, records: bool) -> None:
        self.caller = entry.caller
        self.born = 0
        self._monotonic = entry.monotonic
        self._records = records
        self._invoked_by: bytes | None = None
        self._announced: tuple[str | None, int] | None = None
        self._because: tuple[bytes, bytes] | None = None
        self._summary: Summary | None = None
        self._stats_of: bytes | None = None
        self._global = False
        self._columns: Columns | None = None
        self._rows: list[bytes] = []
        self._index: dict[int, TaskRow] = {}
        self._indexed = 0  # rows that are in the index
        self._made: tuple[int, int, tuple[TaskRow, ...]] | None = None  # the table, once made
        self._limits: list[LimitLine] = []
        self._record: list[bytes] = []
        self._torn: tuple[bytes, int] | None = None

    def begin(self, invoked_by: bytes, raw: bytes) -> None:
        """Take the line `comm invoked oom-killer`."""
        self._invoked_by = invoked_by
        self.keep(raw)

    def keep(self, raw: bytes) -> None:
        """Keep one line for the record."""
        if self._records and len(self._record) < _LINES:
            self._record.append(raw[:_LINE])

    def is_old(self, entry: LogLine) -> bool:
        """Whether too much time has passed, or the machine has started anew."""
        if self._monotonic is None or entry.monotonic is None:
            return False
        return not -1.0 <= entry.monotonic - self._monotonic <= _OLD_S

    def row_of(self, pid: int) -> TaskRow | None:
        """Return the row of the process, or of the thread, with that number."""
        for text in self._rows[self._indexed :]:
            if self._columns is not None and (row := self._columns.parse(text)):
                self._index.setdefault(row.tgid, row)
                self._index.setdefault(row.pid, row)
        self._indexed = len(self._rows)
        return self._index.get(pid)

    @property
    def has_table(self) -> bool:
        """Whether there is a process table."""
        return bool(self._rows)

    def names(self, pid: int) -> bool:
        """Whether the dump says that this process was chosen."""
        if self._summary is not None and self._summary.pid is not None:
            return self._summary.pid == pid
        return self._announced is not None and self._announced[1] == pid

    @property
    def chosen(self) -> bool:
        """Whether the kernel has said whom it chose."""
        return self._announced is not None or self._summary is not None

    def may_tell_of(self, killed: Killed, newest: bool) -> bool:
        """Whether the kill can be this dump's though the dump does not name it."""
        if self._summary is not None and self._summary.pid is not None:
            victim = self._summary.victim or b""
            return newest and victim.endswith(b",task=" + killed.comm)  # another thread of it
        scope = self._scope()
        if None not in (scope, killed.scope) and scope != killed.scope:
            return False
        if self._announced is not None and newest:
            return True  # a child dies in its parent's place
        return self.row_of(killed.pid) is not None if self._rows else newest

    def announce(self, told: tuple[str | None, int], raw: bytes) -> None:
        """Take the line `Kill process ... or sacrifice child`."""
        self._announced = told
        self.keep(raw)

    def summarize(self, summary: Summary, text: bytes, raw: bytes) -> None:
        """Take the `oom-kill:` line, of which the rest may follow."""
        self._summary = summary
        self._torn = None if summary.pid is not None else (text, _PIECES)
        self.keep(raw)

    def add(self, text: bytes, raw: bytes) -> bool:
        """Take another line; False where it must be another dump's."""
        if text[:1] == b"[":
            if self._columns is not None and b"total_vm" not in text:
                if len(self._rows) < _LINES:
                    self._rows.append(text[:_LINE])
            elif header := oomtext.parse_header(text):
                if self._columns is not None:
                    return False
                self._columns = header
        elif self._torn is not None:
            self._mend(text)
        elif b": usage " in text and (limit := oomtext.parse_limit(text)):
            if len(self._limits) < _PIECES:
                self._limits.append(limit)
        else:
            self._say(text)
        self.keep(raw)
        return True

    def _say(self, text: bytes) -> None:
        if text.startswith(b"Task in"):
            self._because = oomtext.parse_because(text)
            self._torn = None if self._because else (text, _PIECES)
        elif text.startswith(b"Memory cgroup stats for /") and self._stats_of is None:
            path, colon, _ = text[24:].rpartition(b":")
            self._stats_of = path if colon and text.endswith(b":") else b""
        elif text[:8].lower() == b"mem-info":
            self._global = True

    def _mend(self, text: bytes) -> None:
        """Join a line that was written in pieces, between which others may stand."""
        whole, left = self._torn or (b"", 0)
        self._torn = (whole, left - 1) if left > 1 else None
        if whole.startswith(b"Task in"):
            whole = b" ".join((whole.rstrip(), text.strip()))
            self._because = oomtext.parse_because(whole)
            self._torn = None if self._because or left <= 1 else (whole, left - 1)
        elif text[:1] == b"," or (text[:1] == b"/" and whole.endswith(b"memcg=")):
            self._summary = oomtext.parse_summary(whole + text) or self._summary
            done = self._summary is not None and self._summary.pid is not None
            self._torn = None if done or left <= 1 else (whole + text, left - 1)

    def _scope(self) -> str | None:
        if self._announced is not None and self._announced[0]:
            return self._announced[0]
        if self._summary is not None:
            return "memcg" if self._summary.constraint == "CONSTRAINT_MEMCG" else "global"
        if self._because or self._limits or self._stats_of is not None:
            return "memcg"  # first, because such dumps had a Mem-Info too (before 3.9)
        return "global" if self._global else None

    def _memcgs(self, killed: Killed) -> tuple[bytes | None, bytes | None]:
        """Whose limit was hit, and the victim's cgroup."""
        if self._summary is not None:
            named = self._summary.pid in (killed.pid, None)
            task = self._summary.task_memcg(killed.comm) if named else None
            return self._summary.oom_memcg or self._stats_of or None, task
        if self._because is not None:
            return self._because[1], self._because[0]
        return self._stats_of or None, None

    def _table(self, scale: int) -> tuple[TaskRow, ...]:
        if self._columns is None or not self._records:
            return ()
        if self._made is None or self._made[:2] != (scale, len(self._rows)):
            rows = (self._columns.parse(text) for text in self._rows)
            table = tuple(_scaled(row, scale) for row in rows if row)
            self._made = scale, len(self._rows), table
        return self._made[2]

    def describe(self, killed: Killed, entry: LogLine, number: int, raw: bytes) -> LogKill:
        """Return the kill with all that the dump tells of it."""
        row = self.row_of(killed.pid)
        scale = _scale(killed, row)
        row = _scaled(row, scale) if row else None
        oom_memcg, task_memcg = self._memcgs(killed)
        summary = self._summary
        uid = summary.uid if summary and summary.pid == killed.pid else row and row.uid
        adj = killed.oom_score_adj
        return LogKill(
            number,
            killed.pid,
            killed.comm,
            entry.time,
            entry.monotonic,
            entry.log_time,
            uid if killed.uid is None else killed.uid,
            killed.scope or self._scope(),
            summary and summary.constraint,
            oom_memcg,
            task_memcg,
            self._invoked_by,
            row.total_vm if killed.total_vm is None and row else killed.total_vm,
            killed.anon_rss,
            killed.file_rss,
            killed.shmem_rss,
            _tables(killed, row),
            row.oom_score_adj if adj is None and row else adj,
            False,
            self._table(scale),
            tuple(self._limits),
            (*self._record, raw[:_LINE]) if self._records else (),
        )


def _scale(killed: Killed, row: TaskRow | None) -> int:
    """How many times 4 KiB a page has on that machine: the table counts pages, the kill KiB."""
    if row is None or not row.total_vm or not killed.total_vm:
        return 1
    ratio = killed.total_vm / row.total_vm * oomtext.PAGE
    return min(_PAGES, key=lambda page: abs(page - ratio)) // oomtext.PAGE


def _scaled(row: TaskRow, scale: int) -> TaskRow:
    """The row with sizes in bytes, for pages of `scale` times 4 KiB."""
    if scale == 1:
        return row
    return row._replace(
        total_vm=row.total_vm * scale, rss=row.rss * scale, swap=row.swap and row.swap * scale
    )


def _tables(killed: Killed, row: TaskRow | None) -> int | None:
    """Page tables in bytes. Linux 5.4 before 5.4.8 wrote bytes, and called them kB."""
    told = killed.pgtables
    if told is None:
        return row.pgtables if row else None
    if row is not None:
        wrong = told // 1024 == row.pgtables
    else:
        wrong = bool(killed.total_vm) and told > (killed.total_vm or 0)
    return told // 1024 if wrong and told else told


class Dumps:
    """The dumps whose kill has not come, newest last."""

    def __init__(self, records: bool) -> None:
        """`records` keeps their lines and tables."""
        self.open: list[Dump] = []
        self._records = records
        self._lines = 0

    def read(self, entry: LogLine, text: bytes, raw: bytes) -> bool:
        """Take one kernel line; return whether it shows that another OOM has begun."""
        if self.open:
            self._lines += 1
            self._forget(entry)
        if oomtext.INVOKED in text and (comm := oomtext.parse_invoked(text)) is not None:
            self._new(entry).begin(comm, raw)
        elif text.startswith(b"oom-kill:") and (summary := oomtext.parse_summary(text)):
            self._for(entry).summarize(summary, text, raw)
        elif b"ill process " in text and (told := oomtext.parse_announced(text)):
            self._for(entry).announce(told, raw)
        else:
            dump = self._current(entry)
            if dump is not None and not dump.add(text, raw):
                self._new(entry).add(text, raw)
            return False
        return True

    def take(self, killed: Killed, entry: LogLine) -> Dump | None:
        """Return and forget the dump that belongs to a kill."""
        self._forget(entry)
        newest_first = [dump for dump in reversed(self.open) if dump.caller == entry.caller]
        for dump in newest_first:
            if dump.names(killed.pid):
                return self._remove(dump)
        for dump in newest_first:
            if dump.may_tell_of(killed, dump is newest_first[0]):
                return self._remove(dump)
        return None

    def _remove(self, dump: Dump) -> Dump:
        self.open.remove(dump)
        return dump

    def _new(self, entry: LogLine) -> Dump:
        dump = Dump(entry, self._records)
        dump.born = self._lines
        self.open = [*self.open[-_OPEN + 1 :], dump]
        return dump

    def _for(self, entry: LogLine) -> Dump:
        """The dump in which nobody is chosen yet; a new one where that got lost."""
        dump = self._current(entry)
        return self._new(entry) if dump is None or dump.chosen else dump

    def _current(self, entry: LogLine) -> Dump | None:
        """The dump that a line goes on with: the newest; of that caller, where callers are told."""
        for dump in reversed(self.open):
            if dump.caller == entry.caller:
                return dump
        return None

    def _forget(self, entry: LogLine) -> None:
        old = self._lines - _OLD_LINES
        if self.open and (self.open[0].born < old or self.open[0].is_old(entry)):
            self.open = [d for d in self.open if d.born >= old and not d.is_old(entry)]


class Family:
    """The processes that die with a first victim (memory.oom.group), while they are told."""

    def __init__(self, first: LogKill | None, dump: Dump, path: bytes, entry: LogLine) -> None:
        """`dump` is that of the first victim; `path` the cgroup all of whose tasks die."""
        self.dump = dump
        self._told = {(first.pid, first.comm)} if first else set()
        self._first = first
        self._path = path
        self._entry = entry

    def told(self, killed: Killed) -> bool:
        """Whether that kill is known already: the first victim is logged twice."""
        return (killed.pid, killed.comm) in self._told

    def has(self, killed: Killed, entry: LogLine) -> bool:
        """Whether a kill is one of these."""
        between = apart(self._entry, entry)
        if self.dump.row_of(killed.pid) is not None:
            return between is None or between <= _FAMILY_S
        return not self.dump.has_table and (between is None or between <= 1.0)

    def adopt(self, kill: LogKill) -> LogKill:
        """Return a member's kill with what is known of the whole group."""
        self._told.add((kill.pid, kill.comm))
        same = self._first is not None and self._first.task_memcg == self._path
        record = kill.record if len(kill.record) <= _SHARED else kill.record[-1:]
        kill = kill._replace(
            group_kill=True, task_memcg=self._path if same else None, record=record
        )
        if self._first is None:
            return kill
        return kill._replace(scope=kill.scope or self._first.scope)


def apart(earlier: LogKill | LogLine, later: LogLine) -> float | None:
    """Return the seconds between two lines by the finest clock that both tell, or None."""
    if earlier.monotonic is not None and later.monotonic is not None:
        return abs(later.monotonic - earlier.monotonic)
    if earlier.time is not None and later.time is not None:
        return abs(later.time - earlier.time)
    if earlier.log_time is None or later.log_time is None:
        return None
    return logtime.yearless_apart(earlier.log_time, later.log_time)
