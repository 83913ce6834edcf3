"""`memtui doctor`: what memtui can see here and, for what it cannot, why and what would grant it.

Everything is found out by trying: a group is made, entered by a child and removed again, a child
is born and reaped. Nothing stays. On another machine's files only what they say is said.
"""

from __future__ import annotations

import os
from typing import Any

from memtui.kernel.place import find_place
from memtui.kernel.roots import LIVE, Roots
from memtui.model.finding import STATES, Finding, finding_json
from memtui.services.capture import read_marker
from memtui.services.checks import acting, events, limits, own, processes
from memtui.services.checks.seen import Seen
from memtui.services.quota import QuotaSource

_CHECKS = (
    limits.check_cgroup,
    limits.check_levels,
    limits.check_limit,
    limits.check_pressure,
    events.check_counters,
    events.check_watch,
    events.check_group_kill,
    events.check_host_kills,
    events.check_kernel_log,
    events.check_journal,
    processes.check_processes,
    processes.check_pss,
    processes.check_schedstat,
    processes.check_descriptors,
    acting.check_pidfd,
    acting.check_exit,
)


def look(roots: Roots = LIVE) -> Seen:
    """Read once what most checks need."""
    source = QuotaSource(roots)
    try:
        return Seen(roots, source.read(), find_place(roots), read_marker(roots))
    finally:
        source.close()


def examine(seen: Seen) -> list[Finding]:
    """Return every finding, in the order of the report. For a program without threads: it forks."""
    found = [check(seen) for check in _CHECKS]
    return [*found, *acting.check_run(seen), own.check_terminal(seen), own.check_versions(seen)]


def as_json(seen: Seen, findings: list[Finding]) -> dict[str, Any]:
    """Return the document of `memtui doctor --json`."""
    return {
        "schema": "memtui.doctor/1",
        "live": seen.live,
        "uid": os.geteuid(),
        "capture": seen.marker,
        "findings": [finding_json(f) for f in findings],
        "summary": {state: sum(f.state == state for f in findings) for state in STATES},
    }
