"""Kernels that a Jupyter server starts again after a kill."""

from __future__ import annotations

from memtui.model.victims import Departed, OomEvent, victim_of
from memtui.services.restarts import Restarts
from tests.support.made import proc

FILE = "/home/ann/.local/share/jupyter/runtime/kernel-0a1b-22.json"
KERNEL = proc(50, 90, command=f"python -m ipykernel_launcher -f {FILE}")


def killed(*procs: object, time: float = 100.0) -> OomEvent:
    victims = tuple(victim_of(Departed(p, 99.0, 100.0), "kernel-log") for p in procs)  # type: ignore[arg-type]
    return OomEvent(3, time, len(victims), "/a", "cgroup", False, victims)


def test_a_kernel_on_the_same_connection_file_is_a_restart() -> None:
    restarts = Restarts()
    assert restarts.mark(100.0, [killed(KERNEL)], [])[0].victims[0].restarted is None
    again = KERNEL._replace(pid=77, start=KERNEL.start + 10)
    (event,) = restarts.mark(102.0, [], [proc(5), again])
    assert (event.id, event.victims[0].restarted) == (3, 77)
    assert restarts.mark(103.0, [], [again]) == []
    (retold,) = restarts.mark(104.0, [killed(KERNEL)], [again])
    assert retold.victims[0].restarted == 77


def test_other_kernels_and_later_ones_are_none() -> None:
    restarts = Restarts()
    restarts.mark(100.0, [killed(KERNEL)], [])
    other = proc(77, 1, command="python -m ipykernel_launcher -f /x/kernel-ffff-00.json")
    older = KERNEL._replace(pid=20, start=KERNEL.start - 1)
    assert restarts.mark(101.0, [], [other._replace(start=9999), older]) == []
    assert restarts.mark(200.0, [], [KERNEL._replace(pid=77, start=9999)]) == []


def test_who_was_no_kernel_is_not_waited_for() -> None:
    restarts = Restarts()
    event = killed(proc(50, 90))
    assert restarts.mark(100.0, [event], []) == [event]
    assert restarts.mark(101.0, [], [proc(77, start=9999)]) == []
