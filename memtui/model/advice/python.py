"""Advice on Python (and R, where it forks): what stays in memory, what grows, what is copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from signal import SIGINT

from memtui.model import known as k
from memtui.model.advice.terms import (
    DISRUPTS,
    HARMLESS,
    LEAST,
    SHARE,
    Action,
    Advice,
    Seen,
    amount,
    biggest,
    is_python,
    program_of,
)
from memtui.model.snapshot import Proc
from memtui.units import duration

TRIM = 'import gc, ctypes; gc.collect(); ctypes.CDLL("libc.so.6").malloc_trim(0)'
CLOSE = "import matplotlib.pyplot as plt; plt.close('all')"
READ_LESS = "pd.read_csv(FILE, usecols=[…], dtype={…}, chunksize=100_000)"
_FORGET = "%reset -f out"

_REST_S = 1.0
_FREED = 1.2  # peak / RES: it gave back something
_PEAKS = 1.8
_FULL_SOON_S, _HALF = 300.0, 0.5
_NOTEBOOK_S, _SCRIPT_S = 1.5, 8.0
_WORKERS = 4
_SHARED = 1.5  # sum of RES / sum of PSS
_BURSTS = 3
_BURST = 0.7  # of all growth in one step: that is no steady growth


def _big(seen: Seen, n: int | None) -> bool:
    return (n or 0) >= max(LEAST, SHARE * (seen.limit or 0))


def _pythons(seen: Seen) -> Iterator[Proc]:
    others = (p for p in seen.procs if is_python(p) and p.identity != seen.own)
    for proc in biggest(others, 8):
        if _big(seen, proc.rss):
            yield proc


def _kernels(seen: Seen) -> set[int]:
    return {k.proc.pid for k in seen.kernels}


def _maps(seen: Seen, proc: Proc, library: str) -> bool:
    return library in (seen.fact(proc).libraries or ())


def _grows(seen: Seen, proc: Proc) -> float | None:
    """Bytes a second that it grew, where it did so without a break; else None."""
    habit = seen.habits.get(proc.identity)
    if habit is None or len(habit.sizes) < 3:
        return None
    steps = [b[1] - a[1] for a, b in zip(habit.sizes, habit.sizes[1:], strict=False)]
    if min(steps) <= 0 or max(steps) > _BURST * sum(steps):
        return None
    (t0, first), (t1, last) = habit.sizes[0], habit.sizes[-1]
    return (last - first) / (t1 - t0) if t1 > t0 else None


def _left_s(seen: Seen, rate: float) -> float:
    """Seconds until memory is full at this rate."""
    return max(0, (seen.limit or 0) - (seen.hard or seen.usage or 0)) / rate


def py_freelist(seen: Seen) -> Iterator[Advice]:
    """An idle notebook in Python that freed something, of which fragments may be left."""
    for p in _pythons(seen):
        peak, idle = seen.fact(p).peak, seen.idle_s(p)
        if p.who is None or p.who.kind not in (*k.KERNELS, k.WORKSHEET, k.SAGE):
            continue  # a script has nobody to type the line
        if peak is None or peak < _FREED * p.rss or idle is None or idle < _REST_S:
            continue
        yield Advice(
            "py-freelist",
            f"{seen.called(p)} holds {amount(p.rss)}, rests, and once held {amount(peak)}. What"
            " Python freed may still lie in fragments that the system does not get back by itself.",
            None,
            f"its peak is {peak / p.rss:.1f} times what it holds now, and it has used no CPU for"
            f" {duration(idle)}",
            "None, where the C library is glibc.",
            ("Delete what is not needed (del name), then run there:", "  " + TRIM),
            Action("copy", "copy that line", text=TRIM),
            HARMLESS,
        )


def out_cache(seen: Seen) -> Iterator[Advice]:
    """A kernel that comes back bigger from each cell."""
    kernels = _kernels(seen)
    for p in _pythons(seen):
        habit = seen.habits.get(p.identity)
        rests = habit.rests[-_BURSTS - 1 :] if habit and p.pid in kernels else ()
        more = rests[-1] - rests[0] if len(rests) > _BURSTS else 0
        if list(rests) != sorted(set(rests)) or not _big(seen, more):
            continue
        yield Advice(
            "out-cache",
            f"{seen.called(p)} is bigger after each cell: {amount(more)} more over the last"
            f" {len(rests) - 1}. Out[], _ and the tracebacks of errors keep what cells showed.",
            more,
            f"its sizes at rest: {', '.join(map(amount, rests))}",
            "What Out[] holds is lost; variables stay.",
            ("In the notebook:", "  " + _FORGET, "  %xdel NAME    # one variable, and all of its"),
            Action("copy", f"copy {_FORGET}", text=_FORGET),
            HARMLESS,
            at_most=True,
        )


def mpl_figures(seen: Seen) -> Iterator[Advice]:
    """A Python that draws with matplotlib and grows while it works."""
    for p in _pythons(seen):
        rate = _grows(seen, p)
        if rate is None or not _maps(seen, p, "matplotlib") or not seen.busy(p):
            continue
        yield Advice(
            "mpl-figures",
            f"{seen.called(p)} draws with matplotlib and grows by {amount(round(rate))}/s. A"
            " notebook closes its figures after each cell; a loop within one cell, a script, or a"
            " widget keeps every one.",
            None,
            "it maps matplotlib, works, and has grown without a break",
            "Figures that were not saved or shown are gone.",
            (
                "In the loop, after each figure is saved or shown:",
                "  plt.close(fig)",
                "Between cells, for all that are left:",
                "  " + CLOSE,
            ),
            Action("copy", "copy plt.close('all')", text=CLOSE),
            HARMLESS,
            urgent=_left_s(seen, rate) < _FULL_SOON_S,
        )


def pandas_copies(seen: Seen) -> Iterator[Advice]:
    """A Python with pandas whose peaks are far above what it keeps, and would not fit again."""
    for p in _pythons(seen):
        peak = seen.fact(p).peak or 0
        more = peak - p.rss
        if not _maps(seen, p, "pandas") or peak <= _PEAKS * p.rss or not _big(seen, more):
            continue
        if (seen.hard or seen.usage or 0) + more < 0.9 * (seen.limit or 0):
            continue  # the same once more would fit
        yield Advice(
            "pandas-copies",
            f"{seen.called(p)} keeps {amount(p.rss)} but needed {amount(peak)} for a while: reading"
            " and chained steps of pandas make copies. The same once more may not fit.",
            more,
            f"it maps pandas, and its peak is {peak / p.rss:.1f} times what it holds now",
            "None.",
            (
                "Read only what is needed, in the smallest types, or piece by piece:",
                "  " + READ_LESS,
                "Text columns with few values: dtype 'category'; or dtype_backend='pyarrow'.",
            ),
            Action("copy", "copy the example", text=READ_LESS),
            HARMLESS,
            at_most=True,
        )


def _long_enough(seen: Seen, proc: Proc) -> bool:
    """Whether growth was seen for longer than a start: all programs grow when they start."""
    sizes = seen.habits[proc.identity].sizes
    wanted = _NOTEBOOK_S if proc.pid in _kernels(seen) else _SCRIPT_S
    return sizes[-1][0] - sizes[0][0] >= wanted


def growing_list(seen: Seen) -> Iterator[Advice]:
    """A single Python that grows and grows, as by appending to the list it walks."""
    for p in _pythons(seen):
        rate = _grows(seen, p)
        if rate is None or not seen.busy(p) or _left_s(seen, rate) > _FULL_SOON_S:
            continue
        if seen.share(seen.hard) <= _HALF or not _long_enough(seen, p):
            continue
        left = _left_s(seen, rate)
        yield Advice(
            "growing-list",
            f"{seen.called(p)} grows by {amount(round(rate))}/s without a break; in"
            f" {duration(left)} memory is full. If it is a loop that appends to the list it"
            " walks, it never ends.",
            None,
            f"it works, and grew from one look to the next, {amount(p.rss)} by now",
            "The cell or script stops where it is; a notebook keeps its variables.",
            (
                "Interrupt it (SIGINT, or Kernel > Interrupt), then look at its loops:",
                "  for x in l: l.append(x)    # this never ends",
            ),
            Action("kill", f"interrupt {seen.called(p)}", (p.identity,), SIGINT),
            DISRUPTS,
            urgent=True,
        )


def _workers(seen: Seen) -> Iterator[tuple[Proc, list[Proc]]]:
    """Parents that are interpreters, with their children of the same program."""
    by_pid = {p.pid: p for p in seen.procs}
    below: dict[int, list[Proc]] = defaultdict(list)
    for p in seen.procs:
        parent = by_pid.get(p.ppid)
        if parent is not None and (is_python(p) or p.name in ("R", "ruby", "perl", "julia")):
            below[parent.pid] += [p] * (program_of(p) == program_of(parent))
    for pid, found in below.items():
        if len(found) >= _WORKERS:
            yield by_pid[pid], found


def fork_copies(seen: Seen) -> Iterator[Advice]:
    """Many workers that hold the same data, each more and more of its own."""
    for parent, workers in _workers(seen):
        pss = [n for w in workers if (n := seen.fact(w).pss) is not None]
        if len(pss) < len(workers):
            continue  # RES alone does not tell copies from what is shared
        total, own = sum(w.rss for w in workers), sum(pss)
        growing = sum((_grows(seen, w) or 0) > 0 for w in workers)
        if not (2 * growing > len(workers) or total > _SHARED * own):
            continue
        keep = max(1, len(workers) // 2)
        gain = own - sum(sorted(pss)[-keep:])
        yield Advice(
            "fork-copies",
            f"{len(workers)} workers of {seen.called(parent)} hold {amount(own)}, up to"
            f" {amount(total)} once each has written to what it still shares. Fewer workers need"
            " less.",
            gain,
            f"same program and parent; their RES is {total / max(1, own):.1f} times their PSS",
            "Fewer workers may take longer.",
            (
                f"Halve their number: n_jobs={keep}, Pool({keep}), num_workers={keep}.",
                "Load data before the workers fork, or give each only its part of it.",
            ),
            Action("filter", "show them as a tree", text=f"ppid={parent.pid} | pid={parent.pid}"),
            HARMLESS,
            at_most=True,
        )
