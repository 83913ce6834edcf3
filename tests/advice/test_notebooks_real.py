"""Advice on real notebooks: a Jupyter server with kernels in a small group."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import all_advice
from memtui.model.advice.state import Explained, as_json, paragraph
from memtui.model.advice.terms import Family, Seen, families
from memtui.model.habits import Habit
from memtui.services.explain import look
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group
from tests.support.jupyter import serving
from tests.support.procs import until

pytestmark = pytest.mark.one_world
NAMES = ("analysis.ipynb", "old [x].ipynb", "third.ipynb")


def seen(group: Group) -> Explained:
    return look(LIVE, group.cgroup, 0)


def nearly(found: Seen) -> Seen:
    """The same as if the limit were nearly reached: to reach it would kill somebody."""
    binding = found.quota.binding
    assert binding is not None
    limit = binding._replace(bytes=int((binding.hard or 0) / 0.85))
    return found._replace(quota=found.quota._replace(binding=limit))


def kernels(group: Group) -> list[Family]:
    return list(seen(group).seen.kernels)


@provokes("idle-kernel", "a real kernel in a full group, the clock put forward by an hour")
@provokes("many-kernels", "three real kernels, the clock put forward by an hour")
@provokes("orphan-kernel", "two real kernels of a server that was killed, in a full group")
def test_real_kernels_idle_and_orphaned(memory_group: Group, tmp_path: Path) -> None:
    memory_group.set_limit(400 * MIB)
    with serving(tmp_path) as server:
        (memory_group.dir / "cgroup.procs").write_text(str(server.process.pid))
        pids = {name: server.open(name) for name in NAMES}
        until(lambda: all(k.server and k.tree > 20 * MIB for k in kernels(memory_group)), 60)
        now = seen(memory_group)
        assert {k.title for k in now.seen.kernels} == set(NAMES)
        titles = [p["title"] for p in as_json(now)["state"]["biggest"]]
        assert len({"Jupyter server", *NAMES} & set(titles)) == 3
        alone = now.seen._replace(procs=[k.proc for k in now.seen.kernels])
        assert any(f"The biggest: {name}, python, " in paragraph(alone) for name in NAMES)
        assert "many-kernels" not in [a.id for a in all_advice(now.seen)]

        full = nearly(now.seen)
        rested = Habit(7200.0, 3600.0, 0.0, (), ())
        later = full._replace(
            time=full.time + 3600, habits={p.identity: rested for p in full.procs}
        )
        found = {a.id: a for a in all_advice(later._replace(kernels=families(later)))}
        assert found["many-kernels"].say.startswith("3 idle notebooks hold")
        two = [p for p in later.procs if p.who is None or p.who.label != "third.ipynb"]
        fewer = later._replace(procs=two)
        told = all_advice(fewer._replace(kernels=families(fewer)))
        idle = [a for a in told if a.id == "idle-kernel"]
        assert len(idle) == 2
        assert "A signal is no way: its server starts the kernel anew." in idle[0].how

        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)  # else they would see that their server has gone, and end
        server.process.kill()
        server.process.wait()
        try:
            orphans = [
                a for a in all_advice(nearly(seen(memory_group).seen)) if a.id == "orphan-kernel"
            ]
        finally:
            for pid in pids.values():
                os.kill(pid, signal.SIGKILL)
        assert len(orphans) == 3
        assert all("nobody can reach it" in a.say for a in orphans)
