"""smem's options of `memtui ps` on real processes: columns, sums, units, order, who is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from memtui.text import cells
from memtui.units import size
from tests.support.limited import as_nobody
from tests.support.listing import PS, document, only, printed, ps, table
from tests.support.procs import READY, run_python, sleeper
from tests.support.programs import Program, running
from tests.support.steady import agree

SHARED, OWN = 24, 2


@pytest.fixture(scope="module")
def family() -> Iterator[list[int]]:
    """A parent and two children that share 24 MiB and have 2 MiB each, all quiet."""
    with running("forks", width=2, depth=1, mib=OWN, shared=SHARED) as program:
        program.wait_for("anon", times=3)
        yield program.said["process"]


def smaps(pid: int, pattern: str = "") -> dict[str, int]:
    """The sums over a process's mappings, as smem makes them, in bytes."""
    sums = dict.fromkeys(("Rss", "Pss", "Private_Clean", "Private_Dirty", "Swap", "maps"), 0)
    wanted = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-", line):
            words = line.split(None, 5)
            wanted = bool(re.search(pattern, words[5] if len(words) > 5 else "<anonymous>"))
            sums["maps"] += wanted
        elif wanted and line.split(":")[0] in sums:
            sums[line.split(":")[0]] += int(line.split()[1]) << 10
    return sums


def test_pss_and_uss_are_those_of_psutil(family: list[int]) -> None:
    def ours() -> list[tuple[int, ...]]:
        rows = table("-c", "pid rss swap", "-s", "pid", *only(family))
        return [(int(r["rss"]), int(r["swap"])) for r in rows]

    def theirs() -> list[tuple[int, ...]]:
        full = [psutil.Process(pid).memory_full_info() for pid in sorted(family)]
        return [(f.rss, f.swap) for f in full]

    agree(ours, theirs)
    rows = {int(r["pid"]): r for r in table("-c", "pid,pss,uss", *only(family))}
    for pid in family:  # interpreters that come and go, memtui too, share libraries with these
        said = psutil.Process(pid).memory_full_info()
        assert int(rows[pid]["pss"]) == pytest.approx(said.pss, abs=2 << 20)
        assert int(rows[pid]["uss"]) == pytest.approx(said.uss, abs=2 << 20)


def test_pss_of_chosen_mappings_is_exact(family: list[int]) -> None:
    """Anonymous memory is shared among the family alone: nobody else moves it."""
    keys = ("pss", "uss", "rss", "swap", "maps")
    rows = table("-M", "^<anonymous>$", "-c", "pid " + " ".join(keys), *only(family))
    assert sorted(int(r["pid"]) for r in rows) == sorted(family)
    for row in rows:
        said = smaps(int(row["pid"]), "^<anonymous>$")
        uss = said["Private_Clean"] + said["Private_Dirty"]
        wanted = [said["Pss"], uss, said["Rss"], said["Swap"], said["maps"]]
        assert [int(row[key]) for key in keys] == wanted
        assert said["Pss"] < said["Rss"] - (SHARED << 19), "shared by three"


def numbers(line: str) -> list[int]:
    return [int(word) for word in line.split()]


def test_totals_are_the_sums_of_the_rows(family: list[int]) -> None:
    *rows, rule, last = printed("-H", "-t", "--kib", "-c", "pid pss uss rss maps", *only(family))
    assert len(rows) == 3
    assert set(rule) == {"-"}
    added = [sum(column) for column in zip(*map(numbers, rows), strict=True)]
    assert numbers(last) == [3, *added[1:]]


def test_totals_count_processes_and_users(family: list[int]) -> None:
    last = printed("-H", "-t", "-c", "pid user command", *only(family))[-1]
    assert last.split() == ["3", "1"]


