"""Advice on programs that are known to need much: compilers, Java, Spark, Node, VS Code."""

from __future__ import annotations

from collections.abc import Iterator

from memtui.model import known as k
from memtui.model.advice.terms import (
    DISRUPTS,
    HARMLESS,
    LOSES,
    Action,
    Advice,
    Seen,
    amount,
    biggest,
    identities,
)
from memtui.model.snapshot import Proc

COMPILERS = frozenset(("cc1plus", "cc1", "clang", "clang++", "rustc", "lto1", "f951", "ghc"))
"""Names of compilers that were killed: of those no more is known."""
MAKEVARS = """mkdir -p ~/.R && cat >> ~/.R/Makevars <<'END'
CXX = clang++
CXX14 = clang++
CXX17 = clang++
CXXFLAGS = -O1 -g0
CXX14FLAGS = -O1 -g0
CXX17FLAGS = -O1 -g0
END"""
_QUARTER, _FIFTH = 0.25, 0.2
_RECENT_S = 3600.0
_HEAP = 0.6  # of the headroom


def _kind(proc: Proc) -> str:
    return proc.who.kind if proc.who else ""


def _of(seen: Seen, *kinds: str) -> list[Proc]:
    """Those of these kinds, the biggest first."""
    return biggest((p for p in seen.procs if _kind(p) in kinds), len(seen.procs))


def _ancestors(seen: Seen, proc: Proc) -> Iterator[Proc]:
    by_pid = {p.pid: p for p in seen.procs}
    for _ in range(32):
        parent = by_pid.get(proc.ppid)
        if parent is None or parent.pid == proc.pid:
            return
        yield parent
        proc = parent


def _in_r(seen: Seen, procs: list[Proc]) -> bool:
    return any(
        a.name in ("R", "Rscript") or _kind(a) == k.R for p in procs for a in _ancestors(seen, p)
    )


def _victim(seen: Seen) -> str:
    """The compiler that was killed within the last hour, if one was."""
    for event in seen.events:
        if event.kind == "oom" and seen.time - event.time < _RECENT_S:
            for v in event.victims:
                if v.name in COMPILERS or v.name.startswith("clang"):
                    return v.name
    return ""


def compiler(seen: Seen) -> Iterator[Advice]:
    """Compilers that need much of the limit, or one that was killed."""
    found = _of(seen, k.COMPILER, k.LINKER)
    total, killed = sum(p.rss for p in found), _victim(seen)
    if seen.share(total) <= _QUARTER and not killed:
        return
    gain = total - max(p.rss for p in found) if len(found) > 1 else None
    if killed:
        say = f"{killed}, a compiler, was killed for want of memory."
    else:
        what = "A compiler needs" if len(found) == 1 else f"{len(found)} compilers need"
        say = f"{what} {amount(total)}, {100 * seen.share(total):.0f} % of the limit."
    how: tuple[str, ...] = (
        "One at a time: make -j1. Less at once: -O1 or -Os, and -g0 for no debug information.",
        "clang++ mostly needs less than g++.",
    )
    action: Action | None = Action("copy", "copy make -j1", text="make -j1")
    if "cc1plus" in (killed, *(p.name for p in found)) or _in_r(seen, found):
        how += ("For packages of R, as RStan's models:", *(f"  {x}" for x in MAKEVARS.split("\n")))
    if _in_r(seen, found):
        action = Action("copy", "copy the lines for ~/.R/Makevars", text=MAKEVARS)
    yield Advice(
        "compiler",
        say,
        gain,
        "its name says that it compiles" if not killed else "an OOM kill within the last hour",
        "Building takes longer; code of -O1 runs somewhat slower.",
        how,
        action,
        HARMLESS,
        urgent=bool(killed),
    )


