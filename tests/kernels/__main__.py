"""Run the tests marked `world` in every world; fail where one fails or a world must be there."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree.ElementTree import ParseError

from tests import again
from tests.kernels import boot, results
from tests.kernels.places import LIMIT_S, ROOT, WORLDS, World, command, environment
from tests.kernels.results import Outcome

_NO_V1 = "no cgroup v1"


def _broken(status: int, log: Path) -> str:
    if status == boot.TIMED_OUT:
        return "not done in time"
    return "" if status in (0, 1) else f"status {status}: see {log.name}"


def _run(world: World, log: Path, line: Sequence[str]) -> int:
    with open(log, "wb") as out:
        process = subprocess.Popen(
            line,
            cwd=ROOT,
            env=environment(world),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            return process.wait(LIMIT_S + 30)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            return boot.TIMED_OUT


def visit(world: World, to: Path, more: list[str]) -> Outcome:
    """Run the suite in one world."""
    if reason := world.missing():
        return Outcome(world, absent=reason)
    place = to / world.name
    place.mkdir()
    place.chmod(0o777)  # another user writes there
    file, log = place / "results.xml", place / "log"
    begun = time.monotonic()
    status = _run(world, log, command(world, file, more))
    if status == 1:
        status = _again(world, place, file)
    took = time.monotonic() - begun
    if status == boot.NOT_SET_UP and _NO_V1 in log.read_text(errors="replace"):
        return Outcome(world, absent="this user-mode-linux has no cgroup v1")
    try:
        return results.read(world, file, took)._replace(broken=_broken(status, log))
    except (OSError, ParseError):
        return Outcome(world, took, broken=_broken(status, log) or "no results")


def _again(world: World, place: Path, file: Path) -> int:
    """Run what failed there once more; return the status that is left."""

    def run(new: Path, names: Sequence[str]) -> None:
        only = world._replace(tests=())
        _run(world, place / "again.log", command(only, new, list(names)))

    try:
        again.tell(again.repeat(file, run), world.name)
        return 1 if again.failures(file) else 0
    except (OSError, ParseError):
        return 1


def _tell(outcome: Outcome, to: Path) -> None:
    """Say how a world went; what went wrong in full."""
    how = "ok" if outcome.ok else "FAILED"
    how = f"not there: {outcome.absent}" if outcome.absent else f"{how} ({outcome.seconds:.0f} s)"
    log = to / outcome.world.name / "log"
    if not outcome.ok and log.exists():
        print(f"\n--- {outcome.world.name}\n{log.read_text(errors='replace')[-20000:]}")
    print(f"{outcome.world.name} ({outcome.world.what}): {how}", flush=True)


def _had(given: Sequence[str]) -> dict[str, Path]:
    """Results that somebody has already: NAME=FILE."""
    return {name: Path(file) for name, _, file in (g.partition("=") for g in given)}


def _everywhere(asked: argparse.Namespace, to: Path) -> list[Outcome]:
    had = _had(asked.have)

    def one(world: World) -> Outcome:
        if world.name in had:
            return results.read(world, had[world.name], 0.0)
        return visit(world, to, asked.pytest)

    chosen = [w for w in WORLDS if (w.name in asked.only if asked.only else not w.on_request)]
    outcomes = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for outcome in pool.map(one, chosen):
            _tell(outcome, to)
            outcomes.append(outcome)
    if asked.junit_xml:
        files = [(w, had.get(w.name, to / w.name / "results.xml")) for w in chosen]
        results.merge([f for f in files if f[1].exists()], Path(asked.junit_xml))
    return outcomes


def complaints(outcomes: Sequence[Outcome], strict: bool, whole: bool = True) -> list[str]:
    """What is wrong: a failure; with `strict` also what is missing, or (`whole`) ran nowhere."""
    found = [f"{o.world.name} failed" for o in outcomes if not o.ok]
    if strict:
        gone = [o for o in outcomes if o.absent and o.world.must]
        found += [f"{o.world.name} must be there: {o.absent}" for o in gone]
        found += [f"{o.world.name} has no {f}" for o in outcomes for f in o.missing]
    if strict and whole:
        found += [f"ran in no world: {name}" for name in results.never_ran(outcomes)]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__)
    names = ", ".join(w.name for w in WORLDS)
    parser.add_argument(
        "--only",
        action="append",
        choices=[w.name for w in WORLDS],
        metavar="WORLD",
        help=f"one of {names}",
    )
    parser.add_argument("--have", action="append", default=[], metavar="WORLD=FILE")
    parser.add_argument("--junit-xml", metavar="FILE", help="all results, named by world")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--strict", action="store_true", help="every world and test has to run")
    parser.add_argument("pytest", nargs="*", metavar="-- PYTEST_ARGUMENT")
    return parser


def main() -> int:
    """Do what the command line says."""
    asked = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="memtui-worlds-") as name:
        os.chmod(name, 0o755)
        outcomes = _everywhere(asked, Path(name))
    print("\n" + results.table(outcomes))
    found = complaints(outcomes, asked.strict, whole=not asked.only)
    print("\n".join([*results.left_out(outcomes), *found]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
