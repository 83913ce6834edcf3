"""Memory that grows, falls and stands still, made up; and how well a forecast tells which.

A world is a function from a random generator to a course: seconds to a share of the limit. A
course runs until it is full (then a warning was due) or to its end (then every warning was false).
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memtui.model.forecast import Forecast, Forecaster

LIMIT = 4 << 30
GAP_S = 10.0  # a warning that was silent for less is one warning
Course = Callable[[float], float]
World = Callable[[random.Random], Course]


def _noisy(rng: random.Random, sigma: float, course: Course) -> Course:
    return lambda t: course(t) + rng.gauss(0, sigma)


def _flat_then(after: float, base: float, course: Course) -> Course:
    return lambda t: base if t < after else base + course(t - after)


def slow_leak(rng: random.Random) -> Course:
    rate = math.exp(rng.uniform(math.log(0.0002), math.log(0.002)))
    base, after = rng.uniform(0.2, 0.6), rng.uniform(60, 400)
    return _noisy(rng, 0.003, _flat_then(after, base, lambda t: rate * t))


def noisy_leak(rng: random.Random) -> Course:
    rate = math.exp(rng.uniform(math.log(0.0005), math.log(0.002)))
    base, after = rng.uniform(0.2, 0.6), rng.uniform(60, 400)
    return _noisy(rng, 0.012, _flat_then(after, base, lambda t: rate * t))


def fast_leak(rng: random.Random) -> Course:
    rate, base = rng.uniform(0.003, 0.015), rng.uniform(0.1, 0.4)
    return _noisy(rng, 0.003, _flat_then(rng.uniform(60, 400), base, lambda t: rate * t))


def steeper_leak(rng: random.Random) -> Course:
    full, base = rng.uniform(150, 900), rng.uniform(0.2, 0.5)
    return _noisy(rng, 0.002, _flat_then(60, base, lambda t: (1 - base) * (t / full) ** 2))


def leak_in_steps(rng: random.Random) -> Course:
    every, step = rng.uniform(5, 30), rng.uniform(0.005, 0.03)
    base = rng.uniform(0.2, 0.5)
    return _noisy(rng, 0.002, _flat_then(60, base, lambda t: step * (t // every)))


def leak_under_gc(rng: random.Random) -> Course:
    rate, period = rng.uniform(0.0002, 0.001), math.exp(rng.uniform(math.log(4), math.log(120)))
    depth, base = rng.uniform(0.05, 0.2), rng.uniform(0.3, 0.5)
    return _noisy(rng, 0.002, lambda t: base + rate * t + depth * (t % period) / period)


def burst(rng: random.Random) -> Course:
    rate, base = rng.uniform(0.025, 0.08), rng.uniform(0.1, 0.45)
    return _noisy(rng, 0.002, _flat_then(rng.uniform(60, 400), base, lambda t: rate * t))


def jerky_burst(rng: random.Random) -> Course:
    rate, base, every = rng.uniform(0.02, 0.05), rng.uniform(0.1, 0.4), rng.uniform(0.7, 2.2)
    jerk = lambda t: rate * every * (t // every)  # noqa: E731
    return _noisy(rng, 0.002, _flat_then(rng.uniform(60, 400), base, jerk))


def plateau(rng: random.Random) -> Course:
    base, sigma = rng.uniform(0.5, 0.95), math.exp(rng.uniform(math.log(0.001), math.log(0.01)))
    return _noisy(rng, sigma, lambda t: base)


def cache_fill(rng: random.Random) -> Course:
    """Usage rises, hard does not; but usage and cache are read a moment apart."""
    base, period = rng.uniform(0.4, 0.85), rng.uniform(20, 300)

    def course(t: float) -> float:
        fills = t % period < period / 2
        return base + (rng.uniform(0, 0.006) if fills else 0.0)

    return _noisy(rng, 0.001, course)


def noise(rng: random.Random) -> Course:
    """A level that wanders and comes back (Ornstein-Uhlenbeck)."""
    mean, sigma, tau = rng.uniform(0.55, 0.82), rng.uniform(0.01, 0.04), rng.uniform(15, 120)
    state = [0.0, 0.0]

    def course(t: float) -> float:
        keep = math.exp(-(t - state[0]) / tau)
        state[:] = t, state[1] * keep + rng.gauss(0, sigma) * math.sqrt(max(0.0, 1 - keep * keep))
        return mean + state[1]

    return course


def _teeth(rng: random.Random, low: float, high: float, period: float, jitter: float) -> Course:
    tooth = [0.0, period, low, high]  # start, length, floor, top

    def course(t: float) -> float:
        if t >= tooth[0] + tooth[1]:
            spread = 1 + rng.uniform(-jitter, jitter), jitter * (high - low)
            tooth[:] = t, period * spread[0], low, high + rng.uniform(-spread[1], spread[1])
        return tooth[2] + (tooth[3] - tooth[2]) * (t - tooth[0]) / tooth[1]

    return _noisy(rng, 0.002, course)


def sawtooth(rng: random.Random) -> Course:
    period = math.exp(rng.uniform(math.log(4), math.log(900)))
    return _teeth(rng, rng.uniform(0.3, 0.6), rng.uniform(0.7, 0.95), period, 0.05)


def sawtooth_90s(rng: random.Random) -> Course:
    return _teeth(rng, rng.uniform(0.3, 0.6), rng.uniform(0.7, 0.95), rng.uniform(80, 100), 0.02)


def ragged_sawtooth(rng: random.Random) -> Course:
    period = math.exp(rng.uniform(math.log(10), math.log(300)))
    return _teeth(rng, rng.uniform(0.3, 0.5), rng.uniform(0.65, 0.8), period, 0.3)


def jobs(rng: random.Random) -> Course:
    """Cells that load something, compute, and give it back."""
    plan: list[tuple[float, float, float, float]] = [(0.0, 1.0, 30.0, 0.3)]

    def course(t: float) -> float:
        start, ramp, hold, top = plan[-1]
        if t > start + ramp + hold + 30:
            plan[:] = [(t, rng.uniform(1, 20), rng.uniform(10, 200), rng.uniform(0.4, 0.9))]
            start, ramp, hold, top = plan[-1]
        if t > start + ramp + hold:
            return 0.2
        return 0.2 + (top - 0.2) * min(1.0, (t - start) / ramp)

    return _noisy(rng, 0.002, course)


def step(rng: random.Random) -> Course:
    after, ramp, base, top = (rng.uniform(*r) for r in ((60, 900), (0, 4), (0.2, 0.5), (0.6, 0.9)))
    up = lambda t: (top - base) * min(1.0, t / max(ramp, 0.01))  # noqa: E731
    return _noisy(rng, 0.002, _flat_then(after, base, up))


def step_84(rng: random.Random) -> Course:
    up = lambda t: 0.44 * min(1.0, t)  # noqa: E731
    return _noisy(rng, 0.002, _flat_then(rng.uniform(60, 900), 0.4, up))


def saturating(rng: random.Random) -> Course:
    tau, base, top = rng.uniform(30, 900), rng.uniform(0.1, 0.4), rng.uniform(0.65, 0.92)
    grow = lambda t: (top - base) * (1 - math.exp(-t / tau))  # noqa: E731
    return _noisy(rng, 0.002, _flat_then(rng.uniform(60, 300), base, grow))


def growth_that_stops(rng: random.Random) -> Course:
    ramp, base, top = rng.uniform(20, 300), rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.85)
    grow = lambda t: (top - base) * min(1.0, t / ramp)  # noqa: E731
    return _noisy(rng, 0.002, _flat_then(rng.uniform(60, 300), base, grow))


FILLS: tuple[World, ...] = (
    slow_leak, noisy_leak, fast_leak, steeper_leak, leak_in_steps, leak_under_gc, burst,
    jerky_burst,
)  # fmt: skip
STAYS: tuple[World, ...] = (
    plateau, cache_fill, noise, sawtooth, sawtooth_90s, ragged_sawtooth, jobs, step, step_84,
    saturating, growth_that_stops,
)  # fmt: skip


class Run(NamedTuple):
    """What a forecast said of one course. Seconds."""

    full_s: float | None  # when it was full
    lead_s: float | None  # how long before that the last warning began; None: there was none
    false: int  # warnings that nothing followed
    false_s: float  # how long those stood
    seconds: float
    right: tuple[int, int]  # ranges that held the moment, of how many


def play(course: Course, seconds: float, delay: float, rng: random.Random) -> Run:
    """Sample `course` about every `delay` seconds and listen to the forecast."""
    forecaster, t = Forecaster(), 0.0
    spoken: list[tuple[float, tuple[float, float]]] = []
    while t < seconds:
        hard = max(0.0, course(t))
        if hard >= 1:
            return _judge(spoken, t, t, delay)
        said: Forecast = forecaster.add(t, int(hard * LIMIT), LIMIT)
        if said.eta_s is not None:
            spoken.append((t, said.eta_s))
        t += delay * rng.uniform(0.8, 1.3)
    return _judge(spoken, None, t, delay)


def _judge(
    spoken: list[tuple[float, tuple[float, float]]], full: float | None, end: float, delay: float
) -> Run:
    """Group what was said into warnings; the one that stands when it is full was true."""
    gap = max(GAP_S, 3 * delay)
    warnings: list[list[float]] = []
    for at, _ in spoken:
        if warnings and at - warnings[-1][1] <= gap:
            warnings[-1][1] = at
        else:
            warnings.append([at, at])
    lead = None
    if full is not None and warnings and full - warnings[-1][1] <= gap:
        lead = full - warnings.pop()[0]
    held = [at + low <= full <= at + high for at, (low, high) in spoken if full is not None]
    false_s = sum(b - a + delay for a, b in warnings)
    return Run(full, lead, len(warnings), false_s, end, (sum(held), len(held)))


class Score(NamedTuple):
    """How the forecast did in one world, over many seeds."""

    world: str
    runs: int
    filled: int
    found: int
    lead_s: float | None  # median, of those found
    lead_10_s: float | None  # nine of ten were warned earlier
    false_per_h: float
    again_per_h: float  # of those, the ones that were not the first of their run
    false_share: float  # of the time
    in_range: float | None


def score(world: World, seeds: int, delay: float = 1.0, hours: float = 2.0) -> Score:
    """Run one world with seeds 0, 1, …"""
    runs = []
    for seed in range(seeds):
        rng = random.Random(f"{world.__name__} {seed}")
        runs.append(play(world(rng), hours * 3600, delay, rng))
    leads = sorted(r.lead_s for r in runs if r.lead_s is not None)
    seconds = sum(r.seconds for r in runs)
    said = sum(r.right[1] for r in runs)
    return Score(
        world.__name__,
        seeds,
        sum(r.full_s is not None for r in runs),
        len(leads),
        statistics.median(leads) if leads else None,
        leads[len(leads) // 10] if leads else None,
        sum(r.false for r in runs) / seconds * 3600,
        sum(max(0, r.false - 1) for r in runs) / seconds * 3600,
        sum(r.false_s for r in runs) / seconds,
        sum(r.right[0] for r in runs) / said if said else None,
    )


def table(scores: list[Score]) -> Iterator[str]:
    """Return the scores as lines of text."""
    yield (
        f"{'world':18} {'runs':>5} {'full':>5} {'found':>6} {'lead s':>7} {'lead 10%':>8}"
        f" {'in range':>8} {'false/h':>8} {'again/h':>8} {'of time':>8}"
    )
    for s in scores:
        found = f"{100 * s.found / s.filled:.0f}%" if s.filled else "-"
        lead = "-" if s.lead_s is None else f"{s.lead_s:.0f}"
        late = "-" if s.lead_10_s is None else f"{s.lead_10_s:.0f}"
        right = "-" if s.in_range is None else f"{100 * s.in_range:.0f}%"
        yield (
            f"{s.world:18} {s.runs:5} {s.filled:5} {found:>6} {lead:>7} {late:>8}"
            f" {right:>8} {s.false_per_h:8.2f} {s.again_per_h:8.2f} {100 * s.false_share:7.2f}%"
        )
