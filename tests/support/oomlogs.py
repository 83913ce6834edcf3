"""Kernel messages of OOM kills by kernel version, and the shapes in which logs hold them.

Made by hand: the words, units and order are those of each version's mm/oom_kill.c and
mm/memcontrol.c (2.6.31 to 5.4, RHEL 6 and 7); the processes and sizes are invented. Records of
real kernels (6.1 to 7.2) are files in tests/logs.
"""

# ruff: noqa: E501 - log lines
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LOGS = Path(__file__).parent.parent / "logs"
KIB = 1024


def log(name: str) -> bytes:
    """A real record."""
    return (LOGS / name).read_bytes()


class Era(NamedTuple):
    """What a kernel writes about one OOM, and what that tells of the victim."""

    lines: list[bytes]
    told: dict[str, object]


def _lines(text: str) -> list[bytes]:
    return [line.encode() for line in text.strip("\n").split("\n")]


_V1 = """
stress invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0
stress cpuset=/ mems_allowed=0
Call Trace:
 [<ffffffff81604406>] dump_stack+0x19/0x1b
Task in /lxc/u2 killed as a result of limit of /lxc
memory: usage 65536kB, limit 65536kB, failcnt 42
memory+swap: usage 65536kB, limit 9007199254740988kB, failcnt 0
kmem: usage 0kB, limit 9007199254740988kB, failcnt 0
Memory cgroup stats for /lxc: cache:0KB rss:24KB rss_huge:0KB
Memory cgroup stats for /lxc/u2: cache:24KB rss:65488KB rss_huge:0KB
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[ 2711]  1000  2711     5000     1200      12        3             0 bash
[ 2738]  1000  2738    18331    16200      40        0           300 a (b) c
Memory cgroup out of memory: Kill process 2738 (a (b) c) score 972 or sacrifice child
Killed process 2738 (a (b) c) total-vm:73324kB, anon-rss:64000kB, file-rss:800kB
"""
_V1_TOLD: dict[str, object] = {
    "pid": 2738,
    "comm": b"a (b) c",
    "uid": 1000,
    "scope": "memcg",
    "constraint": None,
    "oom_memcg": b"/lxc",
    "task_memcg": b"/lxc/u2",
    "invoked_by": b"stress",
    "total_vm": 73324 * KIB,
    "anon_rss": 64000 * KIB,
    "file_rss": 800 * KIB,
    "shmem_rss": None,
    "pgtables": 40 * 4096,
    "oom_score_adj": 300,
    "group_kill": False,
}

