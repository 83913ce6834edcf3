"""OOM kills from logs: each completed kill once, with what the log tells and nothing else."""

# ruff: noqa: E501 - log lines
from __future__ import annotations

import json
import random

import pytest

from memtui.kernel.oomlog import LimitLine, LogKill, OomLog, TaskRow, parse_log
from tests.support.oomlogs import (
    ERAS,
    KIB,
    LOGS,
    MONO,
    SHAPES,
    SIZES,
    killed,
    lines,
    log,
    mangled,
    memcg,
    wrapped,
)

MANY_LINES = ("export", "json-pretty")
UNTORN = [name for name in ERAS if "torn" not in name and name != "2.6.32 memcg"]


def pids(data: bytes) -> list[int]:
    return [kill.pid for kill in parse_log(data)]


def facts(kill: LogKill, keys: object) -> dict[str, object]:
    assert isinstance(keys, dict)
    return {key: getattr(kill, key) for key in keys}


@pytest.mark.parametrize("era", ERAS)
def test_each_kernel_tells_of_its_victim(era: str) -> None:
    (kill,) = parse_log(wrapped("dmesg", ERAS[era].lines))
    assert facts(kill, ERAS[era].told) == ERAS[era].told
    assert (kill.monotonic, kill.log_time, kill.time) == (1234.56789, MONO.encode(), None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("era", UNTORN)
def test_every_shape_of_log_tells_the_same(era: str, shape: str) -> None:
    for ending in (b"\n", b"\r\n") if shape not in MANY_LINES else (b"\n",):
        (kill,) = parse_log(wrapped(shape, ERAS[era].lines, ending))
        assert facts(kill, ERAS[era].told) == ERAS[era].told
        assert (kill.time, kill.monotonic, kill.log_time) == SHAPES[shape][1:]


@pytest.mark.parametrize("shape", sorted(s for s in SHAPES if "json" not in s and s != "export"))
@pytest.mark.parametrize("era", sorted(set(ERAS) - set(UNTORN)))
def test_lines_that_were_torn_are_joined(era: str, shape: str) -> None:
    (kill,) = parse_log(wrapped(shape, ERAS[era].lines))
    assert facts(kill, ERAS[era].told) == ERAS[era].told


def test_dmesg_in_json() -> None:
    objects = [{"pri": 3, "time": 1234.56789, "msg": text.decode()} for text in ERAS["5.1"].lines]
    objects.insert(5, {"pri": 11, "time": 1234.56789, "msg": killed(1).decode()})  # a program's
    data = json.dumps({"dmesg": objects}, indent=3).replace("},\n      {", "},{").encode()
    (kill,) = parse_log(data)
    assert facts(kill, ERAS["5.1"].told) == ERAS["5.1"].told
    assert (kill.monotonic, kill.log_time) == (1234.56789, b"1234.56789")


def test_a_real_record_in_full() -> None:
    (kill,) = parse_log(log("kmsg_6.18_v1.txt"))
    path = b"/memtui-test-10716"
    row = TaskRow(10757, 10757, 0, 19147 * 4096, 17627 * 4096, 188416, 0, 0, b"python3")
    limits = (
        LimitLine("memory", 65536 * KIB, 65536 * KIB, 0),
        LimitLine("memory+swap", 65536 * KIB, 65536 * KIB, 0),
        LimitLine("kmem", 208 * KIB, None, 0),
    )
    assert kill[:10] == (
        *(1, 10757, b"python3", None, 2288.420196, b"2288420196", 0),
        *("memcg", "CONSTRAINT_MEMCG", path),
    )
    assert kill[10:19] == (
        *(path, b"python3", 76588 * KIB, 65152 * KIB, 5356 * KIB, 0, 184 * KIB, 0, False),
    )
    assert (kill.table, kill.limits, kill.rss) == ((row,), limits, (65152 + 5356) * KIB)
    assert kill.record == tuple(log("kmsg_6.18_v1.txt").splitlines())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kmsg_6.18_parent.txt", [(11148, b"/memtui-test-11040", b"/memtui-test-11040/child")]),
        (
            "kmsg_6.18_adj.txt",
            [(pid, b"/memtui-test-11040", b"/memtui-test-11040") for pid in (11085, 11086)],
        ),
        ("kmsg_6.12_blank.txt", [(784, b"/a b", b"/a b")]),
        ("kmsg_6.1_global.txt", [(713, None, b"/glob")]),
        ("kmsg_7.2_group.txt", [(782, b"/grp", b"/grp"), (780, b"/grp", b"/grp")]),
        ("kmsg_6.1_group.txt", [(722, b"/grp", b"/grp"), (720, b"/grp", b"/grp")]),
        ("kmsg_7.2_unkillable.txt", []),
    ],
)
def test_real_records(name: str, expected: list[tuple[int, bytes | None, bytes]]) -> None:
    kills = parse_log(log(name))
    assert [(k.pid, k.oom_memcg, k.task_memcg) for k in kills] == expected
    assert {k.group_kill for k in kills} <= {"group" in name}
    assert all(k.scope == ("global" if "global" in name else "memcg") for k in kills)
    assert all(k.pid in {row.pid for row in k.table} for k in kills)


