"""Advice on what hangs, waits, cannot die, or will be refused memory; and on memtui itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from signal import SIGSTOP

from memtui.model.advice.terms import (
    HARMLESS,
    LOSES,
    SHARE,
    Action,
    Advice,
    Seen,
    amount,
    biggest,
    identities,
)
from memtui.model.snapshot import Proc
from memtui.units import duration

_FULL = 10.0  # per cent of time in which nobody got on
_SWAPPED = 100.0  # pages a second that come back from swap
_ALONE = 1000.0  # the same, where nothing else is told
_ZOMBIES, _STAYS_S = 20, 2.5
_WAITS_S = 10.0
_WAITS = 10.0  # a second at memory.high, where the time that they take is not told
_GROUP = 0.6
_NEAR = 0.95


def _full_pct(seen: Seen) -> float | None:
    return seen.trend.thrash.full_pct if seen.trend else None


def throttled(seen: Seen) -> Iterator[Advice]:
    """Processes that memory.high slows down."""
    thrash = seen.trend.thrash if seen.trend else None
    waits, full = (thrash.throttled or 0, thrash.full_pct) if thrash else (0, None)
    if waits < (_WAITS if full is None else 1) or (full is not None and full <= _FULL):
        return
    told = "" if full is None else f"; all of them waited {full:.0f} % of the last 10 s"
    yield Advice(
        "throttled",
        f"Processes here are slowed down, not hung: usage is above memory.high,"
        f" {amount(seen.quota.high)}, and the kernel makes them wait.",
        None,
        f"memory.events counts {waits:.0f} waits a second{told}",
        "None: nothing is killed for it.",
        ("Free memory, or have memory.high raised by who set it.",),
        Action("filter", "show the biggest", text="mem>1m"),
        HARMLESS,
        urgent=True,
    )


def _from_swap(seen: Seen) -> float:
    """Pages a second that came back from swap into the level that binds."""
    limit, then = seen.quota.binding, seen.then
    if limit is None or limit.level is None or then is None or seen.over_s <= 0:
        return 0.0
    now = seen.quota.levels[limit.level]
    before = next((lv for lv in then.levels if lv.path == now.path), None)
    counts = now.activity.refault_anon, before.activity.refault_anon if before else None
    if counts[0] is None or counts[1] is None:
        return 0.0
    return max(0, counts[0] - counts[1]) / seen.over_s


def _pausable(seen: Seen) -> Proc | None:
    """The biggest process of ours that rests; the parents of memtui are nobody to be halted."""
    kept = {seen.own[0]} if seen.own else set()
    by_pid = {p.pid: p for p in seen.procs}
    for pid in list(kept):
        while pid in by_pid and by_pid[pid].ppid not in kept:
            pid = by_pid[pid].ppid
            kept.add(pid)
    rest = [
        p
        for p in seen.procs
        if p.pid not in kept and p.pid > 1 and p.uid == seen.uid and not seen.busy(p)
    ]
    return next(iter(biggest(rest)), None)


def swap_thrash(seen: Seen) -> Iterator[Advice]:
    """Pages that go to swap and come back, while nobody gets on."""
    rate, full = _from_swap(seen), _full_pct(seen)
    if rate < (_ALONE if full is None else _SWAPPED) or (full is not None and full <= _FULL):
        return
    target = _pausable(seen)
    name = seen.called(target) if target else ""
    yield Advice(
        "swap-thrash",
        f"Memory is moved to swap and back, {rate:.0f} pages a second, and little else gets done."
        " A process that is paused can be moved out as a whole; paused is better than killed.",
        None,
        "memory.stat, workingset_refault_anon"
        + ("" if full is None else f"; all tasks waited {full:.0f} % of the last 10 s"),
        "What is paused stands still until SIGCONT; its connections may time out.",
        (f"Pause {name}, until others are done." if target else "Pause what can wait: SIGSTOP.",),
        Action("kill", f"pause {name}", identities([target]), SIGSTOP) if target else None,
        LOSES,
        urgent=True,
    )


def _stays(seen: Seen, proc: Proc) -> bool:
    """Whether a zombie was one some seconds ago: most are collected at once."""
    habit = seen.habits.get(proc.identity)
    return habit is not None and habit.waits_s >= _STAYS_S


def zombie(seen: Seen) -> Iterator[Advice]:
    """Processes that have ended and are not collected."""
    dead = [p for p in seen.procs if p.state == "Z" and p.threads <= 1 and _stays(seen, p)]
    if len(dead) <= _ZOMBIES:
        return
    parent, count = Counter(p.ppid for p in dead).most_common(1)[0]
    who = next((p for p in seen.procs if p.pid == parent), None)
    name = seen.called(who) if who else f"PID {parent}"
    yield Advice(
        "zombie",
        f"{len(dead)} processes have ended but are still listed, {count} of them children of"
        f" {name}, which has not collected them. They hold no memory, only PIDs.",
        None,
        "state Z",
        "Ending the parent ends its work, too.",
        ("They go when their parent collects them, or ends. A signal to them does nothing.",),
        Action("filter", "show them", text="state=Z"),
        HARMLESS,
        tells=True,
    )


def d_state(seen: Seen) -> Iterator[Advice]:
    """A process that was killed and cannot die yet."""
    for p in seen.procs:
        habit = seen.habits.get(p.identity)
        waits = habit.waits_s if habit else 0.0
        if p.state == "D" and waits > _WAITS_S and seen.fact(p).dying:
            yield Advice(
                "D-state",
                f"{seen.called(p)} was killed {duration(waits)} ago or more, but waits for a disk"
                " or server and cannot die before that ends. Its memory may be given back already.",
                None,
                "state D, and SIGKILL is waiting for it",
                "None.",
                ("Wait. No other signal helps; a dead network mount has to be unmounted.",),
                None,
                HARMLESS,
                tells=True,
            )


def group_oom(seen: Seen) -> Iterator[Advice]:
    """A group in which one OOM kill ends everybody."""
    if not seen.level.oom_group or seen.share(seen.hard) <= _GROUP:
        return
    yield Advice(
        "group-oom",
        "If memory runs out here, the kernel ends every process of this group at once, this"
        " session included: save your work early.",
        None,
        "memory.oom.group is 1, as containers of Kubernetes have it",
        "None.",
        (
            "Free memory before it is full; run what is big under a limit of its own:",
            "  memtui run --limit 50% -- COMMAND",
        ),
        Action("copy", "copy memtui run --limit 50% --", text="memtui run --limit 50% -- "),
        HARMLESS,
        tells=True,
    )


def _rlimit(seen: Seen, p: Proc) -> tuple[str, str, int, int] | None:
    """The limit that a process is about to meet: its name, prlimit's option, use, bytes."""
    fact = seen.fact(p)
    pairs = (
        ("RLIMIT_AS", "as", p.virt, fact.as_limit),
        ("RLIMIT_DATA", "data", fact.data, fact.data_limit),
    )
    for name, option, used, limit in pairs:
        if limit and used is not None and used > _NEAR * limit:
            return name, option, used, limit
    return None