ERAS = {
    "2.6.31": Era(
        _lines("""
hald invoked oom-killer: gfp_mask=0x201da, order=0, oomkilladj=0
Pid: 2048, comm: hald Not tainted 2.6.31 #1
Mem-Info:
Out of memory: kill process 3001 (apache2) score 123456 or a child
Killed process 3010 (php-cgi)
"""),
        {"pid": 3010, "comm": b"php-cgi", "scope": "global", "total_vm": None, "uid": None},
    ),
    "2.6.34": Era(
        _lines("""
mysqld invoked oom-killer: gfp_mask=0x280da, order=0, oom_adj=0
Mem-Info:
[ pid ]   uid  tgid total_vm      rss cpu oom_adj name
[ 1203]    27  1203    50000    40000   1       0 mysqld
Out of memory: kill process 1203 (mysqld) score 12345 or a child
Killed process 1203 (mysqld) vsz:200000kB, anon-rss:160000kB, file-rss:4kB
"""),
        {
            "pid": 1203,
            "comm": b"mysqld",
            "uid": 27,
            "scope": "global",
            "invoked_by": b"mysqld",
            "total_vm": 200000 * KIB,
            "anon_rss": 160000 * KIB,
            "file_rss": 4 * KIB,
            "oom_score_adj": None,
        },
    ),
    "rhel6": Era(
        _lines("""
sshd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=-17, oom_score_adj=-1000
sshd cpuset=/ mems_allowed=0
Mem-Info:
Out of memory: Kill process 11726 (mysqld) score 901 or sacrifice child
Killed process 11726, UID 498, (mysqld) total-vm:7823732kB, anon-rss:2539268kB, file-rss:768kB
"""),
        {
            "pid": 11726,
            "comm": b"mysqld",
            "uid": 498,
            "scope": "global",
            "invoked_by": b"sshd",
            "total_vm": 7823732 * KIB,
        },
    ),
    "3.10 memcg": Era(_lines(_V1), _V1_TOLD),
    "3.10 torn": Era(
        _lines(
            _V1.replace(
                "Task in /lxc/u2 killed as a result of limit of /lxc",
                "Task in \n/lxc/u2\n killed as a result of limit of \n/lxc",
            )
        ),
        _V1_TOLD,
    ),
    "2.6.32 memcg": Era(
        _lines(
            _V1.replace("Task in /lxc/u2 killed as", "Task in /lxc/u2 killed\n as").replace(
                "Killed process 2738 (a (b) c)", "Killed process 2738, UID 1000, (a (b) c)"
            )
        ),
        _V1_TOLD,
    ),
    "rhel7 thread": Era(
        _lines("""
java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-998
Task in /kubepods/pod1/c killed as a result of limit of /kubepods/pod1/c
memory: usage 1048576kB, limit 1048576kB, failcnt 189
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[28438]     0 28438  5063909   119961    1661   136409          -998 java
Memory cgroup out of memory: Kill process 24572 (java) score 0 or sacrifice child
Killed process 28438 (java), UID 0, total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB, shmem-rss:0kB
"""),
        {
            "pid": 28438,
            "comm": b"java",
            "uid": 0,
            "oom_memcg": b"/kubepods/pod1/c",
            "oom_score_adj": -998,
            "shmem_rss": 0,
            "pgtables": 1661 * 4096,
        },
    ),
    "4.4 child": Era(
        _lines("""
nginx invoked oom-killer: gfp_mask=0x24201ca, order=0, oom_score_adj=0
Mem-Info:
[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name
[  300]    33   300    90000    80000     200       5        0             0 parent
[  301]    33   301    30000    20000      90       4       10             0 child
Out of memory: Kill process 300 (parent) score 800 or sacrifice child
Killed process 301 (child) total-vm:120000kB, anon-rss:79000kB, file-rss:1000kB
"""),
        {
            "pid": 301,
            "comm": b"child",
            "uid": 33,
            "scope": "global",
            "invoked_by": b"nginx",
            "pgtables": 94 * 4096,
            "oom_score_adj": 0,
        },
    ),
    "4.19 allocating task": Era(
        _lines("""
hog invoked oom-killer: gfp_mask=0x6280ca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), nodemask=(null), order=0, oom_score_adj=0
Mem-Info:
Out of memory (oom_kill_allocating_task): Kill process 99 (hog) score 0 or sacrifice child
Killed process 99 (hog) total-vm:1000kB, anon-rss:500kB, file-rss:0kB, shmem-rss:4kB
"""),
        {"pid": 99, "comm": b"hog", "scope": "global", "shmem_rss": 4 * KIB},
    ),
    "5.1": Era(
        _lines("""
python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
memory: usage 20480kB, limit 20480kB, failcnt 7
memory+swap: usage 20480kB, limit 40960kB, failcnt 0
Memory cgroup stats for /docker/ab12:
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=ab12,mems_allowed=0-1,oom_memcg=/docker/ab12,task_memcg=/docker/ab12,task=a,b,pid=15617,uid=7
Memory cgroup out of memory: Killed process 15617 (a,b) total-vm:11892kB, anon-rss:4292kB, file-rss:3428kB, shmem-rss:0kB
"""),
        {
            "pid": 15617,
            "comm": b"a,b",
            "uid": 7,
            "scope": "memcg",
            "constraint": "CONSTRAINT_MEMCG",
            "oom_memcg": b"/docker/ab12",
            "task_memcg": b"/docker/ab12",
            "pgtables": None,
            "oom_score_adj": None,
        },
    ),
    "5.4 torn": Era(
        _lines("""
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)
,cpuset=/,mems_allowed=0
,global_oom,task_memcg=
/user.slice/x
,task=ld,pid=77,uid=1000
Out of memory (oom_kill_allocating_task): Killed process 77 (ld) total-vm:4000kB, anon-rss:3000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:44kB oom_score_adj:-5
oom_reaper: reaped process 77 (ld), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
"""),
        {
            "pid": 77,
            "comm": b"ld",
            "uid": 1000,
            "scope": "global",
            "constraint": "CONSTRAINT_NONE",
            "oom_memcg": None,
            "task_memcg": b"/user.slice/x",
            "pgtables": 44 * KIB,
            "oom_score_adj": -5,
        },
    ),
}

SECOND = 1_714_557_600  # 2024-05-01 10:00:00 UTC
MONO = "1234.567890"


class Shape(NamedTuple):
    """How a log writes one kernel message."""

    wrap: Callable[[bytes], bytes]
    time: float | None  # what it tells, where this machine is in UTC
    monotonic: float | None
    log_time: bytes | None


def _prefix(prefix: str, time: float | None, mono: float | None, stamp: str | None) -> Shape:
    told = stamp.encode() if stamp else None
    return Shape(lambda text: prefix.encode() + text, time, mono, told)


def _suffix(shape: Shape, end: bytes) -> Shape:
    return shape._replace(wrap=lambda text: shape.wrap(text) + end)


