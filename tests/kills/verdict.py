"""Comparing what was told with the truth."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tests.kills.scenarios import Truth
from tests.kills.watched import SURE, Told, Watched
from tests.support import worlds

TOLD_S = 9.0
"""How long is waited for a victim's name: an event is closed after five seconds."""
NOT_TOLD_S = 4.0
"""How long is waited for what must not come."""


class Verdict(NamedTuple):
    """How one play of a scenario was told."""

    kills: int  # by the OOM killer, from the wait statuses
    counted: int  # told of in the right group
    right: dict[int, str]  # PID: evidence
    wrong: int  # named, and not killed by the OOM killer
    sure_and_wrong: int  # in any update, on evidence that is called certain
    cause: bool  # whose limit it was is told right
    sigkills: int  # a person's, told as such
    not_oom: int  # the OOM killer's, in any update told as a person's
    lived_s: float  # the shortest life among the victims
    delays: list[float]  # seconds from a victim's reaping to when it was told by name


def _victims(told: list[Told], kind: str) -> list[Told]:
    return [v for t in told if t["kind"] == kind for v in t["victims"]]


def tells_how(watched: Watched) -> bool:
    """Whether the watcher can know how a process ended, or whom the kernel killed."""
    return watched.log or worlds.missing("pidfd_exit") is None


def _done(watched: Watched, truth: Truth) -> bool:
    truth.settle()
    events = watched.events(truth.group.cgroup)
    victims = _victims(events, "oom")
    sure = not tells_how(watched) or all(v["evidence"] in SURE for v in victims)
    named = truth.oom <= {v["pid"] for v in victims}
    told = truth.person <= {v["pid"] for v in _victims(events, "sigkill")}
    return sure and named and (told or worlds.missing("pidfd_exit") is not None)


def judge(watched: Watched, truth: Truth) -> Verdict:
    """Wait until all is told, or could have been, and compare."""
    place = truth.group.cgroup
    wait = TOLD_S if truth.oom else NOT_TOLD_S
    if truth.oom or worlds.missing("pidfd_exit") is None:
        watched.until(lambda: _done(watched, truth), wait)
    else:  # an event must not come
        watched.until(lambda: False, wait)
    events, told = watched.events(place), watched.told(place)
    named = _victims(events, "oom")
    ooms = [e for e in events if e["kind"] == "oom"]
    limits = {(e["cause"], e["limit_cgroup"]) for e in ooms}
    lives = [truth.ended[p] - truth.born[p] for p in truth.oom]
    return Verdict(
        kills=len(truth.oom),
        counted=sum(e["count"] for e in ooms),
        right={v["pid"]: v["evidence"] for v in named if v["pid"] in truth.oom},
        wrong=sum(v["pid"] not in truth.oom for v in named),
        sure_and_wrong=len(
            {v["pid"] for v in _victims(told, "oom") if v["evidence"] in SURE} - truth.oom
        ),
        cause=limits == {("limit", truth.limit.cgroup)} if truth.oom else not limits,
        sigkills=len(truth.person & {v["pid"] for v in _victims(events, "sigkill")}),
        not_oom=len(truth.oom & {v["pid"] for v in _victims(told, "sigkill")}),
        lived_s=min(lives, default=0.0),
        delays=_delays(told, truth),
    )


def _delays(told: list[Told], truth: Truth) -> list[float]:
    first: dict[int, float] = {}
    for t in told:
        for v in t["victims"]:
            first.setdefault(v["pid"], t["told_at"] - truth.ended.get(v["pid"], t["told_at"]))
    return [first[p] for p in truth.oom if p in first]


def evidence(verdicts: list[Verdict]) -> Counter[str]:
    """How many were named right on which evidence."""
    return Counter(e for v in verdicts for e in v.right.values())
