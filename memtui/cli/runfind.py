"""`memtui run --find-limit`: the smallest limit under which a command still succeeds.

Exit status: 0 it was found; the command's own where it fails without a limit, too; 125 to 127 as
for any run; 128+N where a signal ended the search.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from memtui.cli import runreport
from memtui.cli.common import FAILED, UsageError
from memtui.model.limits import COUNTED, STOP, THROTTLE
from memtui.model.runlimit import as_option, round_up
from memtui.services.launch import NotStarted
from memtui.services.limits import Unavailable
from memtui.units import size_long

if TYPE_CHECKING:
    from memtui.model.limits import Limits
    from memtui.services.findlimit import Found, Trial

SCHEMA = "memtui.findlimit/1"
_AIR = 1.1


def check(args: argparse.Namespace) -> None:
    """Refuse what makes no sense for many runs. Raises UsageError."""
    halts = args.on_limit in (STOP, THROTTLE)
    for name, given in (
        ("--csv", args.csv),
        ("--progress", args.progress),
        (f"--on-limit {args.on_limit}", halts),
    ):
        if given:
            raise UsageError(f"--find-limit runs the command many times: {name} is for one run")


def main(args: argparse.Namespace, argv: list[str], limits: Limits) -> int:
    """Search; return the exit status."""
    from memtui.services.findlimit import Finder, Stopped

    count = 0

    def tell(trial: Trial) -> None:
        nonlocal count
        count += 1
        if not args.quiet:
            runreport.say(f"memtui: run {count}, {_trial_words(count, trial)}\n")

    try:
        found = Finder(argv, limits, args.method, args.verbose, tell).find()
    except (NotStarted, Unavailable, OSError) as e:
        return runreport.tell_refused(args, argv, e)
    except Stopped as e:
        runreport.say("memtui: the search was interrupted: no limit was found\n")
        return e.status
    runreport.put(args, _document(argv, found) if args.json else _text(found))
    return 0 if found.limit is not None else found.first.result.exit_status or FAILED


def _trial_words(count: int, trial: Trial) -> str:
    most = " (the most it may have)" if count == 1 else ""
    verdict = "enough" if trial.enough else trial.text
    return f"{size_long(trial.limit)}{most}: {verdict}, {trial.seconds:.2f} s"


def _text(found: Found) -> str:
    runs = f"{len(found.trials)} run{'s' * (len(found.trials) > 1)}"
    if found.limit is None:
        first = found.trials[0]
        why = f"it does not succeed with {size_long(first.limit)} either: {first.text}"
        return f"memtui: no limit was found ({runs}): {why}\n"
    least = size_long(found.limit)
    fails = f", {size_long(found.too_little)} is too little" if found.too_little else ""
    lines = [f"smallest limit: {least}{fails} ({runs}; {_what(found)})", _cost(found)]
    air = as_option(round_up(_AIR * found.limit))
    return "".join(f"memtui: {x}\n" for x in [*lines, f"with a little air: --limit {air}"])


def _what(found: Found) -> str:
    method = found.first.ending.method
    counted = COUNTED.get(method)
    return f"{counted} of each process" if counted else f"{method}: all processes together"


def _cost(found: Found) -> str:
    """Say how long it takes there, and without; single runs, so no more than a hint."""
    alone, there = found.trials[0].seconds, found.seconds or 0.0
    ratio = found.slowdown or 1.0
    how = "no longer" if ratio < 1.1 else f"{ratio:.1f} times as long"
    return (
        f"it takes {there:.2f} s there and {alone:.2f} s without, {how}; "
        f"peak without {size_long(found.peak)} ({found.first.result.peak_of})"
    )


def _document(argv: list[str], found: Found) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": argv,
        "limit": found.limit,
        "too_little": found.too_little,
        "method": found.first.ending.method,
        "runs": [t._asdict() for t in found.trials],
        "peak": found.peak,
        "peak_of": found.first.result.peak_of,
        "seconds": found.seconds,
        "slowdown": found.slowdown,
    }