def _journal(text: bytes, **more: object) -> bytes:
    try:
        message: object = text.decode()
        if any(ord(c) < 32 for c in text.decode()):
            message = list(text)
    except UnicodeDecodeError:
        message = list(text)
    fields = {
        "__REALTIME_TIMESTAMP": str(SECOND * 1_000_000 + 250_000),
        "__MONOTONIC_TIMESTAMP": "1234600000",
        "_SOURCE_MONOTONIC_TIMESTAMP": "1234567890",
        "_TRANSPORT": "kernel",
        "SYSLOG_FACILITY": "0",
        "SYSLOG_IDENTIFIER": "kernel",
        "PRIORITY": "3",
        "MESSAGE": message,
        **more,
    }
    return json.dumps(fields).encode()


def _export(text: bytes) -> bytes:
    body = b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n"
    head = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=%d\n" % (SECOND * 1_000_000 + 250_000)
    tail = b"_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\nSYSLOG_FACILITY=0\n"
    return head + body + b"_SOURCE_MONOTONIC_TIMESTAMP=1234567890\n" + tail


def mangled(text: bytes) -> bytes:
    r"""As /dev/kmsg writes it: what is not printable ASCII, and the backslash, as \xNN."""
    return b"".join(
        b"\\x%02x" % byte if byte < 32 or byte > 126 or byte == 0x5C else bytes((byte,))
        for byte in text
    )


_M = float(MONO)
_T = float(SECOND)
_KMSG = Shape(lambda text: b"3,672,1234567890,-;" + mangled(text), None, _M, b"1234567890")
_DMESG = _prefix(f"[ {MONO}] ", None, _M, MONO)
_SYSLOG = _prefix("May  1 10:00:00 host kernel: ", None, None, "May  1 10:00:00")
_RFC3339 = "2024-05-01T12:00:00.250000+02:00"

