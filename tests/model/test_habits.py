"""How processes behave while they are looked at: idle, at work, waiting, growing."""

from __future__ import annotations

from memtui.model.habits import Habit, Habits
from memtui.model.snapshot import Proc
from tests.support.made import proc

BIG = proc(5, 100)


def watched(*samples: Proc, step_s: float = 1.0) -> Habit | None:
    """What is known after samples, one every `step_s` seconds."""
    habits = Habits()
    for turn, sample in enumerate(samples):
        habits.add(turn * step_s, [sample])
    return habits.found().get(BIG.identity)


def test_who_never_works_is_idle_as_long_as_it_was_looked_at() -> None:
    found = watched(*[BIG] * 61)
    assert found is not None
    assert (found.seen_s, found.idle_s) == (60.0, 60.0)


def test_a_tick_now_and_then_is_no_work() -> None:
    samples = [BIG._replace(cpu_time=0.01 * (n // 3)) for n in range(120)]  # 0.3 % of a CPU
    found = watched(*samples)
    assert found is not None
    assert found.idle_s == found.seen_s == 119.0


def test_who_works_is_not_idle_and_is_after_it() -> None:
    work = [BIG._replace(cpu_time=float(n)) for n in range(30)]
    found = watched(*work)
    assert found is not None
    assert found.idle_s == 0.0
    assert found.cpu_pct is not None
    assert found.cpu_pct > 90
    rested = watched(*work, *[work[-1]] * 40)
    assert rested is not None
    assert 29 <= rested.idle_s <= 40


def test_its_size_is_noted_whenever_it_comes_to_rest() -> None:
    samples, cpu, rss = list[Proc](), 0.0, 100
    for _ in range(3):  # three cells: 15 s of work, 45 s of rest
        rss += 50
        for second in range(60):
            cpu += 1.0 if second < 15 else 0.0
            samples.append(BIG._replace(cpu_time=cpu, rss=rss << 20))
    found = watched(*samples)
    assert found is not None
    assert [n >> 20 for n in found.rests] == [150, 200, 250]


def test_waiting_counts_while_it_lasts_and_for_small_ones_too() -> None:
    stuck, small = BIG._replace(state="D"), BIG._replace(rss=4096)
    found = watched(*[stuck._replace(rss=4096)] * 13)
    assert found is not None
    assert found.waits_s == 12.0
    again = watched(*[stuck] * 5, BIG, stuck, stuck)
    assert again is not None
    assert again.waits_s == 1.0
    assert watched(small, small) is None


def test_another_process_with_its_pid_begins_anew_and_who_is_gone_is_forgotten() -> None:
    habits = Habits()
    for at in range(30):
        habits.add(float(at), [BIG])
    habits.add(30.0, [BIG._replace(start=999)])
    assert list(habits.found()) == [(5, 999)]
    assert habits.found()[5, 999].seen_s == 0.0