def test_a_group_dies_each_once_though_the_first_is_logged_twice() -> None:
    first, second = parse_log(log("kmsg_7.2_group.txt"))
    assert (first.invoked_by, second.invoked_by) == (b"python3", b"python3")
    assert b"Tasks in /grp are going to be killed" in first.record[-1]
    assert second.anon_rss == 7484 * KIB


def test_a_group_without_a_dump_and_one_after_it() -> None:
    group = b"Tasks in %b are going to be killed due to memory.oom.group set"
    data = lines(
        *(killed(1), group % b"/a", killed(2), b"oom_reaper: reaped process 1 (x), now", killed(1)),
        *(killed(5), group % b"/b", killed(5), killed(6)),
        killed(9, scope=b"Out"),
    )
    told = [(k.pid, k.group_kill, k.scope) for k in parse_log(data)]
    assert told[:4] == [(p, True, "memcg") for p in (1, 2, 5, 6)]
    assert told[4][0] == 9


def test_a_group_of_many_is_told_each_once_in_time_that_its_size_allows() -> None:
    members = range(10, 4010)
    header = b"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    rows = [
        b"[%7d]  1000 %5d    19147    17627   188416        0             0 x" % (p, p)
        for p in members
    ]
    before = memcg(10)
    group = b"Tasks in /a are going to be killed due to memory.oom.group set"
    every = [
        *before[:2],
        header,
        *rows,
        *before[2:],
        group,
        *(killed(p) for p in reversed(members)),
    ]
    kills = parse_log(lines(*every, step=0.00001))
    assert sorted(k.pid for k in kills) == list(members)
    assert all(k.group_kill and k.task_memcg == b"/a" for k in kills)


def test_a_group_whose_first_line_was_lost() -> None:
    data = lines(b"Tasks in /a b are going to be killed due to memory.oom.group set", killed(2))
    (kill,) = parse_log(data)
    assert (kill.pid, kill.group_kill, kill.task_memcg) == (2, True, None)


def test_a_later_kill_outside_the_group_is_alone() -> None:
    data = log("kmsg_7.2_group.txt") + b"3,900,3990000,-;" + killed(4000) + b"\n"
    kills = parse_log(data)
    assert [(k.pid, k.group_kill) for k in kills] == [(782, True), (780, True), (4000, False)]
    assert (kills[2].oom_memcg, kills[2].table, kills[2].invoked_by) == (None, (), None)


NOT_KILLS = [
    b"Out of memory: Kill process 27541 (bash) score 572 or sacrifice child",
    b"Memory cgroup out of memory: Kill process 5 (x) score 0 or sacrifice child",
    b"Kill process 12 (x) sharing same memory",
    b"oom_reaper: reaped process 27541 (bash), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    b"Memory cgroup out of memory: OOM victim 9 (x) is already exiting. Skip killing the task",
    b"Out of memory and no killable processes...",
    b"Tasks in /a are going to be killed due to memory.oom.group set",
    b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=x,pid=3,uid=0",
    b"Killed process in the garden",
    b"Killed process 12",
    b"Killed process 12 (half a na",
    b"app: Killed process 12 (x) " + SIZES,
    b"Would have Killed process 12 (x) " + SIZES,
    b'audit: type=1701 comm="Killed process 1 (x)" ' + SIZES,
    b"[  123]     0   123     1     1     1        0             0 Killed process ",
    b"Killed process 1 invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0",
    b"  " + killed(12),
    b"Killed process 4 (foo) by user root (me)",
    b"lowmemorykiller: Killing 'app' (12), adj 900",
]


@pytest.mark.parametrize("text", NOT_KILLS)
def test_what_is_no_completed_kill(text: bytes) -> None:
    for shape in ("raw", "dmesg", "kmsg", "short", "json", "rfc3339"):
        if not (text.startswith(b" ") and shape == "raw"):
            assert pids(wrapped(shape, [text])) == []


