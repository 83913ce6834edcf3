"""The records of advice: what a rule sees, and what it says. Sizes are bytes; None is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from signal import SIGTERM
from typing import NamedTuple

from memtui.model import known
from memtui.model.habits import Habit
from memtui.model.known import Activity, Known
from memtui.model.snapshot import Identity, Proc, Quota
from memtui.model.trend import Trend
from memtui.model.victims import OomEvent
from memtui.text import elide
from memtui.units import size_long

MIB = 1 << 20
LEAST = 50 * MIB
"""Bytes below which a saving is not worth a word, unless memory is short."""
SHARE = 0.05
"""Of the limit: the same."""
SHORT = 0.75
"""Of the limit, of hard memory: from here on every little helps, and what is unsure is said."""


class Fact(NamedTuple):
    """What was read of one process beyond its row. None: not read, or not for us to read."""

    peak: int | None = None  # VmHWM
    anon: int | None = None  # RssAnon
    data: int | None = None  # VmData, which RLIMIT_DATA limits
    pss: int | None = None
    pss_anon: int | None = None  # what killing it gives back
    as_limit: int | None = None  # soft; None: unlimited, too
    data_limit: int | None = None
    libraries: frozenset[str] | None = None  # of `LIBRARIES`, those that it maps
    heap: str | None = None  # what limits a Java heap, as written; "": nothing does
    dying: bool | None = None  # SIGKILL was sent to it and waits


LIBRARIES = ("matplotlib", "pandas")
"""Libraries that rules ask for: directories in the paths of what a process maps."""


class File(NamedTuple):
    """A file in memory. The path is lossless, not safe to display."""

    path: str
    bytes: int  # what it takes
    user: str
    modified: float  # seconds since the epoch
    device: int = 0
    inode: int = 0
    holders: tuple[str, ...] = ()  # who has it open or mapped, "name PID"; as far as was read


class Mounted(NamedTuple):
    """A tmpfs, and its biggest files."""

    point: str  # lossless
    used: int  # bytes, as far as they are charged here
    files: tuple[File, ...] = ()
    more: str = ""  # other tmpfs that are in `used`, in words
    device: int = 0


class Held(NamedTuple):
    """A file in memory that has no name any more, and who keeps it."""

    proc: Proc
    path: str  # lossless
    bytes: int


class Left(NamedTuple):
    """Shared memory that nobody uses."""

    what: str  # a path, lossless; or the number of a SysV segment
    bytes: int
    user: str
    changed: float  # seconds since the epoch
    sysv: bool = False
    device: int = 0
    inode: int = 0
    doubt: int = 0  # processes that could not be asked whether they use it


class Level(NamedTuple):
    """What was read of the level that binds beyond the quota."""

    dirty: int | None = None  # bytes that are to be written out, or are being
    oom_group: bool | None = None  # one OOM kill ends everybody in it
    io_some_pct: float | None = None  # of the machine: the last 10 s in which tasks waited for I/O


class Family(NamedTuple):
    """A notebook's kernel and all below it."""

    proc: Proc
    title: str  # the notebook's name, or what stands for it; safe to display
    tree: int  # bytes, at most, that its end gives back
    idle_s: float | None = None  # None: it works, or it is not known
    at_least: bool = False  # of `idle_s`: it was not looked at before
    activity: Activity = Activity()
    spare: bool = False  # CoCalc's, made in advance
    server: bool = False  # a server started it, and would start it anew
    many: int = 1  # processes


class Seen(NamedTuple):
    """All that rules look at: one moment, and what was seen of the time before it."""

    time: float  # seconds since the epoch
    quota: Quota
    procs: Sequence[Proc]  # those that the limit holds
    over_s: float = 0.0  # seconds that were looked at; 0: one look, so no rates
    then: Quota | None = None  # the quota at the begin of that time
    trend: Trend | None = None
    habits: Mapping[Identity, Habit] = {}
    facts: Mapping[Identity, Fact] = {}
    mounts: Sequence[Mounted] = ()
    held: Sequence[Held] = ()
    left: Sequence[Left] = ()
    level: Level = Level()
    kernels: Sequence[Family] = ()
    events: Sequence[OomEvent] = ()  # kills of the last hours, newest first
    own: Identity | None = None  # memtui, where it stays
    uid: int | None = None  # who looks
    unread: int = 0  # big processes of which the facts are not for us to read

    @property
    def limit(self) -> int | None:
        """The limit that binds."""
        return self.quota.binding.bytes if self.quota.binding else None

    @property
    def hard(self) -> int | None:
        """What of its level cannot be reclaimed."""
        return self.quota.binding.hard if self.quota.binding else None

    @property
    def usage(self) -> int | None:
        """The usage of its level."""
        return self.quota.binding.usage if self.quota.binding else None

    @property
    def short(self) -> bool:
        """Whether memory is short."""
        return self.share(self.hard) > SHORT

    def share(self, n: int | None) -> float:
        """How much of the limit `n` bytes are; 0 where either is not known."""
        return n / self.limit if n and self.limit else 0.0

    def fact(self, proc: Proc) -> Fact:
        """What was read of a process."""
        return self.facts.get(proc.identity) or Fact()

    def freed(self, proc: Proc) -> int:
        """Return what killing it gives back at most."""
        fact = self.fact(proc)
        return next(
            (n for n in (fact.pss_anon, proc.pss_anon, fact.anon, proc.anon) if n is not None),
            max(0, proc.rss - proc.shr),
        )

    def idle_s(self, proc: Proc) -> float | None:
        """How long it has not worked, as far as was seen; None: it works, or nothing was seen."""
        habit = self.habits.get(proc.identity)
        return habit.idle_s if habit is not None and habit.idle_s > 0 else None

    def busy(self, proc: Proc) -> bool:
        """Whether it was seen at work just now."""
        habit = self.habits.get(proc.identity)
        return habit is not None and habit.seen_s > 0 and habit.idle_s == 0

    def called(self, proc: Proc) -> str:
        """What people call a process: `analysis.ipynb`, else `python3 4821`."""
        if proc.who is None or proc.who.kind == known.CHILD:
            return f"{proc.name} {proc.pid}"
        named = proc.who.is_kernel or proc.who.kind in (known.WORKSHEET, known.SERVER)
        return elide(proc.who.label, 48) if named else f"{proc.name} {proc.pid}"