SHAPES = {
    "raw": _prefix("", None, None, None),
    "dmesg": _DMESG,
    "dmesg -T": _prefix("[Wed May  1 10:00:00 2024] ", _T, None, "Wed May  1 10:00:00 2024"),
    "dmesg -x": _prefix(f"kern  :err   : [ {MONO}] ", None, _M, MONO),
    "dmesg -xT": _prefix(
        "kern  :err   : [Wed May  1 10:00:00 2024] ", _T, None, "Wed May  1 10:00:00 2024"
    ),
    "dmesg -r": _prefix(f"<3>[ {MONO}] ", None, _M, MONO),
    "dmesg -d": _prefix(f"[ {MONO} <    0.000015>] ", None, _M, MONO),
    "dmesg -e": _prefix("[May 1 10:00] ", None, None, "May 1 10:00"),
    "dmesg iso": _prefix(
        "2024-05-01T10:00:00,250000+00:00 ", _T + 0.25, None, "2024-05-01T10:00:00,250000+00:00"
    ),
    "dmesg caller": _prefix(f"[ {MONO}][ T1234] ", None, _M, MONO),
    "dmesg caller blank": _prefix(f"[ {MONO}] [   C0] ", None, _M, MONO),
    "dmesg -T caller": _prefix(
        "[Wed May  1 10:00:00 2024] [ T12] ", _T, None, "Wed May  1 10:00:00 2024"
    ),
    "dmesg color": Shape(
        lambda text: f"\x1b[32m[ {MONO}] \x1b[0m\x1b[31m".encode() + text + b"\x1b[0m",
        None,
        _M,
        MONO.encode(),
    ),
    "indented": _prefix(f"    [ {MONO}] ", None, _M, MONO),
    "kmsg": _KMSG,
    "kmsg caller": _KMSG._replace(
        wrap=lambda text: b"3,672,1234567890,-,caller=T99;" + mangled(text) + b"\n SUBSYSTEM=x"
    ),
    "short": _SYSLOG,
    "short, tongue": _prefix("мая 01 10:00:00 host kernel: ", None, None, "мая 01 10:00:00"),
    "short-precise": _prefix(
        "May 01 10:00:00.250000 host kernel: ", None, None, "May 01 10:00:00.250000"
    ),
    "short-iso": _prefix(
        "2024-05-01T12:00:00+0200 host kernel: ", _T, None, "2024-05-01T12:00:00+0200"
    ),
    "short-monotonic": _prefix(f"[ {MONO}] host kernel: ", None, _M, MONO),
    "short-full": _prefix(
        "Wed 2024-05-01 10:00:00 UTC host kernel: ", _T, None, "Wed 2024-05-01 10:00:00 UTC"
    ),
    "short-unix": _prefix("1714557600.250000 host kernel: ", _T + 0.25, None, "1714557600.250000"),
    "no host": _prefix("May 01 10:00:00 kernel: ", None, None, "May 01 10:00:00"),
    "json": Shape(_journal, _T + 0.25, _M, b"1714557600250000"),
    "json-seq": Shape(lambda text: b"\x1e" + _journal(text), _T + 0.25, _M, b"1714557600250000"),
    "json-sse": Shape(lambda text: b"data: " + _journal(text), _T + 0.25, _M, b"1714557600250000"),
    "export": Shape(_export, _T + 0.25, _M, b"1714557600250000"),
    "json-pretty": Shape(
        lambda text: json.dumps(json.loads(_journal(text)), indent="\t").encode(),
        _T + 0.25,
        _M,
        b"1714557600250000",
    ),
    "syslog with times": _prefix(
        f"May  1 10:00:00 host kernel: [ {MONO}] ", None, _M, "May  1 10:00:00"
    ),
    "rfc3164 pri": _prefix("<3>May  1 10:00:00 host kernel: ", None, None, "May  1 10:00:00"),
    "rfc3339": _prefix(f"{_RFC3339} host kernel: [ {MONO}] ", _T + 0.25, _M, _RFC3339),
    "rfc5424": _prefix(f"<3>1 {_RFC3339} host kernel - - - ", _T + 0.25, None, _RFC3339),
    "rfc5424 data": _prefix(
        f'<3>1 {_RFC3339} host kernel - - [x@1 a="]"][y@1] \ufeff[ {MONO}] ',
        _T + 0.25,
        _M,
        _RFC3339,
    ),
    "rfc5424 bare": _prefix(f"1 {_RFC3339} host kernel - - - ", _T + 0.25, None, _RFC3339),
    "broadcast": _prefix(f"May  1 10:00:00 host kernel:[ {MONO}] ", None, _M, "May  1 10:00:00"),
    "byte order mark": Shape(lambda text: b"\xef\xbb\xbf" + text, None, None, None),
    "busybox": _prefix(
        f"May  1 10:00:00 host kern.err kernel: [ {MONO}] ", None, _M, "May  1 10:00:00"
    ),
    "openwrt": _prefix(
        f"Wed May  1 10:00:00 2024 kern.err kernel: [ {MONO}] ",
        _T,
        _M,
        "Wed May  1 10:00:00 2024",
    ),
    "serial": _suffix(_DMESG, b"\r"),
    "serial login": _prefix(f"host login: [ {MONO}] ", None, _M, MONO),
    "serial escapes": Shape(
        lambda text: f"\r\x1b[0;1;39m\x1b[K[ {MONO}] ".encode() + text + b"\r",
        None,
        _M,
        MONO.encode(),
    ),
    "cloud console": _prefix(
        f"2024-05-01T10:00:00.250Z [ {MONO}] ", _T + 0.25, _M, "2024-05-01T10:00:00.250Z"
    ),
    "cloud brackets": _prefix(
        f"[2024-05-01 10:00:00.250Z] <3>[ {MONO}] ", _T + 0.25, _M, "2024-05-01 10:00:00.250Z"
    ),
    "hypervisor": _prefix(
        f"2024-05-01T10:00:00.250Z In(05) vcpu-5 - Guest: <3>[ {MONO}] ",
        _T + 0.25,
        _M,
        "2024-05-01T10:00:00.250Z",
    ),
}


def wrapped(shape: str, lines: list[bytes], ending: bytes = b"\n") -> bytes:
    """A log of that shape."""
    if shape == "byte order mark":
        return SHAPES[shape].wrap(ending.join([*lines, b""]))
    return b"".join(SHAPES[shape].wrap(line) + ending for line in lines)


SIZES = b"total-vm:76588kB, anon-rss:65152kB, file-rss:5356kB, shmem-rss:0kB"
TAIL = b"%b, UID:1000 pgtables:184kB oom_score_adj:-17" % SIZES


def memcg(pid: int, comm: bytes = b"x", path: bytes = b"/a", oom: bytes = b"/a") -> list[bytes]:
    """What Linux 6 writes about one kill, without the table."""
    return [
        comm + b" invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        b"memory: usage 65536kB, limit 65536kB, failcnt 0",
        b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        b"oom_memcg=%b,task_memcg=%b,task=%b,pid=%d,uid=1000" % (oom, path, comm, pid),
        killed(pid, comm),
    ]


def killed(pid: int, comm: bytes = b"x", scope: bytes = b"Memory cgroup out") -> bytes:
    return b"%b of memory: Killed process %d (%b) %b" % (scope, pid, comm, TAIL)


def lines(*texts: bytes, start: float = 10.0, step: float = 0.001) -> bytes:
    """As dmesg shows them, each a millisecond later."""
    stamped = (b"[%12.6f] %b\n" % (start + i * step, text) for i, text in enumerate(texts))
    return b"".join(stamped)
