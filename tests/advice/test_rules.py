"""Every rule: what makes it speak, and what is nearly the same and does not. From records."""

from __future__ import annotations

import re
import time
from signal import SIGINT, SIGSTOP
from typing import NamedTuple

import pytest

from memtui.model import known as k
from memtui.model.advice.catalogue import MOST, RULES, advise, all_advice
from memtui.model.advice.state import Explained, paragraph
from memtui.model.advice.terms import Fact, File, Held, Left, Level, Mounted, Seen
from memtui.render.explain import NOTHING, UNEXPLAINED, explain_lines
from memtui.render.spans import plain
from tests.support.advising import (
    GROUP,
    NOW,
    facts,
    habit,
    habits,
    ids,
    kernel,
    kill,
    of_kind,
    one,
    quota,
    seen,
    trend,
)
from tests.support.made import MIB, proc


class Case(NamedTuple):
    """A rule, what provokes it, and what nearly does."""

    id: str
    how: str
    fires: Seen
    quiet: Seen
    says: str  # in its sentence


BUSY = {"busy": True}
PY = proc(5, 400, GROUP)
SPARE = kernel(5, 40, kind=k.SPARE, label="spare kernel")
ORPHAN = kernel(5, 40, activity={"orphaned": True})
FILE = File("/tmp/data.bin", 96 * MIB, "ann", NOW - 3600, 1, 2, ("python3 5",))
LEFT = Left("/dev/shm/psm_1a2b", 80 * MIB, "ann", NOW - 3600, device=1, inode=2)
WORKERS = [proc(n, 80, GROUP, ppid=5) for n in range(10, 16)]
OWN = {w.identity: Fact(pss=40 * MIB) for w in WORKERS}
ALL = {w.identity: Fact(pss=78 * MIB) for w in WORKERS}
CXX = [of_kind(n, 150, k.COMPILER, "C++ compiler", name="cc1plus") for n in (20, 21)]
JAVA = of_kind(5, 400, k.JAVA, "Java", name="java")
NODE = of_kind(5, 400, k.NODE, "node", name="node")
CODE = of_kind(5, 150, k.VSCODE, "VS Code", name="node")
PYLANCE = of_kind(6, 120, k.LANGUAGE_SERVER, "Pylance (Python)", name="node", ppid=5)
SPARK = of_kind(5, 400, k.SPARK, "Spark", name="java")
GROWS = habits((PY, habit(0, sizes=range(100, 500, 40))))
STARTS = habits((PY, habit(0, sizes=range(100, 300, 40))))
SAW = habits((PY, habit(0, sizes=(100, 140, 110, 150, 260))))
BUSY_KERNEL = kernel(5, 400, activity=BUSY)
MPL = facts((PY, Fact(libraries=frozenset({"matplotlib"}))))
PANDAS = facts((PY, Fact(peak=900 * MIB, libraries=frozenset({"pandas"}))))
LOOP = [kill("python3", s, "python3 -f /run/kernel-5.json") for s in (100, 300)]
DEAD = [proc(n, 0, GROUP, state="Z", ppid=5) for n in range(100, 125)]
STAY = habits(*((p, habit(waits_s=3.0)) for p in DEAD))
NOTE = kernel(5, 400)
STUCK = proc(5, 1, GROUP, state="D")