class Action(NamedTuple):
    """What memtui does for a suggestion, after a question. Its kind says which fields count.

    `kill`: the dialog on `targets`, `signal` chosen. `files`: the files of the tmpfs `text`, to
    be deleted one by one. `delete`: `file`, and no other. `copy`: `text` to the clipboard.
    `filter`: the table narrowed to `text`, as a tree. `kills`: the OOM events.
    """

    kind: str
    label: str  # what it does, in a few words; safe to display
    targets: tuple[Identity, ...] = ()
    signal: int = SIGTERM
    text: str = ""
    file: File | None = None


HARMLESS, LOSES, DISRUPTS = 1, 2, 5
"""What acting costs: nothing; something that can be had again; work that is under way."""


class Advice(NamedTuple):
    """One suggestion, or one explanation. Texts are safe to display."""

    id: str
    say: str  # what is, in a sentence or two
    gain: int | None  # bytes that acting is expected to give; None: not known
    why: str  # how that is known
    risk: str  # what is lost
    how: tuple[str, ...]  # what to do; lines that begin with two blanks are to be typed
    action: Action | None = None
    harm: int = LOSES
    at_most: bool = False  # of `gain`
    urgent: bool = False  # it goes wrong now: said first, however little is known of its gain
    tells: bool = False  # it explains a state: there is nothing to gain


def amount(n: int | None) -> str:
    """Return bytes as sentences have them: `96 MiB`, `1.31 GiB`; a decimal of nought is none."""
    return size_long(n).replace(".0 ", " ")


def biggest(procs: Iterable[Proc], count: int = 1) -> list[Proc]:
    """Return the biggest by RES, the biggest first."""
    return sorted(procs, key=lambda p: (-p.rss, p.pid))[:count]


def identities(procs: Iterable[Proc]) -> tuple[Identity, ...]:
    """Return (pid, start) of each."""
    return tuple(p.identity for p in procs)


def program_of(proc: Proc) -> str:
    """Return the name of the program that runs, without its directory: `python3.11`."""
    first = proc.argv.split(b"\0", 1)[0].decode("utf-8", "replace")
    return first.rpartition("/")[2].lstrip("-") or proc.name


def is_python(proc: Proc) -> bool:
    """Whether an interpreter of Python runs in it."""
    if proc.who is not None and proc.who.is_kernel and proc.who.language:
        return proc.who.language in ("python", "sage")
    name = proc.name if proc.name.startswith(("python", "pypy")) else program_of(proc)
    return name.startswith(("python", "pypy", "ipython", "sage"))


def families(seen: Seen) -> list[Family]:
    """Return the kernels among the processes, each with what is below it, the biggest first."""
    trees: dict[Identity, list[Proc]] = {}
    for p in seen.procs:
        if p.who is not None and p.who.root is not None:
            trees.setdefault(p.who.root, []).append(p)
    heads = [(p, p.who) for p in seen.procs if p.who is not None and p.who.is_kernel]
    found = [_family(seen, p, who, trees.get(p.identity) or [p]) for p, who in heads]
    return sorted(found, key=lambda f: -f.tree)


def _family(seen: Seen, proc: Proc, who: Known, tree: Sequence[Proc]) -> Family:
    """A kernel is idle as long as its server says, but only while nobody below it works."""
    activity = who.activity
    rests = [seen.idle_s(p) for p in tree if p.identity in seen.habits]
    quiet = not any(seen.busy(p) for p in tree) and not activity.busy
    idle = min((s for s in rests if s is not None), default=None) if quiet else None
    at_least = True
    if quiet and activity.idle_since is not None:
        told = max(0.0, seen.time - activity.idle_since)
        idle, at_least = max(told, idle or 0.0), activity.at_least
    return Family(
        proc,
        seen.called(proc),
        sum(map(seen.freed, tree)),
        idle,
        at_least,
        activity,
        who.kind == known.SPARE,
        who.server is not None,
        len(tree),
    )
