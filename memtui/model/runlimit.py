"""A limited run, as pure functions: what its end amounts to, and which limit would have done.

Sizes are bytes.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Iterable
from typing import NamedTuple

from memtui.model.limits import AS, COUNTED, MIN_LIMIT
from memtui.units import size_long

NEAR = 0.9  # a run under an rlimit that failed at this much of it probably failed for it

_FAULTS = (5, 6, 11)  # SIGTRAP, SIGABRT, SIGSEGV: how programs end that got no memory
_REFUSALS = (
    *("MemoryError", "bad_alloc", "Cannot allocate memory", "cannot allocate vector"),
    *("OutOfMemoryError", "heap out of memory", "memory exhausted", "out of memory"),
)
_SPARE = 1.1  # how much more than the peak a limit is suggested
_NOTABLE = (
    *("limit-watched", "probably-limit", "maybe-limit", "too-small", "tmpfs-full"),
    *("sigkill", "time"),
)
_ENOUGH_UNKNOWN = ("limit", "limit-part", "limit-watched", "probably-limit", "maybe-limit")
_SHELL_STATUS = {126: "as shells do for what they cannot execute", 127: "not found, or not loaded"}


class Victim(NamedTuple):
    """A process that the OOM killer took, by the kernel log."""

    pid: int
    name: str  # harmless
    rss: int | None


class Clues(NamedTuple):
    """What was found out about an end that looks like memory; empty where there was no need."""

    victims: tuple[Victim, ...] = ()
    outer: tuple[int | None, str] | None = None  # whose limit it was: bytes, and cgroup or machine
    interrupted: bool = False  # the terminal sent SIGINT
    sender: str = ""  # who sent memtui the signal that it handed on: "kill (123)"
    full: tuple[int, str] | None = None  # a tmpfs that is full: bytes, where
    start: int | None = None  # what the program and its libraries map before its first line
    began: int | None = None  # what of the limited it had at its start
    said: str = ""  # words of its output that tell of memory refused
    others: int = 0  # OOM kills on the machine meanwhile, whoever's


class Ending(NamedTuple):
    """How a limited run ended; None where it cannot be known by its method."""

    method: str  # one of model.limits.METHODS, never auto
    limit: int
    status: int | None  # exit status, None when a signal ended it
    signal: int | None
    oom_kills: int | None = None  # processes that the OOM killer took in its cgroup
    own: bool | None = None  # whether the run's own limit made it
    nearest: int = 0  # the most of the limited quantity that one process was seen to have
    ended_for: str = ""  # what memtui itself ended it for: "limit" (watchdog) or "time"
    clues: Clues = Clues()


class Verdict(NamedTuple):
    """What the end of a run amounts to: a word for programs and a sentence for people."""

    kind: str
    """ok, failed, signal, sigkill, interrupted, time, limit, limit-part, limit-watched, above,
    probably-limit, maybe-limit, too-small, tmpfs-full."""
    text: str

    @property
    def oom(self) -> bool:
        """Whether the OOM killer took part."""
        return self.kind in ("limit", "limit-part", "above")

    @property
    def notable(self) -> bool:
        """Whether it has to do with memory, or looks like it, and so is always told."""
        return self.oom or self.kind in _NOTABLE

    @property
    def has_peak(self) -> bool:
        """Whether the sentence names the peak itself, or it would mislead."""
        return self.kind in ("maybe-limit", "too-small", "tmpfs-full")


def _name(number: int) -> str:
    try:
        return f"signal {number} ({signals.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _how(e: Ending) -> str:
    if e.signal:
        return f"was killed by {_name(e.signal)}"
    said = f" ({_SHELL_STATUS[e.status]})" if e.status in _SHELL_STATUS else ""
    return f"exited with status {e.status}{said}"


def _who(e: Ending, kills: int) -> str:
    """Name the victims where the kernel log told them: `cc1plus (4242, 812 MiB)`."""
    names = [f"{v.name} ({v.pid}, {size_long(v.rss)})" for v in e.clues.victims[:3]]
    if not names:
        return "a process of it was" if kills == 1 else f"{kills} processes of it were"
    if kills > len(names):
        names.append(f"{kills - len(names)} more")
    return f"{', '.join(names)} {'was' if kills == 1 else 'were'}"


def _above(e: Ending) -> Verdict:
    text = "killed for memory, not by this limit: "
    if e.clues.outer is None:
        return Verdict("above", text + "one above it, or the machine, ran out")
    limit, whose = e.clues.outer
    if not whose:
        return Verdict("above", text + "the machine itself ran out")
    size = "" if limit is None else f" of {size_long(limit)}"
    return Verdict("above", f"{text}{whose} reached its limit{size}")


def _oom(e: Ending) -> Verdict:
    size, kills = size_long(e.limit), e.oom_kills or 0
    if not e.own:
        return _above(e)
    if e.signal == 9:
        more = f" ({kills} processes killed)" if kills > 1 else ""
        return Verdict("limit", f"killed: it reached its limit of {size}{more}")
    who = _who(e, kills)
    return Verdict("limit-part", f"{who} killed at the limit of {size}; the command {_how(e)}")


def _maybe(e: Ending) -> Verdict:
    """An allocation larger than what was left is refused whole, and the peak does not show it."""
    limit, counted = size_long(e.limit), COUNTED[e.method]
    seen = f"largest process {size_long(e.nearest)} of {limit} {counted}"
    if e.method == AS and e.clues.began:
        seen += f", {size_long(e.clues.began)} from its start on"
    if not e.nearest:
        seen = f"its size was not seen, the limit is {limit} {counted}"
    return Verdict("maybe-limit", f"{_how(e)}; {seen}: an allocation may have been refused")


def _by_rlimit(e: Ending) -> Verdict | None:
    """Judge a failure under an rlimit, which leaves no trace: `probably` at best."""
    size = size_long(e.limit)
    if e.method == AS and e.clues.start is not None and e.clues.start > e.limit:
        text = f"could not start: the program and its libraries map {size_long(e.clues.start)} "
        text += f"before its first line runs, more than the limit of {size}"
        return Verdict("too-small", f"{text}: what the rest needs, this does not tell")
    if e.clues.said:
        text = f"ran out of its limit of {size}, as its output says ({e.clues.said}): it {_how(e)}"
        return Verdict("probably-limit", text)
    if e.nearest >= NEAR * e.limit:
        text = f"probably failed for memory: it was near its limit of {size} and {_how(e)}"
        return Verdict("probably-limit", text)
    return _maybe(e) if e.status or e.signal in _FAULTS else None


def _sigkill(e: Ending) -> Verdict:
    text = "killed by SIGKILL from outside, not by its memory limit"
    if e.method in COUNTED and e.clues.others:  # no counter of its own tells
        n = e.clues.others
        text += f"; the OOM killer took {n} process{'es' * (n > 1)} on this machine meanwhile"
    return Verdict("sigkill", text)


def _sigbus(e: Ending) -> Verdict:
    if e.clues.full is None:
        text = "a file that it had mapped is shorter than it took it for, or its tmpfs was full"
        return Verdict("signal", f"{_how(e)}: {text}")
    size, where = e.clues.full
    text = f"{where} is full ({size_long(size)}), a file mapped there could not grow"
    return Verdict("tmpfs-full", f"{_how(e)}: {text}")


def _by_us(e: Ending) -> Verdict:
    if e.ended_for == "time":
        return Verdict("time", f"ended by memtui for its time limit: it {_how(e)}")
    text = f"ended by memtui for its limit of {size_long(e.limit)}: it {_how(e)}"
    return Verdict("limit-watched", text)


def derive_verdict(e: Ending) -> Verdict:
    """Return what the end means, in one sentence."""
    if e.oom_kills:
        return _oom(e)
    if e.ended_for:
        return _by_us(e)
    if e.signal == 9 and e.clues.outer is not None:
        return _above(e)
    if e.signal == 9:
        return _sigkill(e)
    if e.status == 0:
        return Verdict("ok", "ended by itself")
    if e.clues.interrupted and (e.signal == 2 or e.status == 130):
        return Verdict("interrupted", "interrupted from the terminal")
    if e.signal == 7 or e.status == 135:
        return _sigbus(e)
    if e.method in COUNTED and (verdict := _by_rlimit(e)):
        return verdict
    more = f", sent by {e.clues.sender}" if e.signal and e.clues.sender else ""
    if e.clues.said:
        more = f"; its output says {e.clues.said}: some limit of its own, not this one"
    return Verdict("signal" if e.signal else "failed", _how(e) + more)


def find_refusal(lines: Iterable[str]) -> str:
    """Return the words of a command's last lines by which programs tell that they got no memory."""
    found = [words for line in lines for words in _REFUSALS if words.lower() in line.lower()]
    return found[-1] if found else ""


