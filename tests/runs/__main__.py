"""Prints what each method makes of each program: `python -m tests.runs [--method M] [PROGRAM...]`.

Off: how far the peak's rise from a smaller run is from what the program took more, in per cent of
the peak; `-` where the method does not count it.
"""

from __future__ import annotations

import argparse
import sys

from memtui.model.limits import METHODS
from tests.runs.cell import LIMIT, MUCH, TOO_MUCH, Cell, measure
from tests.runs.programs import PROGRAMS

_HEAD = f"{'method':<8} {'program':<10} {'fits':<14} {'peak MiB':>9} {'off %':>6}  beyond"


def row(method: str, name: str, cell: Cell) -> str:
    """One line of the table."""
    if cell.refused:
        return f"{method:<8} {name:<10} {cell.refused}"
    peak = "?" if cell.peak is None else f"{cell.peak / 2**20:.1f}"
    off = "-" if cell.off_pct is None else f"{cell.off_pct:+.1f}"
    return (
        f"{method:<8} {name:<10} {cell.fits:<14} {peak:>9} {off:>6}  {cell.beyond}: {cell.sentence}"
    )


def main() -> int:
    """Print the table line by line."""
    parser = argparse.ArgumentParser(prog="python -m tests.runs", description=__doc__)
    methods = [m for m in METHODS if m != "auto"]
    parser.add_argument("--method", action="append", choices=methods)
    parser.add_argument("program", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    asked = parser.parse_args()
    print(f"limit {LIMIT} MiB; {MUCH} MiB fit, {TOO_MUCH} MiB do not\n{_HEAD}")
    for method in asked.method or methods:
        told = ""
        for name in asked.program or PROGRAMS:
            program = PROGRAMS[name]
            if why := program.missing():
                print(row(method, name, Cell(refused=why)))
                continue
            cell = measure(method, program)
            print(row(method, name, cell), flush=True)
            told = cell.limit or told
        print(f"{'':8} in force: {told}" if told else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
