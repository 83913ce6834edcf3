"""Who a process is, in sentences with their evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from memtui.model import known as k
from memtui.model.classify import container_of
from memtui.model.known import Activity, Known
from memtui.model.snapshot import Proc
from memtui.render.names import clock
from memtui.units import duration


def about(proc: Proc, now: float) -> list[str]:
    """Return what is known of who a process is, each with its evidence; `now` since the epoch."""
    found: list[str] = []
    if who := proc.who:
        found += _about(who, now)
    if container := container_of(proc.cgroup):
        found.append(f"in container {container}, by the path of its cgroup")
    return found


def _about(who: Known, now: float) -> Iterator[str]:
    if who.kind == k.CHILD:
        yield f"belongs to the notebook {who.notebook}: it is {who.evidence}"
        return
    language = f", {who.language}" if who.language else ""
    detail = f": {who.detail}" if who.detail else ""
    yield f"{k.TITLES[who.kind]}{language}{detail}, told by {who.evidence}"
    if who.path:
        by = f", told by {who.named_by}" if who.named_by else ""
        yield f"{who.path}{by}"
    if who.parent:
        yield f"works for {who.parent}, its parent"
    if who.is_kernel:
        yield from _doing(who.activity, now)
    elif who.notebook:
        yield f"belongs to the notebook {who.notebook}"


def _doing(doing: Activity, now: float) -> Iterator[str]:
    by = f", told by {doing.evidence}" if doing.evidence else ""
    if doing.busy:
        yield f"busy{by}"
    elif doing.idle_since is not None:
        least = "at least " if doing.at_least else ""
        ago = duration(max(0.0, now - doing.idle_since))
        yield f"idle since {clock(doing.idle_since)}, {least}{ago}{by}"
    else:
        yield "whether it is busy is not known yet"
    if doing.connections is not None:
        tabs = "no tab shows it" if not doing.connections else f"{doing.connections} connections"
        yield f"{tabs}, told by its server"
    if doing.restarts:
        times = ", ".join(map(clock, doing.restarts[-4:]))
        yield f"came back after its end, with nothing in it: {times}"
    if doing.orphaned:
        yield f"orphaned: {doing.problem}, nobody can reach it any more"
    elif doing.problem:
        yield doing.problem