def test_one_size_in_every_unit(family: list[int]) -> None:
    pid = family[1:2]
    (row,) = table("-c", "pid,rss", *only(pid))
    (kib,) = printed("-H", "--kib", "-c", "rss", *only(pid))
    (suffix,) = printed("-H", "-k", "-c", "rss", *only(pid))
    (share,) = printed("-H", "-p", "-c", "rss", *only(pid))
    n = int(row["rss"])
    assert int(kib) << 10 == n
    assert suffix.strip() == size(n)
    assert share.strip() == f"{100 * n / psutil.virtual_memory().total:.2f}%"


def test_swap_in_per_cent_is_of_the_swap(family: list[int]) -> None:
    said = {line.strip() for line in printed("-H", "-p", "-c", "swap", *only(family))}
    assert said <= {"0.00%"} if psutil.swap_memory().total else {"·"}


@pytest.mark.parametrize("option", ["-t", "-k", "-p", "--kib"])
def test_these_show_what_smem_shows(family: list[int], option: str) -> None:
    titles = printed(option, *only(family))[0].split()
    assert titles == ["PID", "USER", "SWAP", "USS", "PSS▼", "RES", "COMMAND"]


def test_columns_stand_as_they_were_asked_for(family: list[int]) -> None:
    head, *rows = printed("-c", "command vss,Name RSS maps pid", *only(family))[:4]
    assert head.split() == ["COMMAND", "VIRT", "NAME", "RES▼", "MAPS", "PID"]
    for row in rows:
        *_, name, rss, maps, pid = row.split()
        assert row.startswith(sys.executable)
        assert int(pid) in family
        assert rss == size(psutil.Process(int(pid)).memory_info().rss)
        assert int(maps) == smaps(int(pid))["maps"]
        assert name == psutil.Process(int(pid)).name()


def test_the_biggest_comes_first_and_last_with_r(family: list[int]) -> None:
    pss = [int(r["pss"]) for r in table("-c", "pss", "-s", "pss") if r["pss"]]
    assert pss == sorted(pss, reverse=True)
    pss = [int(r["pss"]) for r in table("-c", "pss", "-r") if r["pss"]]
    assert pss == sorted(pss)
    maps = [int(r["maps"]) for r in table("-c", "pid maps", "-s", "maps", *only(family))]
    assert maps == sorted(maps, reverse=True)
    names = [r["name"] for r in table("-c", "name", "-s", "name")]
    assert names == sorted(names)


def test_users_as_numbers(family: list[int]) -> None:
    said = printed("-H", "-n", "-c", "pid user", *only(family))
    assert {line.split()[1] for line in said} == {str(os.geteuid())}
    assert {r["user"] for r in table("-n", "-c", "user", *only(family))} == {str(os.geteuid())}


def test_rows_alone(family: list[int]) -> None:
    done = ps("-H", "-c", "pid", *only(family))
    assert sorted(map(int, done.stdout.split())) == sorted(family)
    assert done.stderr == ""


def test_children_stand_below_their_parent(family: list[int]) -> None:
    top = next(pid for pid in family if psutil.Process(pid).ppid() not in family)
    parent = psutil.Process(top).ppid()
    lines = printed("-H", "--tree", "-c", "command,pid", *only([parent, *family]))
    assert [int(lines[i].split()[0]) for i in (0, 1)] == [parent, top]
    assert [line.split()[1] for line in lines[1:]] == ["└─", "├─", "└─"]
    assert [line.index("└─") for line in (lines[1], lines[3])] == [8, 11]
    assert {int(line.split()[0]) for line in lines[2:]} == set(family) - {top}
    assert "RES▼" in printed("--tree", "-t")[0], "whose PSS is unknown takes nobody to the end"


# -- who


