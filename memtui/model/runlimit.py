"""A limited run, as pure functions: what its end amounts to.

Sizes are bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from memtui.model.limits import COUNTED
from memtui.units import size_long

NEAR = 0.9  # a run under an rlimit that failed at this much of it probably failed for it

_FAULTS = (5, 6, 11)  # SIGTRAP, SIGABRT, SIGSEGV: how programs end that got no memory


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


class Verdict(NamedTuple):
    """What the end of a run amounts to: a word for programs and a sentence for people."""

    kind: str  # ok, failed, signal, sigkill, limit, limit-part, above, ...
    text: str

    @property
    def oom(self) -> bool:
        """Whether the OOM killer took part."""
        return self.kind in ("limit", "limit-part", "above")

    @property
    def notable(self) -> bool:
        """Whether it has to do with memory, or looks like it, and so is always told."""
        return self.oom or self.kind in (
            *("probably-limit", "maybe-limit", "sigkill", "limit-watched", "time"),
        )

    @property
    def has_peak(self) -> bool:
        """Whether the sentence names the peak itself."""
        return self.kind == "maybe-limit"


def _how(e: Ending) -> str:
    return f"was killed by signal {e.signal}" if e.signal else f"exited with status {e.status}"


def _oom(e: Ending) -> Verdict:
    size, kills = size_long(e.limit), e.oom_kills or 0
    if not e.own:
        text = "killed for memory, not by this limit: one above it, or the machine, ran out"
        return Verdict("above", text)
    if e.signal == 9:
        more = f" ({kills} processes killed)" if kills > 1 else ""
        return Verdict("limit", f"killed: it reached its limit of {size}{more}")
    some = "a process of it was" if kills == 1 else f"{kills} processes of it were"
    return Verdict("limit-part", f"{some} killed at the limit of {size}; the command {_how(e)}")


def _maybe(e: Ending) -> Verdict:
    """An allocation larger than what was left is refused whole, and the peak does not show it."""
    limit, counted = size_long(e.limit), COUNTED[e.method]
    seen = f"largest process {size_long(e.nearest)} of {limit} {counted}"
    if not e.nearest:
        seen = f"its size was not seen, the limit is {limit} {counted}"
    return Verdict("maybe-limit", f"{_how(e)}; {seen}: an allocation may have been refused")


def derive_verdict(e: Ending) -> Verdict:
    """Return what the end means. An rlimit leaves no trace, so there it is `probably` at best."""
    if e.oom_kills:
        return _oom(e)
    if e.ended_for == "time":
        return Verdict("time", f"ended by memtui for its time limit: it {_how(e)}")
    if e.ended_for:
        text = f"ended by memtui for its limit of {size_long(e.limit)}: it {_how(e)}"
        return Verdict("limit-watched", text)
    if e.signal == 9:
        return Verdict("sigkill", "killed by SIGKILL from outside, not by its memory limit")
    if e.status == 0:
        return Verdict("ok", "ended by itself")
    if e.method in COUNTED and e.nearest >= NEAR * e.limit:
        size = size_long(e.limit)
        text = f"probably failed for memory: it was near its limit of {size} and {_how(e)}"
        return Verdict("probably-limit", text)
    if e.method in COUNTED and (e.status or e.signal in _FAULTS):
        return _maybe(e)
    return Verdict("signal" if e.signal else "failed", _how(e))


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

    @property
    def exit_status(self) -> int:
        """The status as a shell gives it: 128 + N for signal N."""
        return 128 + self.signal if self.signal else self.status or 0

    @property
    def notable(self) -> bool:
        """Whether something befell the command that is told without being asked."""
        return self.verdict.notable or self.left > 0
