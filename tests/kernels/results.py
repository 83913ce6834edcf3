"""Results of all worlds in one: JUnit XML whose names say the world, and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.kernels.places import WORLDS, World
from tests.support.worlds import FEATURES

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Case(NamedTuple):
    """One test in one world."""

    name: str
    outcome: str
    needs: tuple[str, ...]
    everywhere: bool = True  # meant for all worlds


class Outcome(NamedTuple):
    """How one world went."""

    world: World
    seconds: float = 0.0
    absent: str = ""  # why it is not there
    broken: str = ""  # why it is there and has no results, or more than failed tests
    features: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Features that it must have and has not."""
        return [f for f in self.world.has if self.cases and f not in self.features]

    @property
    def ok(self) -> bool:
        return not self.broken and all(c.outcome != FAILED for c in self.cases)


def _properties(element: ElementTree.Element) -> dict[str, str]:
    found = element.iterfind("properties/property")
    return {p.get("name", ""): p.get("value", "") for p in found}


def _outcome(case: ElementTree.Element) -> str:
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return FAILED
    return SKIPPED if "skipped" in tags else PASSED


def _case(case: ElementTree.Element) -> Case:
    name = f"{case.get('classname')}::{case.get('name')}"
    needs = _properties(case).get("needs")
    return Case(name, _outcome(case), tuple((needs or "").split()), needs is not None)


def read(world: World, file: Path, seconds: float) -> Outcome:
    """What the suite left. Raises OSError or ParseError where that is nothing."""
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    features = tuple(_properties(suite).get("features", "").split())
    cases = tuple(_case(case) for case in suite.iterfind("testcase"))
    return Outcome(world, seconds, features=features, cases=cases)


def merge(files: Iterable[tuple[World, Path]], to: Path) -> None:
    """Put all into one file; the class of each test begins with its world."""
    together = ElementTree.Element("testsuites")
    for world, file in files:
        for suite in ElementTree.parse(file).getroot().iterfind("testsuite"):
            suite.set("name", world.name)
            for case in suite.iterfind("testcase"):
                case.set("classname", f"{world.name}.{case.get('classname')}")
            together.append(suite)
    ElementTree.ElementTree(together).write(to, encoding="utf-8", xml_declaration=True)


def never_ran(outcomes: Sequence[Outcome]) -> list[str]:
    """Tests that are meant for all worlds, and were skipped wherever they were met."""
    return sorted({c.name for c in _not_run(outcomes)} - _left(outcomes).keys())


def _not_run(outcomes: Sequence[Outcome]) -> list[Case]:
    ran = {c.name for o in outcomes for c in o.cases if c.outcome != SKIPPED}
    return [c for o in outcomes for c in o.cases if c.everywhere and c.name not in ran]


def _left(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Tests that only a world on request can run, and which; where it was not visited."""
    visited = {o.world.name for o in outcomes if not o.absent}
    away = [w for w in WORLDS if w.on_request and w.name not in visited]
    here = [set(o.features) for o in outcomes]
    only_there = [c for c in _not_run(outcomes) if not any(here_ >= {*c.needs} for here_ in here)]
    return {c.name: w.name for w in away for c in only_there if {*w.has} >= {*c.needs}}


def left_out(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each world on request that some tests wait for."""
    counts = Counter(_left(outcomes).values())
    line = "not run, for only {} has what they need: {} (--only {})"
    return [line.format(name, number, name) for name, number in sorted(counts.items())]


def _cell(outcome: Outcome, feature: str) -> str:
    if feature not in outcome.features:
        return "-"
    counts = Counter(c.outcome for c in outcome.cases if feature in c.needs)
    return f"{counts[PASSED]}/{counts[FAILED]}" if counts else "yes"


def _row(outcome: Outcome) -> list[str]:
    if outcome.absent or (outcome.broken and not outcome.cases):
        said = f"not there: {outcome.absent}" if outcome.absent else f"FAILED: {outcome.broken}"
        return [outcome.world.name, said]
    counts = Counter(c.outcome for c in outcome.cases)
    numbers = [str(counts[PASSED]), str(counts[FAILED]), str(counts[SKIPPED])]
    cells = [_cell(outcome, feature) for feature in FEATURES]
    return [outcome.world.name, *cells, *numbers, f"{outcome.seconds:.0f}"]


def table(outcomes: Sequence[Outcome]) -> str:
    """Worlds by features: how many of the tests that need it passed and failed there."""
    head = ["world", *FEATURES, PASSED, FAILED, SKIPPED, "seconds"]
    rows = [_row(o) for o in outcomes]
    whole = [head, *(r for r in rows if len(r) == len(head))]
    widths = [max(len(r[i]) for r in whole) for i in range(len(head))]
    widths[0] = max(len(r[0]) for r in [head, *rows])
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=False)) for r in [head, *rows]]
    key = "N/M: of the tests that need it N passed, M failed; yes: no test needs it; -: not there"
    return "\n".join([*(line.rstrip() for line in lines), key])