def java_heap(seen: Seen) -> Iterator[Advice]:
    """A Java whose heap nobody limited."""
    for p in _of(seen, k.JAVA)[:4]:
        if seen.fact(p).heap != "" or not seen.short:
            continue
        room = max(0, (seen.limit or 0) - (seen.hard or 0)) + p.rss
        mib = max(64, int(_HEAP * room) >> 20)
        yield Advice(
            "java-heap",
            f"{seen.called(p)} has {amount(p.rss)}, and nothing says how far its heap may grow: the"
            " default is a quarter of the limit. A heap seldom shrinks.",
            None,
            "no -Xmx in its arguments, and none in its environment",
            "It has to be started anew.",
            (
                "Start it with a limit; the heap is not all that it needs:",
                f"  java -Xmx{mib}m …",
                f"  jcmd {p.pid} GC.heap_info    # what its heap holds now",
            ),
            Action("copy", f"copy -Xmx{mib}m", text=f"-Xmx{mib}m"),
            LOSES,
        )


def spark(seen: Seen) -> Iterator[Advice]:
    """Spark, whose driver's memory is decided before it starts."""
    found = _of(seen, k.SPARK)
    total = sum(p.rss for p in found)
    if not found or not seen.short:
        return
    line = "--driver-memory 1g --master 'local[2]'"
    yield Advice(
        "spark",
        f"Spark holds {amount(total)} in {len(found)} processes. The driver's memory is decided"
        " before its Java starts; Python workers need more beside it, and local[N] has N of them.",
        None,
        "org.apache.spark or pyspark in the arguments",
        "The session has to be started anew.",
        (
            "Set it where Spark is started, not in a running session:",
            f"  spark-submit {line} …",
            f'  os.environ["PYSPARK_SUBMIT_ARGS"] = "{line} pyspark-shell"',
        ),
        Action("copy", "copy the options", text=line),
        LOSES,
    )


def vscode(seen: Seen) -> Iterator[Advice]:
    """An editor's server that needs a fifth of the limit."""
    found = _of(seen, k.VSCODE, k.LANGUAGE_SERVER)
    total = sum(p.rss for p in found)
    if seen.share(total) <= _FIFTH:
        return
    if not any(_kind(p) == k.VSCODE for p in found):
        return
    big = next((p for p in found if _kind(p) == k.LANGUAGE_SERVER), None)
    title = big.who.label if big and big.who else ""
    say = f"VS Code's server holds {amount(total)} in {len(found)} processes"
    say += f", {amount(big.rss)} of it {title}." if big else "."
    yield Advice(
        "vscode",
        say + " It lingers after the window is closed.",
        seen.freed(big) if big else None,
        "where the programs lie, and their arguments",
        "A language server starts anew when a file of its language is looked at.",
        (
            "Close windows, disable extensions that are not needed here.",
            "Python: set python.analysis.indexing to false, or python.languageServer to None.",
        ),
        Action("kill", f"end {title}", (big.identity,)) if big else None,
        LOSES,
        at_most=True,
    )


def node_heap(seen: Seen) -> Iterator[Advice]:
    """A Node that needs a quarter of the limit."""
    for p in _of(seen, k.NODE)[:1]:
        if seen.share(p.rss) <= _QUARTER or not seen.short:
            continue
        mib = max(64, (seen.limit or 0) >> 22)
        option = f"NODE_OPTIONS=--max-old-space-size={mib}"
        yield Advice(
            "node-heap",
            f"{seen.called(p)} holds {amount(p.rss)}. Node collects garbage late where it thinks"
            " that there is room.",
            None,
            f"a node with {100 * seen.share(p.rss):.0f} % of the limit",
            "It has to be started anew, and ends where it really needs more.",
            ("Start it with a limit, in MiB:", f"  {option} node …"),
            Action("copy", "copy the option", text=option),
            LOSES,
        )


def big_process(seen: Seen) -> Iterator[Advice]:
    """The biggest process, where memory is nearly full: there is always somebody."""
    if seen.share(seen.hard) <= 0.9:
        return
    mine = [p for p in seen.procs if p.identity != seen.own and p.pid > 1]
    for p in biggest(mine):
        yield Advice(
            "big-process",
            f"Memory is nearly full, and {seen.called(p)} is the biggest: {amount(p.rss)}.",
            seen.freed(p),
            "RES in the table",
            "What it is at work on is lost, where it does not save it by itself.",
            ("Save what can be saved in it, and end it.",),
            Action("kill", f"end {seen.called(p)}", identities([p])),
            DISRUPTS,
            at_most=True,
        )
