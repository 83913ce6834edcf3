"""What rules of advice see, built from records; and a mark for who provokes which advice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from memtui.kernel.levels import Activity, Hierarchy, Level, Parts
from memtui.model import known as k
from memtui.model.advice.catalogue import all_advice
from memtui.model.advice.terms import Advice, Fact, Seen, families
from memtui.model.forecast import Forecast
from memtui.model.habits import Habit
from memtui.model.known import Known
from memtui.model.quota import resolve_quota
from memtui.model.snapshot import Host, Identity, Proc, Quota
from memtui.model.thrash import Thrash
from memtui.model.trend import Trend
from memtui.model.victims import OomEvent, Victim
from tests.support.made import MIB, proc

NOW = 1_800_000_000.0
LIMIT = 1000
GROUP = "/a/b"

_Test = TypeVar("_Test", bound=Callable[..., object])


def provokes(advice: str, how: str) -> Callable[[_Test], _Test]:
    """Mark a test that provokes an advice on something real; the table of advice names it."""
    return pytest.mark.provokes(advice, how)


def quota(hard: float, cache: float = 0, limit: int = LIMIT, **more: Any) -> Quota:
    """A cgroup of `limit` MiB with so many MiB that cannot be reclaimed, and so much cache."""
    parts = Parts(anon=int(hard * MIB), cache_active=0, cache_inactive=int(cache * MIB))
    parts = parts._replace(**more.pop("parts", {}))
    level = Level(
        GROUP,
        "/sys/fs/cgroup" + GROUP,
        limit * MIB,
        "/sys/fs/cgroup/a/b/memory.max",
        usage=int((hard + cache) * MIB),
        parts=parts,
        activity=Activity(**more.pop("activity", {})),
    )
    host = Host(64 << 30, 60 << 30, 0, 0)
    found = resolve_quota(Hierarchy(2, False, GROUP, (level,)), host)
    return found._replace(**more)


def seen(hard: float, *procs: Proc, cache: float = 0, **more: Any) -> Seen:
    """What is seen in such a group; `more` are the fields of `Seen`, and those of `quota`."""
    of_quota = {key: more.pop(key) for key in ("parts", "activity", "high") if key in more}
    known = Seen(NOW, quota(hard, cache, **of_quota), procs, 3.0, uid=0)._replace(**more)
    return known._replace(kernels=families(known))


def ids(found: Seen) -> list[str]:
    return [a.id for a in all_advice(found)]


def one(found: Seen, name: str) -> Advice:
    """The advice of that name, which must be there."""
    return next(a for a in all_advice(found) if a.id == name)


def habit(
    idle_s: float = 0.0, seen_s: float = 7200.0, sizes: Sequence[int] = (), **more: Any
) -> Habit:
    """How a process behaved; `sizes` are MiB, one second apart."""
    points = tuple((float(at), n * MIB) for at, n in enumerate(sizes))
    return Habit(seen_s, idle_s, more.pop("waits_s", 0.0), points, **({"rests": ()} | more))


def habits(*rows: tuple[Proc, Habit]) -> dict[Identity, Habit]:
    return {p.identity: h for p, h in rows}


def kernel(pid: int, mib: float, idle_min: float | None = None, **more: Any) -> Proc:
    """A kernel of a notebook, idle for so many minutes as its server says."""
    activity = k.Activity(**more.pop("activity", {}))
    if idle_min is not None:
        activity = activity._replace(
            busy=False, idle_since=NOW - 60 * idle_min, evidence="its server"
        )
    who = Known(
        more.pop("kind", k.KERNEL),
        more.pop("label", f"n{pid}.ipynb"),
        "its connection file",
        language="python",
        root=(pid, pid * 10),
        activity=activity,
    )
    command = f"python3 -m ipykernel_launcher -f /run/kernel-{pid}.json"
    return proc(pid, mib, GROUP, who=who, command=command, **more)


def of_kind(pid: int, mib: float, kind: str, label: str = "it", **more: Any) -> Proc:
    """A process of a kind."""
    return proc(pid, mib, GROUP, who=Known(kind, label, "program"), **more)


def facts(*rows: tuple[Proc, Fact]) -> dict[Identity, Fact]:
    return {p.identity: f for p, f in rows}


def trend(eta_s: float | None = None, **thrash: Any) -> Trend:
    """Where it goes, and how memory struggles."""
    eta = None if eta_s is None else (eta_s, eta_s)
    return Trend(Forecast(1e6, eta), None, Thrash("warn", **thrash), 0.0)


def kill(name: str, ago_s: float, command: str = "", rss: int = 100 * MIB) -> OomEvent:
    """An OOM kill in our group, so long ago."""
    victim = Victim(7, 70, name, command or name, "root", rss, NOW - ago_s)
    return OomEvent(1, NOW - ago_s, 1, GROUP, "cgroup", False, (victim,), cause="limit")
