"""The report on a limited run: GNU time -v's lines, then what only memtui knows.

Scripts that parse `time -v` can read it: same labels, one tab before each. Where GNU time
would print a number that is not the command's, this says `?`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from memtui.model.limits import COUNTED, KERNEL_GROUPS
from memtui.model.memseries import Account
from memtui.model.runlimit import Result
from memtui.services.run import Run
from memtui.text import safe
from memtui.units import size_long

Field = tuple[str, str | int]


def _clock(seconds: float) -> str:
    """Return h:mm:ss or m:ss.cc, as GNU time writes elapsed time."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}.{int(seconds * 100) % 100:02d}"


def _kib(n: int | None) -> str:
    return "?" if n is None else str(n >> 10)


def _both(n: int | None) -> str:
    return "?" if n is None else f"{_kib(n)} ({size_long(n)})"


def _seconds(s: float | None) -> str:
    return "?" if s is None else f"{s:.2f}"


def _end_line(run: Run) -> list[str]:
    if run.result.signal:
        return [f"Command terminated by signal {run.result.signal}"]
    if run.result.status:
        return [f"Command exited with non-zero status {run.result.status}"]
    return []


def _gnu_fields(argv: Sequence[str], run: Run) -> list[Field]:
    """Return GNU time's 23 fields in its order; those Linux does not keep are 0, as there."""
    u, r = run.rusage, run.result
    busy = u.ru_utime + u.ru_stime
    return [
        ("Command being timed", f'"{safe(" ".join(argv))}"'),
        ("User time (seconds)", f"{u.ru_utime:.2f}"),
        ("System time (seconds)", f"{u.ru_stime:.2f}"),
        ("Percent of CPU this job got", f"{int(100 * busy / r.seconds) if r.seconds else 0}%"),
        ("Elapsed (wall clock) time (h:mm:ss or m:ss)", _clock(r.seconds)),
        ("Average shared text size (kbytes)", 0),
        ("Average unshared data size (kbytes)", 0),
        ("Average stack size (kbytes)", 0),
        ("Average total size (kbytes)", 0),
        ("Maximum resident set size (kbytes)", _kib(run.max_rss)),
        ("Average resident set size (kbytes)", 0),
        ("Major (requiring I/O) page faults", u.ru_majflt),
        ("Minor (reclaiming a frame) page faults", u.ru_minflt),
        ("Voluntary context switches", u.ru_nvcsw),
        ("Involuntary context switches", u.ru_nivcsw),
        ("Swaps", u.ru_nswap),
        ("File system inputs", u.ru_inblock),
        ("File system outputs", u.ru_oublock),
        ("Socket messages sent", u.ru_msgsnd),
        ("Socket messages received", u.ru_msgrcv),
        ("Signals delivered", u.ru_nsignals),
        ("Page size (bytes)", os.sysconf("SC_PAGE_SIZE")),
        ("Exit status", r.status or 0),
    ]


def _rss_note(run: Run) -> str:
    if run.max_rss_exact:
        return "exact"
    if run.max_rss is not None:
        return "sampled: a lower bound"
    return f"unknown, under {size_long(run.floor)}: there the kernel's count began, with our fork"


def _peak_fields(r: Result, a: Account, method: str) -> list[Field]:
    at = "?" if a.peak_at is None else f"{a.peak_at:.2f} after the start, sampled"
    fields: list[Field] = [
        ("Peak memory (kbytes)", _both(r.peak)),
        ("Peak memory is of", r.peak_of),
        ("Time of the peak (seconds)", at),
    ]
    if method in KERNEL_GROUPS:
        fields.append(("Peak without file cache, sampled (kbytes)", _both(a.anon_peak)))
    if method in COUNTED:
        label = "Own memory of all processes, peak, sampled (kbytes)"
        fields.append((label, _both(a.anon_peak)))
        label = f"Largest {COUNTED[method]} in the first 0.05 s (kbytes)"
        fields.append((label, _both(a.start_size)))
    for i, seen in enumerate(a.biggest, 1):
        label = f"Largest process {i}, peak resident set (kbytes)"
        fields.append((label, f"{_both(seen.hwm)} {seen.name} ({seen.pid})"))
    return fields


def _strain_fields(run: Run) -> list[Field]:
    a, clues = run.account, run.ending.clues
    stalled = f"{_seconds(a.some_s)} some, {_seconds(a.full_s)} all, of {a.stall_of}"
    if a.some_s is None:
        stalled = "?"
    killed = ", ".join(f"{v.name} ({v.pid}), {size_long(v.rss)}" for v in clues.victims)
    number = run.ending.oom_kills
    if not killed and number != 0:
        killed = "?" if number is None else f"{number}, the kernel log does not say whom"
    return [
        ("Peak swap (kbytes)", _both(a.swap_peak)),
        ("Major page faults of all processes", "?" if a.major_faults is None else a.major_faults),
        ("Waited for memory (seconds)", stalled),
        ("Throttled at memory.high (times)", "?" if a.throttled is None else a.throttled),
        ("Killed by the OOM killer", killed or "nobody"),
        ("Processes left behind and killed", run.result.left),
    ]


def _own_fields(run: Run) -> list[Field]:
    r = run.result
    fields: list[Field] = [
        ("Memory limit in force", run.limit),
        ("Maximum resident set size is", _rss_note(run)),
        *_peak_fields(r, run.account, run.ending.method),
        *_strain_fields(run),
        ("Verdict", r.verdict.text),
    ]
    return [*fields, ("Suggestion", r.advice.text)] if r.advice else fields


def render_report(argv: Sequence[str], run: Run) -> str:
    """Return the whole report of `-v`, without its plot, ending in a newline."""
    fields = _gnu_fields(argv, run) + _own_fields(run)
    lines = _end_line(run) + [f"\t{label}: {value}" for label, value in fields]
    return "\n".join(lines) + "\n"


def _peak_note(r: Result) -> str:
    return "" if r.peak is None else f"; peak {size_long(r.peak)} ({r.peak_of})"


def render_notes(r: Result) -> list[str]:
    """Return the sentences to tell without `-v`: none when nothing befell the command."""
    notes = []
    if r.verdict.notable:
        notes.append(r.verdict.text + ("" if r.verdict.has_peak else _peak_note(r)))
        if r.advice and r.verdict.kind != "maybe-limit":  # no reason to think so
            notes.append(r.advice.text)
    if r.left:
        what = "process that was" if r.left == 1 else "processes that were"
        did = "left" if r.leave else "killed"
        notes.append(f"{did} {r.left} {what} still running when the command ended")
    return notes
