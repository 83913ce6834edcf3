"""OOM events that no kernel caused: for the pure functions, the store, and the screens."""

from __future__ import annotations

from memtui.kernel.cgroup import Events, Level, Parts
from memtui.model.scene import Scene
from memtui.model.snapshot import Host, Limit, Pressure, Quota
from memtui.model.victims import OomEvent, Victim
from tests.support.made import MIB, proc

AT = 1_790_000_000.0
GROUP = "/jobs/j1"
FILE = f"/sys/fs/cgroup/memory{GROUP}/memory.limit_in_bytes"
COMMAND = "/usr/bin/python3 train.py --epochs 100"


def quota(limit: int = 64 * MIB) -> Quota:
    """A group with a limit, nearly full, on a machine that is not."""
    parts = Parts(50 * MIB, 2 * MIB, 3 * MIB, 2 * MIB, 2 * MIB, MIB)
    level = Level(
        GROUP, f"/sys/fs/cgroup/memory{GROUP}", limit, FILE, usage=60 * MIB, peak=62 * MIB,
        parts=parts, events=Events(oom_kill=1),
    )  # fmt: skip
    binds = Limit(limit, FILE, 60 * MIB, 58 * MIB, 55 * MIB, 0)
    return Quota(
        version=1, hybrid=False, cgroup=GROUP, limit=binds, binding=binds, high=None,
        peak=62 * MIB, swap_limit=None, swap_usage=None, parts=parts, events=Events(oom_kill=1),
        host_oom_kill=3, pressure=Pressure(), levels=(level,), host=Host(16 << 30, 8 << 30, 0, 0),
        declared={},
    )  # fmt: skip


def scene(at: float = AT) -> Scene:
    """The victim, a rival elsewhere, a small one; memory growing for two minutes."""
    victim = proc(4821, 58, GROUP, command=COMMAND, argv=COMMAND.replace(" ", "\0").encode())
    others = proc(7, 40, "/other", command="nginx"), proc(99, 3, GROUP, command="sh")
    points = [(at - 119.6 + i, int(MIB * (10 + 0.4 * i))) for i in range(120)]
    badness = {victim.identity: 59 * MIB, others[1].identity: 3 * MIB}
    return Scene(at - 0.4, [victim, *others], 120, quota(), points, badness)


def victim(**more: object) -> Victim:
    """A python3 of 58 MiB."""
    made = Victim(
        4821, 48210, "python3", COMMAND, "alice", 58 * MIB, AT - 0.4, swap=0, adj=0, parent="bash"
    )
    return made._replace(**more)  # type: ignore[arg-type]


def event(**more: object) -> OomEvent:
    """A kill at the group's own limit, its victim inferred."""
    other = victim(pid=12, start=120, command="sh -c true", rss=3 * MIB)
    made = OomEvent(
        1, AT, 1, GROUP, "cgroup", False, (victim(),), (other,), evidence="vanished",
        cause="limit", limit_cgroup=GROUP, limit_bytes=64 * MIB, scene=scene(),
    )  # fmt: skip
    return made._replace(**more)  # type: ignore[arg-type]


def by(evidence: str, **more: object) -> OomEvent:
    """The same kill, its victim known on this evidence."""
    return event(victims=(victim(evidence=evidence),), evidence=evidence, **more)
