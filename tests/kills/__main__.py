"""Prints how real OOM kills are told: `python -m tests.kills [--times N] [--latency N]`.

Each scenario is played in each mode, in a cgroup made for it, watched by a Sampler of its own that
refreshes every five seconds, so that only looks of the recorder's can be quick.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

from tests.kills import latency
from tests.kills.scenarios import SCENARIOS, Scenario, played
from tests.kills.verdict import Verdict, evidence, judge
from tests.kills.watched import MODES, Told, watching
from tests.support import cgroups, worlds

_HEAD = (
    f"{'mode':<10} {'scenario':<18} {'kills':>5} {'count':>5} {'right':>5} {'wrong':>5}"
    f" {'sure&wrong':>10} {'limit':>5} {'kill -9':>7} {'lived':>6} {'told after':>10}  evidence"
)


def brief(told: Told) -> str:
    """One update of an event."""
    names = [
        [
            (v["pid"], v["name"], v["evidence"], (v["rss"] or 0) >> 10, v["cgroup"])
            for v in told[key]
        ]
        for key in ("victims", "others")
    ]
    return f"{told['kind']} {told['id']} x{told['count']} {told['cause']} {names}"


def play(scenario: Scenario, mode: str, verbose: bool = False) -> Verdict:
    """Play it once."""
    with (
        cgroups.memory_group_of(limit=scenario.limit) as group,
        watching(mode, group.cgroup) as watched,
        played(scenario, group, watched.see) as truth,
    ):
        verdict = judge(watched, truth)
        if verbose and (len(verdict.right) < verdict.kills or verdict.wrong):
            print(
                truth.oom, truth.person, *map(brief, watched.told(truth.group.cgroup)), sep="\n  "
            )
        return verdict


def row(mode: str, name: str, found: Sequence[Verdict]) -> str:
    """One line of the table; `limit`: in how many plays whose limit it was is told right."""
    delays = [d for v in found for d in v.delays]
    after = f"{statistics.median(delays) * 1000:.0f} ms" if delays else ""
    by = ", ".join(f"{n} {e}" for e, n in evidence(list(found)).most_common())
    return (
        f"{mode:<10} {name:<18} {sum(v.kills for v in found):>5}"
        f" {sum(v.counted for v in found):>5} {sum(len(v.right) for v in found):>5}"
        f" {sum(v.wrong for v in found):>5} {sum(v.sure_and_wrong for v in found):>10}"
        f" {sum(v.cause for v in found):>3}/{len(found)} {sum(v.sigkills for v in found):>7}"
        f" {min((v.lived_s for v in found), default=0.0):>5.2f}s {after:>10}  {by}"
    )


def table(scenarios: Sequence[str], modes: Sequence[str], times: int, verbose: bool) -> None:
    """Print the table line by line."""
    print(_HEAD)
    for mode in modes:
        if why := MODES[mode].missing():
            print(f"{mode:<10} {why}")
            continue
        found: list[Verdict] = []
        for name in scenarios:
            ours = [play(SCENARIOS[name], mode, verbose) for _ in range(times)]
            print(row(mode, name, ours), flush=True)
            found += ours
        print(row(mode, "all", found), flush=True)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="plays of each (%(default)s)")
    parser.add_argument("--mode", action="append", choices=MODES, help="only these")
    parser.add_argument("--latency", type=int, metavar="KILLS", help="print latencies instead")
    parser.add_argument("--verbose", action="store_true", help="what was told, where it was wrong")
    parser.add_argument("scenario", nargs="*", help=f"only these: {', '.join(SCENARIOS)}")
    asked = parser.parse_args()
    place = cgroups.place()
    if place is None or (why := cgroups.missing()):
        print(f"no kills here: {why if place else 'no memory controller'}", file=sys.stderr)
        return 2
    tells = worlds.missing("pidfd_exit") or "pidfds tell how a process ended"
    print(f"cgroup v{place.version}; {tells}; {worlds.missing('kmsg') or 'a readable kernel log'}")
    if asked.latency:
        latency.show(asked.latency)
        return 0
    names = asked.scenario or [n for n, s in SCENARIOS.items() if place.version == 2 or not s.v2]
    table(names, asked.mode or list(MODES), asked.times, asked.verbose)
    return 0


if __name__ == "__main__":
    sys.exit(main())