@pytest.mark.parametrize(
    "line",
    [
        b"May  1 10:00:00 host app[1]: " + killed(1),
        b"May  1 10:00:00 host kernel[1]: " + killed(1),
        b"2024-05-01T10:00:00Z host nohang: " + killed(1),
        b"May  1 10:00:00 host evil <3>[    1.000000] " + killed(1),
        b"May  1 10:00:00 host evil: <3>[    1.000000] " + killed(1),
        b"May  1 10:00:00 host evil: kernel: " + killed(1),
        b"[    1.000000] evil <3>[    1.000000] " + killed(1),
        b"[    1.000000] [    1.000000] " + killed(1),
        b"May  1 10:00:00 host kernel: [    1.000000] [    1.000000] " + killed(1),
        b"12,1,2,-;" + killed(1),
        b"user  :err   : [    1.000000] " + killed(1),
        json.dumps({"_TRANSPORT": "stdout", "MESSAGE": killed(1).decode()}).encode(),
        json.dumps(
            {"_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "kernel", "MESSAGE": killed(1).decode()}
        ).encode(),
    ],
)
def test_other_programs_words_are_no_kill(line: bytes) -> None:
    assert pids(line + b"\n") == []


COMMS = [
    b")",
    b"a) b",
    b"((",
    b"",
    b" ",
    b"a,task=b",
    b"x,pid=1,uid=0",
    b"a) total-vm:1kB",
    b") total-vm:9kB,",
    b"Killed process ",
    b"(sd-pam)",
    b"\xff\xfe\x80",
    b"caf\xc3\xa9",
    b"\\x41",
    b"a\tb",
    b"\x1b]0;x",
]


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", ["kmsg", "json", "export", "json-pretty"])
def test_a_name_may_hold_anything(shape: str, comm: bytes) -> None:
    for name in (comm, comm[:13] + b"\n"):
        (kill,) = parse_log(wrapped(shape, memcg(42, name)))
        assert (kill.pid, kill.comm, kill.oom_memcg, kill.task_memcg) == (42, name, b"/a", b"/a")
        assert (kill.invoked_by, kill.anon_rss) == (name, 65152 * KIB)


@pytest.mark.parametrize("comm", [c for c in COMMS if c != b"\x1b]0;x"])
@pytest.mark.parametrize("shape", ["raw", "dmesg", "short", "rfc3339", "dmesg -T"])
def test_a_name_in_plain_text(shape: str, comm: bytes) -> None:
    (kill,) = parse_log(wrapped(shape, memcg(42, comm)))
    assert (kill.pid, kill.comm) == (42, comm)


@pytest.mark.parametrize("comm", [b"a\nb", b"\n", b"\n\n\n", b"x\nKilled process", b"\xff\n) b"])
def test_a_newline_in_a_name_tears_the_line(comm: bytes) -> None:
    prefix = SHAPES["dmesg"].wrap(b"")
    text = killed(42, comm)
    torn = b"\n".join(prefix + part for part in text.split(b"\n"))
    later = b"\n" + prefix + killed(43, b"y") + b"\n"
    assert [(k.pid, k.comm) for k in parse_log(torn + later)] == [(42, comm), (43, b"y")]


def test_a_name_written_with_escapes_by_dmesg_or_rsyslog() -> None:
    for raw in (mangled(b"\x1b[31mred\x1b[0m\xff\x01\x02"), b"#033[31mred#033[0m\xff#001#002"):
        (kill,) = parse_log(lines(killed(42, raw)))
        assert kill.comm == b"\x1b[31mred\x1b[0m\xff\x01\x02"
    (kill,) = parse_log(lines(killed(42, b"\\x41#033")))  # short enough to be the name itself
    assert kill.comm == b"\\x41#033"


@pytest.mark.parametrize(
    ("oom", "task"),
    [
        (b"/a b", b"/a b/c d"),
        (b"/a,task_memcg=/b", b"/a,task_memcg=/b/c"),
        (b"/a", b"/a/x,task=y"),
        (b"/a,oom_memcg=", b"/a,oom_memcg=/b"),
        (b"/\xff", b"/\xff/(x)"),
        (b"/", b"/x"),
    ],
)
def test_hostile_cgroup_names(oom: bytes, task: bytes) -> None:
    (kill,) = parse_log(wrapped("kmsg", memcg(42, b"a,task=b", task, oom)))
    assert (kill.oom_memcg, kill.task_memcg, kill.comm) == (oom, task, b"a,task=b")


def test_a_hostile_cpuset_name_forges_no_limit() -> None:
    evil = b",cpuset=x,global_oom,task_memcg=,mems_allowed=0,"
    text = [line.replace(b",cpuset=/,mems_allowed=0,", evil) for line in memcg(42)]
    (kill,) = parse_log(lines(*text))
    assert (kill.oom_memcg, kill.task_memcg) == (b"/a", b"/a")


def test_dumps_that_mix_are_told_apart_by_the_pids() -> None:
    a, b = memcg(1, b"a", b"/a", b"/a"), memcg(2, b"b", b"/b", b"/b")
    for order in (a[:1] + b[:3] + a[1:3] + [b[3], a[3]], a[:3] + b[:3] + [a[3], b[3]]):
        told = {k.pid: (k.comm, k.oom_memcg) for k in parse_log(lines(*order))}
        assert told == {1: (b"a", b"/a"), 2: (b"b", b"/b")}


def test_dumps_that_mix_are_told_apart_by_the_caller() -> None:
    a, b = ERAS["3.10 memcg"].lines, ERAS["rhel7 thread"].lines
    rng = random.Random(4)
    for _ in range(20):
        left, right, mixed = list(a), list(b), b""
        while left or right:
            mine = bool(left) and (not right or rng.random() < 0.5)
            who, text = (11, left.pop(0)) if mine else (22, right.pop(0))
            mixed += b"[ 1.000000][ T%d] %b\n" % (who, text)
        told = {k.pid: k.oom_memcg for k in parse_log(mixed)}
        assert told == {2738: b"/lxc", 28438: b"/kubepods/pod1/c"}


def test_rate_limited_dumps_give_no_context_of_others() -> None:
    data = lines(*memcg(1), b"oom_kill_process: 16 callbacks suppressed", *map(killed, (2, 3, 4)))
    kills = parse_log(data)
    assert [k.pid for k in kills] == [1, 2, 3, 4]
    assert [k.oom_memcg for k in kills] == [b"/a", None, None, None]
    assert all(k.anon_rss == 65152 * KIB and k.uid == 1000 for k in kills)


def test_lost_lines_give_no_wrong_context() -> None:
    for lost in (killed(1, b"a"),), tuple(memcg(1, b"a")[3:]):
        text = [t for t in memcg(1, b"a", b"/a", b"/a") if t not in lost]
        (kill,) = parse_log(lines(*text, killed(2, b"b")))
        assert (kill.pid, kill.comm, kill.oom_memcg, kill.invoked_by) == (2, b"b", None, None)


def test_the_same_line_twice_is_one_kill() -> None:
    text = lines(*memcg(1))
    assert pids(b"".join(line + b"\n" + line + b"\n" for line in text.splitlines())) == [1]
    assert pids(text + lines(*memcg(1), start=99.0)) == [1, 1]  # the number was given out again
    assert pids(lines(killed(7), killed(7))) == [7]


def test_lines_that_somebody_grepped_are_kills_of_their_own() -> None:
    stamps = (b"May  1 10:00:00", b"May  1 10:00:02", b"May  2 10:00:00", b"Jun  2 10:00:00")
    data = b"".join(stamp + b" host kernel: " + killed(7) + b"\n" for stamp in stamps)
    assert pids(data) == [7] * 4
    assert pids(data.replace(b"00:02", b"00:01")) == [7] * 3


def test_three_in_one_second() -> None:
    data = lines(*memcg(1), *memcg(2), *memcg(3))
    assert pids(data) == [1, 2, 3]
    assert [k.id for k in parse_log(data)] == [1, 2, 3]


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_a_log_may_come_in_any_pieces(size: int) -> None:
    for name in sorted(LOGS.glob("*.txt")):
        data = name.read_bytes()
        reader = OomLog()
        told = [k for i in range(0, len(data), size) for k in reader.feed_data(data[i : i + size])]
        assert told + reader.finish() == parse_log(data)


def test_line_by_line_and_whole_are_the_same() -> None:
    data = b"".join(p.read_bytes() for p in sorted(LOGS.glob("*.txt")))
    reader = OomLog()
    told = [kill for line in data.splitlines(True) for kill in reader.feed(line)]
    assert told + reader.finish() == parse_log(data)


def test_without_records_the_facts_are_the_same() -> None:
    for path in LOGS.glob("*.txt"):
        reader = OomLog(records=False)
        lean = reader.feed_data(path.read_bytes()) + reader.finish()
        bare = [k._replace(table=(), limits=(), record=()) for k in parse_log(path.read_bytes())]
        assert [k._replace(limits=()) for k in lean] == bare


def test_a_kill_waits_for_the_next_line_or_is_told_again() -> None:
    data = log("kmsg_7.2_group.txt").splitlines()
    reader, told = OomLog(), []
    for line in data:
        told += reader.feed(line) + reader.flush()
    assert [(k.id, k.pid, k.group_kill) for k in told] == [
        (1, 782, False),
        (1, 782, True),
        (2, 780, True),
    ]


def test_pages_of_another_size_are_seen_from_the_victim() -> None:
    header = b"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    row = b"[%7d]  1000 %5d %8d     1000   188416        2             0 x"
    text = [*memcg(42)[:2], header, row % (42, 42, 76588 // 64), row % (9, 9, 10), *memcg(42)[2:]]
    (kill,) = parse_log(lines(*text))
    assert [r.rss for r in kill.table] == [1000 << 16, 1000 << 16]
    assert kill.table[1].total_vm == 10 << 16
    assert kill.table[1].swap == 2 << 16


def test_page_tables_that_were_written_as_bytes() -> None:
    header = b"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    row = b"[     42]  1000    42    19147    17627   188416        0             0 x"
    wrong = killed(42).replace(b"pgtables:184kB", b"pgtables:188416kB")
    (kill,) = parse_log(lines(*memcg(42)[:2], header, row, memcg(42)[2], wrong))
    assert kill.pgtables == 188416
    (kill,) = parse_log(lines(wrong))
    assert kill.pgtables == 188416


def test_user_space_killers_are_another_kind() -> None:
    data = b"""\
May  1 10:00:01 host systemd-oomd[93]: Killed /user.slice/a b/x.scope due to memory pressure for /user.slice being 62.33% > 50.00% for > 20s with reclaim activity
May  1 10:00:02 host systemd-oomd[93]: Marked /system.slice/x.service for killing due to memory used (1) / total (2) and swap used (3) / total (4) being more than 90.00%
May  1 10:00:03 host systemd[1]: x.service: systemd-oomd killed 2 process(es) in this unit.
May  1 10:00:04 host earlyoom[12]: sending SIGTERM to process 29410 uid 1000 "cluster": badness 1264, VmRSS 23964 MiB
May  1 10:00:05 host earlyoom[12]: sending SIGTERM when mem <= 10.00% and swap <= 10.00%,
sending SIGKILL to process 12006 "python3": badness 209, VmRSS 2891 MiB
killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB
May  1 10:00:06 host earlyoom[15368]: Killing process 'tail' with signal 9, pid: 24059, badness: 997
May  1 10:00:07 host nohang[5]:   PID: 477, Name: Xorg, badness: 12
May  1 10:00:07 host nohang[5]:   Send SIGTERM to the victim; total response time: 13246 ms
slurmstepd: error: Detected 1 oom-kill event(s) in StepId=191.batch cgroup. Some of your processes
May  1 10:00:08 host slurmstepd[7]: error: Detected 2 oom_kill events in StepId=1.0. Some
slurmstepd: error: Step 3.0 exceeded memory limit (2048 > 1024), being killed
May  1 10:00:09 host evil[1]: sending SIGTERM to process 1 uid 0 "init": badness 1
May  1 10:00:09 host evil[1]: Killed /a due to memory pressure
"""
    reader = OomLog()
    assert reader.feed_data(data) + reader.finish() == []
    told = [(o.who, o.pid, o.comm, o.cgroup, o.signal, o.by_kernel) for o in reader.others]
    assert told == [
        ("systemd-oomd", None, None, b"/user.slice/a b/x.scope", "SIGKILL", False),
        ("systemd-oomd", None, None, b"/system.slice/x.service", "SIGKILL", False),
        ("systemd-oomd", None, None, b"x.service", "SIGKILL", False),
        ("earlyoom", 29410, b"cluster", None, "SIGTERM", False),
        ("earlyoom", 12006, b"python3", None, "SIGKILL", False),
        ("earlyoom", 27541, b"bash", None, "SIGTERM", False),
        ("earlyoom", 24059, b"tail", None, "SIGKILL", False),
        ("nohang", 477, b"Xorg", None, "SIGTERM", False),
        ("slurm", None, None, None, None, True),
        ("slurm", None, None, None, None, True),
        ("slurm", None, None, None, None, False),
    ]
