"""What the screen remembers of OOM events is bounded, and the count of kills stays right."""

from __future__ import annotations

from memtui.model.scene import Scene
from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent
from memtui.services.sampler import Sampler
from memtui.tui.state import State


def sampled() -> Snapshot:
    source = Sampler()
    try:
        return source.sample()
    finally:
        source.stop()


def test_a_loop_of_kills_fills_no_memory_and_every_kill_is_counted() -> None:
    state = State(sampled(), 0)
    scene = Scene(0.0, [], 0, state.snapshot.quota, (), {})
    kills = 1200
    for i in range(1, kills + 1):
        event = OomEvent(i, float(i), 1, "/a", "cgroup", False, record="killed", scene=scene)
        state.saw([event])
    assert state.kills == kills
    assert [e.id for e in state.events] == list(range(kills, kills - len(state.events), -1))
    assert len(state.events) < kills // 2
    whole = [e.id for e in state.events if e.scene is not None]
    assert whole == [e.id for e in state.events][: len(whole)], "the newest"
    assert 10 <= len(whole) < len(state.events) // 2


def test_what_does_not_concern_us_goes_first() -> None:
    state = State(sampled(), 0)
    state.saw([OomEvent(1, 1.0, 1, "/a", "cgroup", False)])
    state.saw([OomEvent(i, float(i), 1, None, "elsewhere", False) for i in range(2, 2000)])
    assert state.kills == 1
    assert state.events[0].id == 1
