"""What `memtui doctor` finds: one sentence for each thing that memtui would like to see."""

from __future__ import annotations

from typing import Any, NamedTuple

OK, LIMITED, NO, UNKNOWN = "ok", "limited", "no", "unknown"
STATES = (OK, LIMITED, NO, UNKNOWN)


class Finding(NamedTuple):
    """One thing, whether it can be had here, and what would grant it. Text may be foreign."""

    name: str
    state: str  # one of STATES
    means: str  # one sentence
    why: str | None = None  # where something is missing
    grant: str | None = None  # what would grant it; None: nothing can, or nothing is missing
    facts: dict[str, Any] | None = None  # numbers and names behind the sentence, for JSON


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding as `memtui doctor --json` promises it."""
    return {**finding._asdict(), "facts": finding.facts or {}}
