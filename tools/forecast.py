"""How well the forecast warns, and how often for nothing: `python -m tools.forecast --seeds 200`.

Prints one line for each made-up world of `tests/support/forecasting.py`: how many runs became
full, how many of those were announced, how long before (median, and the time that nine of ten
had), how many of the ranges held the moment, false warnings per hour, and their share of the time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from functools import partial

from memtui.model.forecast import Forecaster
from tests.support.forecasting import FILLS, LIMIT, STAYS, Score, World, score, table


def _score(name: str, seeds: int, delay: float, hours: float) -> Score:
    worlds: dict[str, World] = {w.__name__: w for w in (*FILLS, *STAYS)}
    return score(worlds[name], seeds, delay, hours)


def cost_us(count: int = 20_000) -> float:
    """Return what one reading costs, in microseconds of CPU."""
    forecaster = Forecaster()
    began = time.process_time()
    for i in range(count):
        forecaster.add(float(i), int(LIMIT * (0.3 + i % 300 / 500)), LIMIT)
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("worlds", nargs="*", help="all, where none is named")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between two samples")
    parser.add_argument("--hours", type=float, default=2.0, help="of each run that does not fill")
    asked = parser.parse_args()
    names = asked.worlds or [w.__name__ for w in (*FILLS, *STAYS)]
    work = partial(_score, seeds=asked.seeds, delay=asked.delay, hours=asked.hours)
    with multiprocessing.Pool() as pool:
        for line in table(pool.map(work, names, chunksize=1)):
            print(line)
    print(f"one reading costs {cost_us():.1f} us")


if __name__ == "__main__":
    main()
