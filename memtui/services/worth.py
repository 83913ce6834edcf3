"""What killing would give back: anonymous memory that nobody else would still hold.

Pss_Anon of smaps_rollup shares each page out among who maps it; over a whole tree the shares
add up to the pages (Documentation/filesystems/proc.rst). Where somebody outside may hold a
page too, the sum is the most that can come back. Shared memory and tmpfs stay, as do files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from memtui.kernel import procfs, proctree
from memtui.kernel.errors import Denied, KernelError
from memtui.kernel.roots import LIVE
from memtui.services.target import Target
from memtui.units import size

BUDGET_S = 1.0
"""Seconds that reading may take: about 100 GiB."""
_EXACT = 16 << 10  # bytes: rounding, and pages like the zero page
_NEEDS = "needs its user and a dumpable process, or CAP_SYS_PTRACE"
_KIN = 16  # relatives outside that are looked at, at most
_NOTABLE = 20  # a least amount below 1/20 of the most is not worth its words


class Worth(NamedTuple):
    """Between which bounds memory comes back, in bytes."""

    least: int = 0
    most: int | None = 0  # None: not known
    unread: int = 0  # processes whose shares are not known
    why: str = ""  # they are not

    @property
    def text(self) -> str:
        """The bounds in words: `1.2G`, `at most 1.2G`, `at least 300M, at most 1.2G`, `?`."""
        if self.most is None:
            return f"at least {size(self.least)}" if self.least else "?"
        if self.least == self.most:
            return size(self.most)
        least = f"at least {size(self.least)}, " if self.least * _NOTABLE > self.most else ""
        return f"{least}at most {size(self.most)}"


def price(targets: Sequence[Target], budget_s: float = BUDGET_S) -> tuple[list[Worth], Worth]:
    """Return what killing each alone would give back, and all of them together.

    Reads smaps_rollup: about 10 ms per GiB, so not for the thread that draws. The biggest are
    read first; for whom there is no time left RssAnon stands as the most.
    """
    end = time.monotonic() + budget_s
    found: dict[int, Worth] = {}
    for i in sorted(range(len(targets)), key=lambda i: -targets[i].rss):
        found[i] = _of(targets[i].pid, time.monotonic() < end) if _is(targets[i]) else Worth()
    each = [found[i] for i in range(len(targets))]
    return each, _total(each, targets)


def _is(target: Target) -> bool:
    return target.refusal is None and target.look() is not None


def _of(pid: int, in_time: bool) -> Worth:
    why = "not read in time"
    if in_time:
        try:
            rollup = procfs.read_rollup(LIVE, pid)
        except Denied:
            why = _NEEDS
        except KernelError:
            return Worth()  # ended, or a kernel thread
        else:
            if rollup.pss_anon is not None and rollup.anon is not None:
                return _share(rollup.pss_anon, rollup.anon)
            why = "this kernel does not tell Pss_Anon"
    try:
        most = procfs.read_status_sizes(LIVE, pid).get("RssAnon")
    except KernelError:
        most = None
    return Worth(0, most, 1, why)


def _share(pss: int, anon: int) -> Worth:
    """Return the bounds: of what is shared at least two hold each page, so half of it counts."""
    return Worth(pss if anon - pss <= _EXACT else max(0, 2 * pss - anon), pss)


def _total(each: Sequence[Worth], targets: Sequence[Target]) -> Worth:
    known = [w.most for w in each if w.most is not None]
    most = sum(known) if len(known) == len(each) else None
    unread = sum(w.unread for w in each)
    least = sum(w.least for w in each)
    if most != least and not unread and len(each) > 1 and not _held_outside(targets):
        least = most or 0
    return Worth(least, most, unread, next((w.why for w in each if w.why), ""))


def _held_outside(targets: Sequence[Target]) -> bool:
    """Whether a relative who is not among `targets` shares anonymous memory, or may.

    Pages are shared by fork, so with parents, with their other children, and below.
    """
    pids = {t.pid for t in targets}
    table = proctree.read_all_kin()
    parents = {table[p].ppid for p in pids if p in table} - pids
    near = parents | {p for p, k in table.items() if k.ppid in parents | pids and k.living}
    outside = near - pids - {0}
    return len(outside) > _KIN or any(_shares(p) for p in outside)


def _shares(pid: int) -> bool:
    try:
        rollup = procfs.read_rollup(LIVE, pid)
    except Denied:
        return True
    except KernelError:
        return False
    if rollup.pss_anon is None or rollup.anon is None:
        return True
    return rollup.anon - rollup.pss_anon > _EXACT