class Advice(NamedTuple):
    """Which limit to take next time."""

    limit: int | None  # bytes; None where no number can be told
    text: str


def round_up(n: float) -> int:
    """Return the next size above that people would write: 47M, 470M, 4.7G."""
    mib = max(n / (1 << 20), MIN_LIMIT / (1 << 20))
    step = next(s for s in (1, 10, 102.4, 1024, 10240, 1 << 40) if mib <= 100 * s)
    return int(-(-mib // step) * step * (1 << 20))


def as_option(limit: int) -> str:
    """Return a size as `--limit` takes it: `47M`, `1.3G`."""
    mib = limit / (1 << 20)
    return f"{mib:.0f}M" if mib < 1024 else f"{mib / 1024:.1f}".removesuffix(".0") + "G"


def advise(e: Ending, verdict: Verdict, peak: int | None) -> Advice | None:
    """Return one suggestion; None where the limit has nothing to do with the end.

    A run that ended for memory has not shown how much it needs: its peak is a lower bound.
    """
    if verdict.kind == "ok" and peak:
        enough = round_up(peak * _SPARE)
        sure = "would" if e.method not in COUNTED else "would probably"
        advice = Advice(enough, f"--limit {as_option(enough)} {sure} have done")
        return advice if enough < e.limit else None
    if verdict.kind == "too-small" and e.clues.start:
        more = round_up(2 * e.clues.start)
        return Advice(more, f"--limit {as_option(more)}, or --method data, lets it start")
    if verdict.kind in _ENOUGH_UNKNOWN:
        more = round_up(2 * e.limit)
        so = "if so" if verdict.kind == "maybe-limit" else "it needs more than that"
        return Advice(more, f"{so}: try --limit {as_option(more)}, or --find-limit")
    if verdict.kind == "above":
        return Advice(None, "a larger --limit does not help: free memory beside it, or raise that")
    return None


class Result(NamedTuple):
    """A run that is over."""

    status: int | None  # exit status, None when a signal ended it
    signal: int | None
    verdict: Verdict
    peak: int | None  # bytes; what of, `peak_of` says
    peak_of: str  # in words: what the peak counts and how well
    seconds: float  # wall clock
    left: int  # processes that were still alive when the command ended, and were killed
    leave: bool = False  # they were left to go on, as asked
    advice: Advice | None = None

    @property
    def exit_status(self) -> int:
        """The status as a shell gives it: 128 + N for signal N."""
        return 128 + self.signal if self.signal else self.status or 0

    @property
    def notable(self) -> bool:
        """Whether something befell the command that is told without being asked."""
        return self.verdict.notable or self.left > 0
