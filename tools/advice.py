"""How often advice comes, and whether it is right: what it says while ordinary work goes on.

    python -m tools.advice table                     each advice, how tests provoke it, and whether
    python -m tools.advice record FILE [SECONDS]     a look every 20 s, one line of JSON each
    python -m tools.advice report FILE...            which suggestions came, how often, and on what

Each look is judged three times: by the limit that binds, and as if the limit were twice, and 1.2
times what cannot be reclaimed, for on a big and empty machine nothing is ever short.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import RULES
from memtui.model.habits import Habits
from memtui.model.snapshot import Quota, Snapshot
from memtui.model.trend import TrendWatch
from memtui.services.explain import explain
from memtui.services.naming import Namer
from memtui.services.quota import QuotaSource
from memtui.services.sampler import Processes, open_processes
from memtui.services.store import KillLog
from tests.advice.test_rules import CASES

EVERY_S, STEP_S, LOOKS = 20.0, 0.5, 7
LIMITS = {"real": 0.0, "half full": 2.0, "nearly full": 1.2}


def as_if(quota: Quota, factor: float) -> Quota:
    """The same quota with a limit of so many times what is hard; 0 leaves it."""
    binding = quota.binding
    if not factor or binding is None or binding.hard is None:
        return quota
    return quota._replace(binding=binding._replace(bytes=int(binding.hard * factor)))


def record(path: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    habits, processes, source = Habits(), open_processes(LIVE, room=0), QuotaSource()
    assert isinstance(processes, Processes)
    with open(path, "a", encoding="utf-8") as out:
        while time.monotonic() < end:
            began = time.monotonic()
            out.write(json.dumps(one(habits, processes, source)) + "\n")
            out.flush()
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


def one(habits: Habits, processes: Processes, source: QuotaSource) -> dict[str, object]:
    """One look of three seconds, judged by each limit."""
    trends = {name: TrendWatch() for name in LIMITS}
    first, trend = source.read(), {}
    began = time.monotonic()
    for _ in range(LOOKS):
        now = time.monotonic()
        procs = processes.sample(cgroups=True)
        quota = source.read()
        habits.add(now, procs)
        for name, factor in LIMITS.items():
            snapshot = Snapshot(time.time(), now, procs, len(procs), as_if(quota, factor), 0, 1)
            trend[name] = trends[name].add(snapshot), snapshot
        time.sleep(STEP_S)
    Namer(LIVE).once(processes.table, time.time())
    found, events = habits.found(), KillLog().read()
    said = {}
    for name, factor in LIMITS.items():
        told, snapshot = trend[name]
        snapshot.trend, snapshot.procs = told, list(processes.table.values())
        over = time.monotonic() - began
        got = explain(LIVE, snapshot, found, events, over, as_if(first, factor))
        said[name] = [[a.id, a.gain, a.say] for a in got.advice]
    top = sorted(procs, key=lambda p: -p.rss)[:5]
    binding = quota.binding
    return {
        "time": round(time.time(), 1),
        "hard": binding.hard if binding else None,
        "processes": len(procs),
        "biggest": [[p.name, p.rss] for p in top],
        "said": said,
    }


def report(paths: list[Path]) -> None:
    looks = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    span = sum(
        b["time"] - a["time"]
        for a, b in pairwise(looks)
        if 0 < b["time"] - a["time"] < 10 * EVERY_S
    )
    names: Counter[str] = Counter(name for look in looks for name, _ in look["biggest"][:3])
    print(f"{len(looks)} looks over {span / 60:.0f} min; among the three biggest: {dict(names)}")
    for limit in LIMITS:
        counts: Counter[str] = Counter()
        examples: dict[str, dict[str, None]] = defaultdict(dict)
        for look in looks:
            for name, _, say in look["said"].get(limit, ()):
                counts[name] += 1
                examples[name].setdefault(say)
        print(f"\n{limit}: {sum(counts.values())} suggestions")
        for name, count in counts.most_common():
            print(f"  {count:>5}  {name}")
            for say in list(examples[name])[:3]:
                print(f"         {say}")


class Provoked:
    """A plugin of pytest: which test provokes which advice, and what became of it."""

    def __init__(self) -> None:
        self.how: dict[str, list[tuple[str, str]]] = {}  # by node id: (advice, how)
        self.outcome: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note what each test provokes."""
        for item in items:
            found = [(m.args[0], m.args[1]) for m in item.iter_markers("provokes")]
            self.how[item.nodeid] = found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of it."""
        if report.when == "call" or report.outcome == "skipped":
            self.outcome[report.nodeid] = report.outcome


def table() -> int:
    """Run the tests of advice; print a line for each way that an advice is provoked."""
    plugin = Provoked()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = pytest.main(
            ["-q", "-p", "no:cacheprovider", "tests/advice", "tests/tui/test_explain.py"],
            plugins=[plugin],
        )
    words = {"passed": "fired", "skipped": "not here"}
    rows = []
    for node, pairs in plugin.how.items():
        outcome = words.get(plugin.outcome.get(node, ""), "NOT")
        rows += [(advice, "real", how, outcome) for advice, how in pairs]
        if "[" in node and "speaks_of_its_case" in node:
            case = next(c for c in CASES if c.id == node.partition("[")[2].rstrip("]"))
            rows.append((case.id, "record", case.how, outcome))
    order = list(RULES)
    for advice, kind, how, outcome in sorted(rows, key=lambda r: (order.index(r[0]), r[1])):
        print(f"{advice:<14} {kind:<7} {outcome:<9} {how}")
    if status:
        print(said.getvalue())
    return int(status)


def main() -> None:
    match sys.argv[1:]:
        case ["table"]:
            sys.exit(table())
        case ["record", path, *rest]:
            record(Path(path), float(rest[0]) if rest else 3600.0)
        case ["report", *paths] if paths:
            report([Path(p) for p in paths])
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