def rlimit_hit(seen: Seen) -> Iterator[Advice]:
    """A process that will be refused memory by a limit of its own."""
    for p in seen.procs:
        if p.identity not in seen.facts or (near := _rlimit(seen, p)) is None:
            continue
        name, option, used, limit = near
        typed = f"prlimit --pid {p.pid} --{option}={2 * limit}:"
        yield Advice(
            "rlimit-hit",
            f"{seen.called(p)} has {amount(used)} of the {amount(limit)} that its {name} allows. It"
            " will be refused memory (MemoryError, bad_alloc), not killed.",
            None,
            f"/proc/{p.pid}/limits",
            "It may then take more of what all share.",
            ("Raise the soft limit while it runs:", f"  {typed}", "or ulimit in its shell before."),
            Action("copy", "copy the prlimit command", text=typed),
            HARMLESS,
            tells=True,
        )


def low_overhead(seen: Seen) -> Iterator[Advice]:
    """Say that memtui itself needs much, where the limit is small."""
    own = next((p for p in seen.procs if p.identity == seen.own), None)
    if own is None or seen.share(own.rss) <= SHARE:
        return
    yield Advice(
        "low-overhead",
        f"memtui itself needs {amount(own.rss)} here, {100 * seen.share(own.rss):.0f} % of the"
        " limit.",
        own.rss - own.shr,
        "its own RES",
        "None.",
        ("Quit it, and look now and then:", "  memtui explain", "  memtui ps --limit-rows 10"),
        None,
        HARMLESS,
        at_most=True,
    )
