"""The table of all rules, and which three of their suggestions are worth saying. Pure.

A suggestion is said where it saves 50 MiB and 5 % of the limit; or, whatever it saves, where more
than 75 % of the limit cannot be reclaimed. Urgent ones and explanations have thresholds of their
own. First comes what goes wrong now, then what saves most for what it costs, then explanations;
what acts on the same processes as a better one is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from memtui.model.advice import memory, notebooks, programs, python, stalls
from memtui.model.advice.terms import LEAST, MIB, SHARE, Advice, Seen
from memtui.model.snapshot import Identity

MOST = 3
"""Suggestions that are said at once: more would not be read."""

Rule = Callable[[Seen], Iterable[Advice]]

RULES: dict[str, Rule] = {
    "idle-kernel": notebooks.idle_kernel,
    "many-kernels": notebooks.many_kernels,
    "orphan-kernel": notebooks.orphan_kernel,
    "pool-spare": notebooks.pool_spare,
    "restart-loop": notebooks.restart_loop,
    "py-freelist": python.py_freelist,
    "out-cache": python.out_cache,
    "mpl-figures": python.mpl_figures,
    "pandas-copies": python.pandas_copies,
    "growing-list": python.growing_list,
    "fork-copies": python.fork_copies,
    "compiler": programs.compiler,
    "java-heap": programs.java_heap,
    "spark": programs.spark,
    "node-heap": programs.node_heap,
    "vscode": programs.vscode,
    "big-process": programs.big_process,
    "tmpfs-files": memory.tmpfs_files,
    "deleted-open": memory.deleted_open,
    "shm-leftover": memory.shm_leftover,
    "cache-only": memory.cache_only,
    "dirty-cache": memory.dirty_cache,
    "kernel-mem": memory.kernel_mem,
    "throttled": stalls.throttled,
    "swap-thrash": stalls.swap_thrash,
    "zombie": stalls.zombie,
    "D-state": stalls.d_state,
    "group-oom": stalls.group_oom,
    "rlimit-hit": stalls.rlimit_hit,
    "low-overhead": stalls.low_overhead,
}
"""Every rule by the id of what it says."""

_CRUMB = 1 << 20


def worth(seen: Seen, advice: Advice) -> bool:
    """Whether it is to be said at all."""
    if advice.tells or advice.urgent:
        return True
    if seen.limit is None:
        return False
    gain = advice.gain
    if gain is not None and gain >= max(LEAST, SHARE * seen.limit):
        return True
    return seen.short and (gain is None or gain >= max(_CRUMB, seen.limit // 200))


def _rank(advice: Advice) -> tuple[bool, bool, float, str]:
    gain = advice.gain or MIB  # what is not known comes after what is
    return not advice.urgent, advice.tells, -gain / advice.harm, advice.id


def _distinct(found: Iterable[Advice]) -> list[Advice]:
    """Those that do not end whom a better one ends already."""
    kept: list[Advice] = []
    taken: set[Identity] = set()
    for advice in found:
        targets = set(advice.action.targets) if advice.action else set()
        if targets and targets <= taken:
            continue
        taken |= targets
        kept.append(advice)
    return kept


def all_advice(seen: Seen) -> list[Advice]:
    """Return everything that is worth saying, the best first."""
    found = [a for rule in RULES.values() for a in rule(seen) if worth(seen, a)]
    ranked = _distinct(sorted(found, key=_rank))
    known = [a for a in ranked if a.id != "big-process"]
    return known if any(a.gain for a in known) else ranked


def advise(seen: Seen) -> list[Advice]:
    """Return at most three suggestions, the best first; none where nothing is wrong."""
    return all_advice(seen)[:MOST]