CASES = [
    Case("idle-kernel", "a kernel of 100 of 1000 MiB, idle for 42 min",
         seen(300, kernel(5, 100, 42)), seen(300, kernel(5, 100, 20)), "n5.ipynb holds 100 MiB"),
    Case("many-kernels", "three of 90 MiB, idle for an hour",
         seen(500, *(kernel(n, 90, 60) for n in (5, 6, 7))),
         seen(500, *(kernel(n, 60, 60) for n in (5, 6, 7))), "3 idle notebooks hold 270 MiB"),
    Case("orphan-kernel", "a kernel whose server is gone", seen(800, ORPHAN), seen(300, ORPHAN),
         "nobody can reach it"),
    Case("pool-spare", "CoCalc's spare kernel in a full project", seen(800, SPARE),
         seen(300, SPARE), "spare kernel"),
    Case("restart-loop", "two kills of one connection file within 10 min",
         seen(300, kernel(5, 50), events=LOOP), seen(300, kernel(5, 50), events=LOOP[:1]),
         "killed 2 times"),
    Case("py-freelist", "an idle notebook that once was twice as big",
         seen(800, NOTE, habits=habits((NOTE, habit(600))),
              facts=facts((NOTE, Fact(peak=800 * MIB)))),
         seen(800, PY, habits=habits((PY, habit(600))), facts=facts((PY, Fact(peak=800 * MIB)))),
         "once held 800 MiB"),
    Case("out-cache", "a kernel that is bigger after each of four cells",
         seen(300, BUSY_KERNEL, habits=habits(
             (BUSY_KERNEL, habit(5, rests=tuple(n * MIB for n in (100, 160, 220, 280)))))),
         seen(300, BUSY_KERNEL, habits=habits(
             (BUSY_KERNEL, habit(5, rests=tuple(n * MIB for n in (100, 160, 150, 280)))))),
         "bigger after each cell"),
    Case("mpl-figures", "a Python with matplotlib that grows while it works",
         seen(500, PY, habits=GROWS, facts=MPL), seen(500, PY, habits=SAW, facts=MPL),
         "draws with matplotlib"),
    Case("pandas-copies", "a Python with pandas, 400 MiB, peak 900 MiB, of 1000 MiB",
         seen(450, PY, facts=PANDAS), seen(300, PY, facts=PANDAS), "needed 900 MiB for a while"),
    Case("growing-list", "a Python that grows 40 MiB/s without a break",
         seen(510, PY, habits=GROWS), seen(510, PY, habits=STARTS), "grows by 40 MiB/s"),
    Case("fork-copies", "six workers of 80 MiB, half of it shared",
         seen(500, PY, *WORKERS, facts=OWN), seen(500, PY, *WORKERS, facts=ALL), "6 workers"),
    Case("compiler", "two cc1plus of 150 MiB", seen(500, *CXX),
         seen(500, CXX[0]), "2 compilers need 300 MiB"),
    Case("java-heap", "a Java without -Xmx in a full group",
         seen(800, JAVA, facts=facts((JAVA, Fact(heap="")))),
         seen(800, JAVA, facts=facts((JAVA, Fact(heap="-Xmx300m")))), "how far its heap may grow"),
    Case("spark", "Spark in a full group", seen(800, SPARK), seen(300, SPARK), "driver's memory"),
    Case("node-heap", "a node of 400 MiB in a full group", seen(800, NODE), seen(500, NODE),
         "collects garbage late"),
    Case("vscode", "an editor's server of 270 of 1000 MiB", seen(500, CODE, PYLANCE),
         seen(500, CODE), "120 MiB of it Pylance"),
    Case("big-process", "95 % full, and nothing else explains it", seen(950, PY), seen(800, PY),
         "is the biggest"),
    Case("tmpfs-files", "96 MiB of files in /tmp",
         seen(300, mounts=[Mounted("/tmp", 96 * MIB, (FILE,))]),
         seen(300, mounts=[Mounted("/tmp", 40 * MIB, (FILE,))]), "Files in /tmp take 96 MiB"),
    Case("deleted-open", "a deleted file of 80 MiB, still open",
         seen(300, PY, held=[Held(PY, "/tmp/x", 80 * MIB)]),
         seen(300, PY, held=[Held(PY, "/tmp/x", 30 * MIB)]), "that was deleted: /tmp/x"),
    Case("shm-leftover", "a segment of Python's shared memory that nobody has open",
         seen(300, left=[LEFT]), seen(300, left=[LEFT._replace(changed=NOW - 5)]), "left behind"),
    Case("cache-only", "95 % full, 40 % hard", seen(400, cache=550), seen(700, cache=250),
         "Nothing is wrong"),
    Case("dirty-cache", "half of it dirty, tasks wait for the disk",
         seen(200, cache=600, level=Level(dirty=400 * MIB, io_some_pct=50.0)),
         seen(200, cache=600, level=Level(dirty=400 * MIB, io_some_pct=1.0)), "written to disk"),
    Case("kernel-mem", "300 of 1000 MiB are the kernel's",
         seen(800, PY, parts={"kernel": 300 * MIB}), seen(800, PY, parts={"kernel": 100 * MIB}),
         "The kernel itself needs 300 MiB"),
    Case("throttled", "memory.high reached 50 times a second, all stalled 60 % of the time",
         seen(500, PY, high=500 * MIB, trend=trend(throttled=50.0, full_pct=60.0)),
         seen(500, PY, high=500 * MIB, trend=trend(throttled=50.0, full_pct=2.0)), "not hung"),
    Case("swap-thrash", "1000 pages a second come back from swap, all stalled",
         seen(500, PY, activity={"refault_anon": 4000}, trend=trend(full_pct=60.0),
              then=quota(500, activity={"refault_anon": 1000})),
         seen(500, PY, activity={"refault_anon": 1100}, trend=trend(full_pct=60.0),
              then=quota(500, activity={"refault_anon": 1000})), "paused is better than killed"),
    Case("zombie", "25 children that nobody collected", seen(100, PY, *DEAD, habits=STAY),
         seen(100, PY, *DEAD), "25 of them children of python3 5"),
    Case("D-state", "state D for 20 s, SIGKILL waits",
         seen(100, STUCK, habits=habits((STUCK, habit(waits_s=20.0))),
              facts=facts((STUCK, Fact(dying=True)))),
         seen(100, STUCK, habits=habits((STUCK, habit(waits_s=20.0))),
              facts=facts((STUCK, Fact(dying=False)))), "cannot die"),
    Case("group-oom", "memory.oom.group is 1, 70 % are hard",
         seen(700, level=Level(oom_group=True)), seen(500, level=Level(oom_group=True)),
         "every process of this group"),
    Case("rlimit-hit", "VmData at 98 % of RLIMIT_DATA",
         seen(100, PY, facts=facts((PY, Fact(data=98 * MIB, data_limit=100 * MIB)))),
         seen(100, PY, facts=facts((PY, Fact(data=80 * MIB, data_limit=100 * MIB)))),
         "98 MiB of the 100 MiB that its RLIMIT_DATA"),
    Case("low-overhead", "memtui's own 60 MiB in a full group of 1000 MiB",
         seen(800, proc(5, 60, GROUP), own=(5, 50)), seen(800, proc(5, 40, GROUP), own=(5, 50)),
         "memtui itself needs 60 MiB"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_a_rule_speaks_of_its_case_and_not_of_what_is_nearly_the_same(case: Case) -> None:
    found = one(case.fires, case.id)
    assert case.says in found.say
    assert found.why
    assert found.how
    assert case.id not in ids(case.quiet)


def test_every_rule_has_a_case() -> None:
    assert [c.id for c in CASES if c.id not in RULES] == []
    assert sorted({c.id for c in CASES}) == sorted(RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_what_is_said_fits_a_narrow_terminal_and_says_all(case: Case) -> None:
    explained = Explained(case.fires, [one(case.fires, case.id)])
    lines = [plain(line) for line in explain_lines(explained, 60, keys=True)]
    assert max(map(len, lines)) <= 60
    text = re.sub(r"\s+", " ", " ".join(lines))
    assert case.says in text
    assert explained.advice[0].why.split(";")[0][:40] in text


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    calm = seen(300, PY, kernel(6, 40, 90), cache=100)
    assert all_advice(calm) == []
    lines = "\n".join(plain(x) for x in explain_lines(Explained(calm, []), 80))
    assert NOTHING in lines


def test_a_full_group_that_no_rule_explains_is_not_called_well() -> None:
    lines = "\n".join(plain(x) for x in explain_lines(Explained(seen(800), []), 200))
    assert NOTHING not in lines
    assert UNEXPLAINED.split(",")[0] in lines


def test_three_are_said_what_goes_wrong_now_first_then_what_saves_most() -> None:
    found = seen(
        800,
        PY,
        kernel(6, 100, 60),
        kernel(7, 200, 60),
        habits=GROWS,
        mounts=[Mounted("/tmp", 150 * MIB), Mounted("/dev/shm", 300 * MIB)],
    )
    assert [(a.id, a.gain and a.gain // MIB) for a in advise(found)] == [
        ("growing-list", None),
        ("tmpfs-files", 300),
        ("idle-kernel", 200),
    ]
    assert len(all_advice(found)) > MOST


def test_a_sawtooth_is_no_growth_and_half_of_it_free_no_alarm() -> None:
    assert "growing-list" not in ids(seen(510, PY, habits=SAW))
    assert "growing-list" not in ids(seen(400, PY, habits=GROWS))
    assert "growing-list" not in ids(seen(510, PY, habits=GROWS, own=PY.identity)), "memtui itself"
    notebook = kernel(5, 400)
    started = habits((notebook, habit(0, sizes=(100, 140, 180))))
    assert "growing-list" in ids(seen(510, notebook, habits=started)), "nobody starts a kernel so"


def test_no_process_is_to_be_ended_twice() -> None:
    idle = [kernel(n, 90, 60) for n in (5, 6, 7)]
    assert [a.id for a in advise(seen(500, *idle))] == ["many-kernels"]


def test_a_small_saving_is_said_only_where_memory_is_short() -> None:
    small = Left("/dev/shm/psm_1", 10 * MIB, "ann", NOW - 3600)
    assert "shm-leftover" in ids(seen(800, left=[small]))
    assert ids(seen(300, left=[small])) == []
    assert ids(seen(800, left=[small._replace(bytes=4096)])) == []


def test_a_kernel_that_works_or_has_a_child_at_work_is_not_idle() -> None:
    rests = kernel(5, 100, 60)
    assert rests.who
    child = proc(9, 50, GROUP, ppid=5, who=rests.who._replace(kind=k.CHILD))
    works = habits((child, habit(0)))
    assert "idle-kernel" in ids(seen(300, rests, child, habits=habits((child, habit(4000)))))
    assert "idle-kernel" not in ids(seen(300, rests, child, habits=works))
    assert "idle-kernel" not in ids(seen(300, kernel(5, 100, activity=BUSY)))


def test_actions_hold_who_was_shown_and_the_signal_that_fits() -> None:
    growing = one(seen(510, PY, habits=GROWS), "growing-list").action
    assert growing is not None
    assert (growing.kind, growing.targets, growing.signal) == ("kill", (PY.identity,), SIGINT)
    thrash = next(c for c in CASES if c.id == "swap-thrash").fires
    paused = one(thrash, "swap-thrash").action
    assert paused is not None
    assert (paused.targets, paused.signal) == ((PY.identity,), SIGSTOP)
    left = one(seen(300, left=[LEFT]), "shm-leftover").action
    assert left is not None
    assert left.file is not None
    assert (left.kind, left.file.path, left.file.inode) == ("delete", LEFT.what, 2)


def test_memtui_and_what_it_runs_in_are_nobody_to_be_paused() -> None:
    shell, own = proc(3, 500, GROUP), proc(4, 50, GROUP, ppid=3)
    case = next(c for c in CASES if c.id == "swap-thrash").fires
    found = case._replace(procs=[shell, own, PY], own=own.identity)
    paused = one(found, "swap-thrash").action
    assert paused is not None
    assert paused.targets == (PY.identity,)


def test_rstan_is_told_every_standard_of_its_makevars() -> None:
    r = of_kind(3, 50, k.R, "R", name="R")
    compiler = of_kind(20, 300, k.COMPILER, "C++ compiler", name="cc1plus", ppid=3)
    advice = one(seen(800, r, compiler), "compiler")
    assert advice.action is not None
    for line in ("CXX = clang++", "CXX14 = clang++", "CXX17 = clang++", "CXX17FLAGS = -O1 -g0"):
        assert line in advice.action.text
        assert f"  {line}" in advice.how


def test_hostile_names_reach_no_line_as_they_are() -> None:
    evil = "\x1b[31m[/]\n\u202e"
    found = seen(
        300,
        kernel(5, 100, 60, label="n.ipynb"),
        mounts=[Mounted(f"/tmp/{evil}", 96 * MIB, (FILE._replace(path=f"/tmp/{evil}"),))],
        left=[LEFT._replace(what=f"/dev/shm/psm_{evil}; rm x")],
    )
    text = "".join(plain(x) for x in explain_lines(Explained(found, all_advice(found)), 80, True))
    assert text.isprintable()
    assert "rm -- '" in text


# -- the paragraph


def test_the_paragraph_is_what_a_beginner_asks_for() -> None:
    since = NOW - 25 * 60
    notebook = kernel(5, 412, label="analysis.ipynb", idle_min=25)
    found = seen(
        888, notebook, proc(6, 100, GROUP), cache=24, trend=trend(eta_s=180.0),
        mounts=[Mounted("/tmp", 96 * MIB, (FILE,))],
    )  # fmt: skip
    at = time.strftime("%H:%M", time.localtime(since))
    assert paragraph(found) == (
        "912 of 1000 MiB are in use, 96 MiB of that are files in /tmp. 24 MiB of it are cached"
        " files, which are given back on demand. That is the limit of /a/b, for all processes in"
        " it. At the present rate it is full in about 3 min. The biggest: analysis.ipynb, python,"
        f" 412 MiB, idle since {at}."
    )


def test_a_program_is_named_without_its_directory() -> None:
    told = paragraph(seen(400, proc(9, 100, GROUP, command="/opt/x/bin/solve --all /data/a")))
    assert told.endswith("The biggest: solve --all /data/a, 100 MiB.")


def test_a_notebook_with_its_children_is_one() -> None:
    notebook = kernel(5, 50, label="train.ipynb")
    assert notebook.who
    workers = [
        proc(n, 60, GROUP, ppid=5, who=notebook.who._replace(kind=k.CHILD)) for n in (6, 7, 8)
    ]
    told = paragraph(seen(400, notebook, *workers, proc(9, 100, GROUP)))
    assert told.endswith("The biggest: train.ipynb, up to 230 MiB in 4 processes.")


def test_a_short_look_says_how_short_it_was() -> None:
    found = seen(600, PY, then=quota(540), over_s=3.0)
    assert "At the rate of the last 3 s it is full in about 20 s." in paragraph(found)
    assert "full in" not in paragraph(seen(300, PY, then=quota(240), over_s=3.0))
    assert "full in" not in paragraph(seen(600, PY, then=quota(600), over_s=3.0))
