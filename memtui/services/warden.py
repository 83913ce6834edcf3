"""What the kernel does not do for a run: time, and what is to happen short of a limit.

Whoever waits for the command calls `look`, and again after `pause_s`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from memtui.model.limits import KILL, STOP, TERM, WATCH, Limits
from memtui.services import herding
from memtui.services.limiter import Limiter
from memtui.units import size_long

_BURST = 1e9  # bytes a second: how fast memory may be taken that is there already
_LOOKS = 3  # in the time that such a burst takes to the limit
_FAST_S, _SLOW_S = 0.001, 0.05
_SHARE, _SHARE_NEAR = 25, 4  # a look's CPU time is followed by as many times as much of none
_TEND_S = 0.05
_STILL_S, _RUN_S = 0.45, 0.05  # `throttle` by the watchdog: a tenth of the time
_STEP = 10  # after somebody let it go on: the next stop is a tenth of the limit further up


class Warden:
    """Ends, stops or slows one run. Sizes are bytes, times monotonic seconds."""

    def __init__(
        self, limiter: Limiter, limits: Limits, pid: int, session: bool, begun: float
    ) -> None:
        self._limiter, self._limits = limiter, limits
        self._pid, self._session = pid, session
        self._deadline = None if limits.time_s is None else begun + limits.time_s
        self._kill_at: float | None = None
        self._go_at: float | None = None
        self._mark = limiter.mark
        self._due = begun
        self._seen: tuple[float, int] | None = None
        self._slowed = False
        self.ended_for = ""  # "limit" or "time": what we ended it for
        self.held: int | None = None  # what it had when it was stopped, for a person to decide
        self.tell: Callable[[str], None] = lambda text: None

    @property
    def pause_s(self) -> float | None:
        """In how many seconds to look again; None: there is nothing to look for."""
        times = [t for t in (self._deadline, self._kill_at, self._go_at) if t is not None]
        if self._watches:
            times.append(self._due)
        return max(0.0, min(times) - time.monotonic()) if times else None

    @property
    def stopped(self) -> bool:
        """Whether it stands still because we stopped it."""
        return self.held is not None or self._go_at is not None

    @property
    def _watches(self) -> bool:
        if self.ended_for:  # SIGTERM was sent, and nobody else holds it to its limit meanwhile
            return self._kill_at is not None and self._mark is not None
        return not self.stopped and (self._mark is not None or self._tends)

    @property
    def _tends(self) -> bool:
        return self._limits.oom_group

    def look(self) -> None:
        """Do what it is time for."""
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            herding.kill(self._members)
        elif self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._end("time", self._seen[1] if self._seen else 0)
        elif self._go_at is not None and now >= self._go_at:
            self._go_at, self._due = None, now + _RUN_S
            herding.send(self._members(), signal.SIGCONT)
        elif self._watches and now >= self._due:
            self._watch()

    def change(self, limit: int) -> None:
        """Go by another limit from now on; the limiter has it already."""
        self._limits = self._limits._replace(limit=limit)
        self._mark = self._limiter.mark

    def go_on(self) -> None:
        """Let it go on after it was stopped: somebody has decided so."""
        if self.held is None:
            return
        if self._mark is not None:
            self._mark = max(self._mark, self.held) + self._limits.limit // _STEP
        self.held = None
        self._limiter.release()
        if self._limiter.mark is None:  # the limit itself does the rest
            self._mark = None
        self._due = time.monotonic()
        herding.send(self._members(), signal.SIGCONT)

    def _members(self) -> set[int]:
        return self._limiter.members(self._pid, self._session)

    def _watch(self) -> None:
        began, cpu = time.monotonic(), time.thread_time()
        if self._tends:
            self._limiter.tend()
        pause = _TEND_S
        if self._mark is not None:
            used = self._limiter.weigh(self._pid, self._session) or 0
            if used >= self._mark:
                self._act(used)
            pause = self._pace(began, used, time.thread_time() - cpu)
        self._due = time.monotonic() + pause

    def _pace(self, now: float, used: int, cost_s: float) -> float:
        """Return when to look again: often where a burst could reach the limit soon."""
        left = max(0, (self._mark or 0) - used)
        before, self._seen = self._seen, (now, used)
        rate = (used - before[1]) / max(1e-4, now - before[0]) if before else 0.0
        near = rate > 0 and left / rate < 1.0
        least = max(_FAST_S, cost_s * (_SHARE_NEAR if near else _SHARE))
        return max(least, min(left / max(_BURST, rate) / _LOOKS, _SLOW_S))

    def _act(self, used: int) -> None:
        what = self._limits.on_limit
        if what == KILL or self.ended_for:
            self.ended_for, self._kill_at = self.ended_for or "limit", None
            herding.kill(self._members)
        elif what == TERM:
            self._end("limit", used)
        elif what == STOP:
            self._hold(used)
        else:
            self._slow(used)

    def _end(self, reason: str, used: int) -> None:
        self.ended_for, self.held, self._go_at, self._deadline = reason, None, None, None
        self._kill_at = time.monotonic() + self._limits.grace_s
        if self._limiter.method != WATCH:
            self._mark = None  # the kernel does the rest
        elif self._mark is not None and used >= self._mark:
            self._mark = used + self._limits.limit // _STEP  # something to end in
        herding.end(self._members)

    def _hold(self, used: int) -> None:
        self.held = used
        herding.halt(self._members)
        self.tell(f"stopped at {size_long(used)} of {size_long(self._limits.limit)}")

    def _slow(self, used: int) -> None:
        if not self._slowed:
            self._slowed = True
            self.tell(f"slowed down at {size_long(used)}: it runs a tenth of the time")
        herding.halt(self._members)
        self._go_at = time.monotonic() + _STILL_S
