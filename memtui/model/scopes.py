"""What the main table can show: processes, or sums of them; light, for the first frame."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.kernel.cgroup import at_or_below
from memtui.model.snapshot import Proc, Quota

ALL, NOTEBOOKS, CGROUPS, USERS, PROGRAMS, MINE = SCOPES = (
    "all", "notebooks", "cgroups", "users", "programs", "mine",
)  # fmt: skip
"""What the main table can show, in the order of Tab."""

TITLES = {
    MINE: "my cgroup",
    ALL: "all processes",
    NOTEBOOKS: "by notebook",
    CGROUPS: "by cgroup",
    USERS: "by user",
    PROGRAMS: "by program",
}

SUMMED = frozenset({NOTEBOOKS, CGROUPS, USERS, PROGRAMS})
"""Those that show sums instead of processes."""


def my_cgroup(quota: Quota) -> str | None:
    """Return the group whose limit binds, else our own; None where none is visible."""
    binding = quota.binding
    if binding is not None and binding.level is not None:
        return quota.levels[binding.level].path
    return quota.cgroup


def scopes(procs: Sequence[Proc], quota: Quota, present: str = ALL) -> tuple[str, ...]:
    """Return the scopes that show something of their own here.

    That by notebook stays while it is the `present` one: the last kernel may have been halted.
    """
    mine = my_cgroup(quota)
    differs = mine is not None and any(
        p.cgroup is not None and not p.kernel_thread and not at_or_below(p.cgroup, mine)
        for p in procs
    )
    left_out = set() if differs else {MINE}
    if present != NOTEBOOKS and not any(
        p.who is not None and p.who.root is not None for p in procs
    ):
        left_out.add(NOTEBOOKS)
    if quota.version is None:
        left_out.add(CGROUPS)
    return tuple(s for s in SCOPES if s not in left_out)