def test_a_pattern_looks_in_names_and_command_lines() -> None:
    words = ["memtui-test-needle", "a b"]
    line = [sys.executable, "-S", "-c", READY.format(setup=""), *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = table("-P", "memtui-test-ne+dle a b$", "-c", "pid")
        assert [r["pid"] for r in found] == [str(process.pid)], "without memtui itself"
        name = re.escape(psutil.Process(process.pid).name())
        assert str(process.pid) in [r["pid"] for r in table("-P", f"^{name}$", "-c", "pid")]
        mine = psutil.Process().username()
        both = ["-P", "memtui-test-needle", "-c", "user"]
        assert [r["user"] for r in table(*both, "-U", mine[:-1])] == [mine]
        assert [r["user"] for r in table(*both, "-U", str(os.geteuid()))] == [mine]
        assert table(*both, "-U", "^no-such-user$") == []
        process.kill()


def test_only_who_has_the_mapping(family: list[int]) -> None:
    assert table("-M", "no such mapping", *only(family)) == []
    assert len(table("-M", "", *only(family))) == 3
    rows = document("-M", r"^\[stack\]$", *only(family))["processes"]
    assert {r["pid"] for r in rows} == set(family)
    for row in rows:
        assert row["mapped"]["maps"] == 1
        assert row["mapped"]["rss"] == smaps(row["pid"], r"^\[stack\]$")["Rss"]
        assert row["rss"] == psutil.Process(row["pid"]).memory_info().rss, "promised: of it whole"


# -- what cannot be read


@pytest.fixture
def hidden() -> Iterator[Program]:
    """A process that even its own user cannot look into."""
    with running("hidden", prefix=as_nobody(), mib=4) as program:
        program.wait_for("done")
        yield program


@pytest.fixture
def nobody() -> tuple[str, ...]:
    """A prefix that takes the right to trace away, where we have it."""
    return tuple(as_nobody())


@pytest.mark.parametrize(
    "args", [["-t"], ["-c", "pid,pss,command"], ["-u"], ["-m"], ["-c", "pid maps"]], ids=" ".join
)
def test_who_cannot_be_read_is_named(
    nobody: tuple[str, ...], hidden: Program, args: list[str]
) -> None:
    lines = printed(*args, *only([hidden.pid]), prefix=nobody)
    (note,) = [line for line in lines if "not known" in line]
    assert f"of 1 not known: {psutil.Process(hidden.pid).name()} ({hidden.pid})" in note
    assert "CAP_SYS_PTRACE" in note


def test_a_sum_that_lacks_somebody_says_so(nobody: tuple[str, ...], hidden: Program) -> None:
    with running("hog", prefix=as_nobody(), mib=4) as seen:
        seen.wait_for("done")
        both = [*only([hidden.pid, seen.pid]), "-c", "pid,pss,rss"]
        done = ps("-H", "-t", *both, prefix=nobody)
        *_, last = done.stdout.splitlines()
        assert re.fullmatch(r" *2 +≥\d\S* +\d\S*", last)
        assert f"({hidden.pid})" in done.stderr, "rows alone: who is unknown is said apart"
        by_pid = {r["pid"]: r["pss"] for r in table(*both, prefix=nobody)}
        assert by_pid[str(hidden.pid)] == ""
        assert int(by_pid[str(seen.pid)]) > 4 << 20
        order = [line.split()[0] for line in printed("-H", "-r", *both, prefix=nobody)]
        assert order == [str(seen.pid), str(hidden.pid)], "unknown comes last either way"


def test_whose_mappings_are_unread_is_counted(nobody: tuple[str, ...], hidden: Program) -> None:
    lines = printed("-M", "anon", *only([hidden.pid]), prefix=nobody)
    assert any("mappings of 1 not known: " in line and str(hidden.pid) in line for line in lines)
    made = document("-m", *only([hidden.pid]), prefix=nobody)
    assert (made["mappings"], made["mappings_unknown"]) == ([], 1)


# -- what is read

OPENED = """
import json, re, sys
opened = set()
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        opened.add(re.sub(r"^/proc/[0-9]+/", "PID/", args[0]))
sys.addaudithook(hook)
from memtui.cli.main import main
import io
out, sys.stdout = sys.stdout, io.StringIO()
assert main(sys.argv[1:]) == 0
heavy = sorted({"textual", "rich", "plotext", "psutil"} & set(sys.modules))
out.write(json.dumps([sorted(n for n in opened if n.startswith("PID/")), heavy]))
"""


@pytest.mark.parametrize(
    ("args", "read"),
    [
        ([], set()),
        (["-c", "pid,virt,rss,threads,age,command"], set()),
        (["-P", "python", "-U", "root", "-n", "-H", "-r", "-s", "virt"], set()),
        (["--tree", "--csv"], set()),
        (["-t"], {"smaps_rollup"}),
        (["-s", "uss"], {"smaps_rollup"}),
        (["-u"], {"smaps_rollup"}),
        (["-m"], {"smaps"}),
        (["-M", "lib"], {"smaps"}),
        (["-c", "pid maps"], {"smaps"}),
        (["-c", "pid peak", "-H"], set()),
        (["--filter", "pss>1g"], {"smaps_rollup"}),
        (["-w"], set()),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else "",
)
def test_nothing_is_read_that_no_column_needs(args: list[str], read: set[str]) -> None:
    opened, heavy = json.loads(run_python(OPENED, "ps", *args))
    names = {name.partition("/")[2] for name in opened}
    assert names & {"smaps", "smaps_rollup"} == read
    assert heavy == []
    if args == ["-w"]:
        assert names <= {"cgroup", "mountinfo"}


# -- foreign text, pipes and terminals

WIDE = "open('/proc/self/comm', 'wb').write('中文'.encode())"


def test_wide_names_keep_columns_straight() -> None:
    with sleeper(WIDE) as wide, sleeper() as plain:
        lines = printed("-H", "-c", "name pid command", *only([wide.pid, plain.pid]))
        ends = {cells(line[: re.search(r" \d+ ", line).end()]) for line in lines}  # type: ignore[union-attr]
        assert len(ends) == 1
        assert any(line.startswith("中文 ") for line in lines)


def test_a_pipe_gets_whole_command_lines_without_colour() -> None:
    words = ["x" * 5000, "中" * 500, "end"]
    line = [sys.executable, "-S", "-c", READY.format(setup=""), *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for args in ([], ["-t"], ["-c", "command pid"], ["--tree"]):
            (said,) = [x for x in printed(*args, *only([process.pid])) if "xxxx" in x]
            assert " ".join(words) in said
            assert "\x1b" not in said
        process.kill()


@pytest.mark.parametrize("args", ["-tk", "-u", "-m", "-w", "--csv", "-m --csv", "-u --json"])
def test_a_reader_that_goes_away_is_no_error(args: str) -> None:
    command = f"{' '.join(PS)} {args} | head -c 1 >/dev/null"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=120, check=False)
    # what fits the pipe was written, and then it is said who could not be read
    assert all(b" not known: " in line for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "-c nope", "-c,", "-u -c command", "-m -s user", "-u -m", "-k -p", "-k --csv", "-p --json",
        "-t --csv", "-c pid --json", "-H --json", "--csv --json", "-P (", "-U [", "-M *", "-w -P x",
        "-w -F x", "-u --tree", "-M x -c priv", "-M x -s oom", "-w -s pss", "-s", "-c",
    ],
)  # fmt: skip
def test_wrong_use_is_one_sentence(line: str) -> None:
    done = ps(*line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"memtui: [^\x00-\x1f]{8,250}\n", done.stderr)


def test_help_says_which_way_is_sorted() -> None:
    said = " ".join(ps("--help").stdout.split())
    assert "quantities are sorted biggest first, so that -r is smem's order" in said


def test_help_is_for_every_encoding_and_pipe() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*PS, "--help"], capture_output=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? where some are not known" in b" ".join(done.stdout.split())
    command = f"{' '.join(PS)} --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
