"""When to raise an alarm, and its words. Pure: the caller tells the time and does the ringing.

Three kinds: hard usage passed a threshold, it will be full within two minutes, the kernel killed
a process of ours. Each threshold is a kind of its own, so that things getting worse is told at
once; what comes back within a minute waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memtui.model.soon import SOON_S, about
from memtui.model.trend import Trend
from memtui.model.victims import SURE, OomEvent, Victim
from memtui.text import elide, safe
from memtui.units import percent, size

THRESHOLDS = (75, 90, 97)
"""Per cent of the limit that hard usage must reach."""

CLEAR_PCT = 5.0
"""Points below its threshold at which an alarm is over."""

APART_S = 60.0
_CALM_S = 30.0  # without a forecast: it is over
_NAME_S = 2.0  # that a kill may wait for the victim's name
_REMEMBERED = 64


class Alert(NamedTuple):
    """Something to be told. `text` is one sentence, safe to display.

    `facts` are for a command's environment: MEMTUI_ALERT, MEMTUI_TEXT, and what is known of
    MEMTUI_HARD, MEMTUI_LIMIT (bytes), MEMTUI_PERCENT, MEMTUI_ETA_S, MEMTUI_RATE (bytes/s),
    MEMTUI_PROCESS, MEMTUI_VICTIM, MEMTUI_VICTIM_PID, MEMTUI_KILLS.
    """

    kind: str  # "hard", "forecast" or "kill"
    level: str  # "warn" or "crit"
    text: str
    facts: dict[str, str]


def _facts(kind: str, text: str, trend: Trend, more: dict[str, object]) -> dict[str, str]:
    eta = trend.forecast.eta_s
    rate = trend.forecast.rate
    share = percent(trend.hard, trend.limit)
    known = {
        "ALERT": kind,
        "TEXT": text,
        "HARD": trend.hard,
        "LIMIT": trend.limit,
        "PERCENT": None if share is None else f"{share:.1f}",
        "ETA_S": None if eta is None else round(sum(eta) / 2),
        "RATE": None if rate is None else round(rate),
        "PROCESS": None if trend.grown is None else trend.grown.command,
        **more,
    }
    return {f"MEMTUI_{key}": str(value) for key, value in known.items() if value is not None}


def _alert(kind: str, level: str, text: str, trend: Trend, **more: object) -> Alert:
    text = safe(text)
    return Alert(kind, level, text, _facts(kind, text, trend, more))


class Alerts:
    """Decides what to tell; one `add` for each tick. Bounded for ever."""

    def __init__(self, thresholds: Sequence[int] = THRESHOLDS, soon_s: float = SOON_S) -> None:
        self._thresholds = sorted(thresholds, reverse=True)
        self._soon_s = soon_s
        self._above: set[int] = set()  # thresholds that were told and not left since
        self._told: dict[str, float] = {}  # when each kind was told last
        self._soon = False
        self._soon_at = 0.0  # when it was said last that it will be full soon
        self._kills = _Kills()

    def add(self, at: float, trend: Trend, events: Sequence[OomEvent] = ()) -> list[Alert]:
        """Return what is to be told at `at` monotonic seconds, the worst first."""
        found = [self._kill(at, trend, events), self._forecast(at, trend), self._hard(at, trend)]
        return [alert for alert in found if alert is not None]

    def _may(self, kind: str, at: float) -> bool:
        """Whether this kind was not told within the last minute; then it counts as told."""
        last = self._told.get(kind)
        if last is not None and at - last < APART_S:
            return False
        self._told[kind] = at
        return True

    def _hard(self, at: float, trend: Trend) -> Alert | None:
        pct = percent(trend.hard, trend.limit)
        if pct is None:
            return None
        self._above = {t for t in self._above if pct > t - CLEAR_PCT}
        passed = next((t for t in self._thresholds if pct >= t), None)
        if passed is None or passed in self._above or not self._may(f"hard {passed}", at):
            return None
        self._above |= {t for t in self._thresholds if t <= passed}
        text = (
            f"{pct:.0f} % of the limit cannot be reclaimed:"
            f" {size(trend.hard)} of {size(trend.limit)}"
        )
        return _alert("hard", "crit" if passed >= 90 else "warn", text, trend, THRESHOLD=passed)

    def _forecast(self, at: float, trend: Trend) -> Alert | None:
        eta = trend.forecast.eta_s
        soon = None if eta is None else sum(eta) / 2
        if soon is not None and soon < 1.5 * self._soon_s:
            self._soon_at = at
        elif at - self._soon_at >= _CALM_S:
            self._soon = False
        if soon is None or soon >= self._soon_s or self._soon or not self._may("forecast", at):
            return None
        self._soon = True
        who = f", mostly {_short(trend.grown.command)}" if trend.grown else ""
        return _alert("forecast", "crit", f"memory will be full in {about(soon)}{who}", trend)

    def _kill(self, at: float, trend: Trend, events: Sequence[OomEvent]) -> Alert | None:
        self._kills.add(at, events)
        if not self._kills.ready(at) or not self._may("kill", at):
            return None
        count, victim = self._kills.take()
        text = _killed(count, victim)
        more = {} if victim is None else {"VICTIM": victim.command, "VICTIM_PID": victim.pid}
        return _alert("kill", "crit", text, trend, KILLS=count, **more)


def _short(command: str) -> str:
    """The beginning of a command line, without the program's folder."""
    program, blank, rest = command.partition(" ")
    return elide(program.rpartition("/")[2] + blank + rest, 48)


def _killed(count: int, victim: Victim | None) -> str:
    if victim is None:
        return f"the kernel killed {count} process{'es' if count > 1 else ''} for lack of memory"
    more = f" and {count - 1} more" if count > 1 else ""
    probably = "" if victim.evidence in SURE else "probably "
    name = f"{victim.what or _short(victim.command)} (PID {victim.pid})"
    return f"the kernel killed {probably}{name}{more} for lack of memory"


class _Kills:
    """Kills of ours that were not told yet; a name may come a moment after the count."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # kills told of each event
        self._count = 0
        self._victim: Victim | None = None
        self._since: float | None = None

    def add(self, at: float, events: Sequence[OomEvent]) -> None:
        """Take new events, and those that are known better."""
        for event in events:
            old = event.before_start or event.recorded  # the panel shows those
            if old or not event.ours or event.kind != "oom":
                continue
            new = event.count - self._seen.get(event.id, 0)
            self._seen[event.id] = event.count
            if new > 0:
                self._count += new
                self._since = at if self._since is None else self._since
            if event.victims and self._count:
                self._victim = event.victims[0]
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def ready(self, at: float) -> bool:
        """Whether there is something to tell now."""
        if self._since is None:
            return False
        return self._victim is not None or at - self._since >= _NAME_S

    def take(self) -> tuple[int, Victim | None]:
        """Return how many there were, and one of the victims; then none are left."""
        found = self._count, self._victim
        self._count, self._victim, self._since = 0, None, None
        return found
