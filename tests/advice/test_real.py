"""Advice provoked by real processes, files and groups: what `memtui explain` says of them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.advice.catalogue import all_advice
from memtui.model.advice.state import Explained
from memtui.model.advice.terms import Advice
from memtui.services.explain import look
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI
from tests.support.programs import disk_file, running

pytestmark = pytest.mark.one_world
SHM = Path("/dev/shm")
needs_shm = pytest.mark.skipif(not SHM.is_dir(), reason="needs /dev/shm")
WAIT = "import signal, sys; signal.alarm(100); print('ready', flush=True); signal.pause()"


@contextmanager
def python(group: Group, code: str, *argv: str, **env: str) -> Iterator[int]:
    """Python code that runs in the group and says `ready`; its PID."""
    given = {**os.environ, **env}
    line = [sys.executable, "-S", "-c", code, *argv]
    with group.start(line, stdout=subprocess.PIPE, env=given) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


@contextmanager
def shm_file(group: Group, mib: int) -> Iterator[tuple[Path, int]]:
    """A file of so many MiB in /dev/shm, and who in the group has it open; gone afterwards."""
    with running("tmpfs", group, directory=SHM, mib=mib) as writer:
        writer.wait_for("done")
        yield SHM / f"memtui-test-{writer.pid}", writer.pid


def seen(group: Group, seconds: float = 0.0) -> Explained:
    return look(LIVE, group.cgroup, seconds)


def shrink(group: Group, share: float = 0.85) -> None:
    """Limit the group so that it is full by so much, without what would kill anybody."""
    now = seen(group).seen
    group.limit_file.write_text(str(max(int((now.hard or 0) / share), MIB)))


def told(explained: Explained, name: str) -> Advice:
    """The advice of that name, be it among the three that are said or not."""
    found = {a.id: a for a in all_advice(explained.seen)}
    assert name in found, (sorted(found), explained.seen)
    return found[name]


def explain(group: Group, *more: str) -> dict[str, Any]:
    """What `memtui explain --json` prints."""
    argv = [*MEMTUI, "explain", "--json", "--cgroup", group.cgroup, *more]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    doc = json.loads(done.stdout)
    assert doc["schema"] == "memtui.explain/1"
    return dict(doc)


def ids(doc: dict[str, Any]) -> list[str]:
    return [s["id"] for s in doc["suggestions"]]


def test_a_group_in_which_nothing_is_wrong_gets_no_advice(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    with python(memory_group, "held = b'x' * (60 << 20);" + WAIT) as pid:
        doc = explain(memory_group, "--for", "1")
        text = subprocess.run(
            [*MEMTUI, "explain", "--for", "0", "--cgroup", memory_group.cgroup],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
    assert doc["suggestions"] == []
    assert doc["state"]["biggest"][0]["pid"] == pid
    assert doc["state"]["limit"] == 256 * MIB
    assert "of 256 MiB are in use" in text
    assert "Nothing is wrong" in text


@needs_shm
@provokes("tmpfs-files", "a file of 70 MiB in /dev/shm, limit 128 MiB")
def test_files_in_memory(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    with shm_file(memory_group, 40):
        assert ids(explain(memory_group, "--for", "0")) == [], "less than is worth a word"
    with shm_file(memory_group, 70) as (path, pid):
        doc = explain(memory_group, "--for", "0")
    advice = next(s for s in doc["suggestions"] if s["id"] == "tmpfs-files")
    assert 60 * MIB < advice["gain"] <= 72 * MIB
    assert f"Files in {SHM}" in advice["say"]
    line = next(line for line in advice["how"] if path.name in line)
    assert f" {pid})" in line, "who has it open is named"
    assert advice["action"]["kind"] == "files"
    assert advice["action"]["text"] == str(SHM)
    assert f"files in {SHM}" in doc["state"]["text"]


@needs_shm
@provokes("deleted-open", "a file of 60 MiB in /dev/shm, unlinked and held open")
def test_a_file_that_was_deleted_and_is_open(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    path = SHM / f"memtui-test-{secrets.token_hex(4)}"
    code = f"""
import os
f = open({str(path)!r}, "xb", buffering=0); os.unlink(f.name)
for _ in range(60): f.write(b"x" * (1 << 20))
"""
    with python(memory_group, code + WAIT) as pid:
        advice = told(seen(memory_group), "deleted-open")
    assert path.name in advice.say
    assert 59 * MIB < (advice.gain or 0) < 61 * MIB
    assert advice.action is not None
    assert [n for n, _ in advice.action.targets] == [pid]
    used = f"""
import mmap, os
f = open({str(path)!r}, "x+b", buffering=0); os.unlink(f.name); f.truncate(60 << 20)
m = mmap.mmap(f.fileno(), 60 << 20); m.write(b"x" * (60 << 20))
"""
    with python(memory_group, used + WAIT):
        found = [a.id for a in all_advice(seen(memory_group).seen)]
    assert "deleted-open" not in found, "what is mapped is in use"


@needs_shm
@provokes("shm-leftover", "70 MiB as multiprocessing leaves them when it crashes, nobody has them")
def test_shared_memory_that_a_crash_left(memory_group: Group) -> None:
    memory_group.set_limit(128 * MIB)
    path = SHM / f"psm_memtui{secrets.token_hex(4)}"
    begin = f"f = open({str(path)!r}, 'xb', buffering=0)\n"
    write = begin + "for _ in range(70): f.write(b'x' * (1 << 20))\n"
    try:
        with python(memory_group, write + WAIT):
            before = time.time() - 300
            os.utime(path, (before, before))
            explained = seen(memory_group)
            assert "shm-leftover" not in [a.id for a in all_advice(explained.seen)], "it is open"
        advice = told(seen(memory_group), "shm-leftover")
        assert path.name in advice.say
        assert 69 * MIB < (advice.gain or 0) < 71 * MIB
        assert advice.action is not None
        assert advice.action.file is not None
        info = path.stat()
        file = advice.action.file
        assert (file.path, file.device, file.inode) == (str(path), info.st_dev, info.st_ino)
    finally:
        path.unlink(missing_ok=True)


@provokes("shm-leftover", "a SysV segment of 70 MiB that nobody is attached to")
def test_a_segment_that_nobody_is_attached_to(memory_group: Group) -> None:
    ctypes = pytest.importorskip("ctypes")
    libc = ctypes.CDLL(None, use_errno=True)
    size = 70 * MIB
    number = libc.shmget(0, size, 0o1600)
    if number < 0:
        pytest.skip("no SysV shared memory here")
    try:
        memory_group.set_limit(160 * MIB)
        code = f"""
import ctypes
c = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p; c.shmdt.argtypes = [ctypes.c_void_p]
at = c.shmat({number}, None, 0); ctypes.memset(ctypes.c_void_p(at), 1, {size}); c.shmdt(at)
"""
        with python(memory_group, code + WAIT):
            explained = seen(memory_group)
        later = explained.seen._replace(time=explained.seen.time + 120)
        segments = [
            a for a in all_advice(later) if a.id == "shm-leftover" and f"segment {number}" in a.say
        ]
        assert [a.gain for a in segments] == [size]
        assert segments[0].how == (f"  ipcrm -m {number}",)
    finally:
        libc.shmctl(number, 0, None)


@provokes("cache-only", "a file of 100 MiB read in a group of 64 MiB")
def test_a_bar_that_is_full_of_cache(memory_group: Group, tmp_path: Path) -> None:
    file, mib = disk_file(tmp_path, 100)
    memory_group.set_limit(64 * MIB)
    with running("cache", memory_group, file=file, mib=mib) as reader:
        reader.wait_for("done")
        doc = explain(memory_group, "--for", "0")
    assert ids(doc) == ["cache-only"]
    assert doc["suggestions"][0]["action"] is None
    assert "given back on demand" in doc["state"]["text"]


@provokes("growing-list", "a kernel that appends 100 KiB about every 10 ms, limit 144 MiB")
def test_a_python_that_grows_without_a_break(memory_group: Group, tmp_path: Path) -> None:
    memory_group.set_limit(144 * MIB)
    code = f"""
held = [b'x' * (60 << 20)]
print('ready', flush=True)
import signal; signal.alarm(100)
while len(held) < 500:
    held.append(b'x' * (100 << 10)); sum(range(400_000))
{WAIT}
"""
    end = time.monotonic() + 60
    while time.monotonic() < end:  # a busy machine may let it stand for half a second
        with python(memory_group, code, "-f", f"{tmp_path}/kernel-1.json"):
            found = all_advice(seen(memory_group, 2.5).seen)
        if growing := [a for a in found if a.id == "growing-list"]:
            break
    assert " grows by " in growing[0].say
    assert growing[0].urgent


@provokes("mpl-figures", "the same, and it maps a file below a directory matplotlib")
def test_a_python_that_draws_and_grows(memory_group: Group, tmp_path: Path) -> None:
    library = tmp_path / "matplotlib" / "_path.so"
    library.parent.mkdir()
    library.write_bytes(b"x" * 4096)
    memory_group.set_limit(320 * MIB)
    code = f"""
import mmap; f = open({str(library)!r}, "rb")
m = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)
held = [b'x' * (60 << 20)]
print('ready', flush=True)
import signal; signal.alarm(100)
while len(held) < 2000:
    held.append(b'x' * (100 << 10)); sum(range(400_000))
{WAIT}
"""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with python(memory_group, code):
            found = all_advice(seen(memory_group, 2.0).seen)
        if drawing := [a for a in found if a.id == "mpl-figures"]:
            break
    assert "draws with matplotlib" in drawing[0].say
    assert any("plt.close('all')" in line for line in drawing[0].how)


@provokes("pandas-copies", "a Python that maps a file below a directory pandas, peak far above")
@provokes("py-freelist", "an idle kernel that once was bigger, in a full group")
def test_a_python_whose_peak_is_far_above_what_it_keeps(
    memory_group: Group, tmp_path: Path
) -> None:
    library = tmp_path / "pandas" / "lib.so"
    library.parent.mkdir()
    library.write_bytes(b"x" * 4096)
    memory_group.set_limit(160 * MIB)
    code = f"""
import mmap; f = open({str(library)!r}, "rb")
m = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)
kept, freed = bytearray(b'x') * (45 << 20), bytearray(b'x') * (75 << 20)
del freed
"""
    connection = f"{tmp_path}/kernel-1.json"  # by that it is taken for a notebook's
    with python(memory_group, code + WAIT, "-f", connection):
        memory_group.limit_file.write_text(str(136 * MIB))
        advice = told(seen(memory_group), "pandas-copies")
        assert 70 * MIB < (advice.gain or 0) < 85 * MIB
        shrink(memory_group)
        rests = told(seen(memory_group, 1.2), "py-freelist")
    assert "rests, and once held" in rests.say
    assert rests.gain is None
    assert rests.action is not None
    assert "malloc_trim" in rests.action.text


@provokes("fork-copies", "five forks of a Python, 40 MiB shared and 28 of their own each")
def test_forked_workers(memory_group: Group) -> None:
    memory_group.set_limit(320 * MIB)
    with running("forks", memory_group, width=5, mib=28, shared=40) as tree:
        tree.wait_for("anon", times=6)
        advice = told(seen(memory_group), "fork-copies")
    assert "5 workers" in advice.say
    assert advice.action is not None
    assert advice.action.text == f"ppid={tree.pid} | pid={tree.pid}"
    assert (advice.gain or 0) > 50 * MIB


def child_of(pid: int, name: str, mib: int) -> int:
    """The child of that name once it has so much memory; it is stopped there."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            of = Path("/proc") / child
            big = int((of / "statm").read_text().split()[1]) * 4096 > mib * MIB
            if big and (of / "comm").read_text().strip() == name:
                os.kill(int(child), signal.SIGSTOP)
                return int(child)
        time.sleep(0.005)
    raise AssertionError(f"no {name} below {pid}")


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@provokes("compiler", "g++ halfway through 60 000 templates, in a full group")
def test_a_compiler(memory_group: Group, tmp_path: Path) -> None:
    source = tmp_path / "model.cc"
    lines = [f"template<> struct F<{n}> {{ static const int v = {n}; }};\n" for n in range(60000)]
    source.write_text("template<int N> struct F;\n" + "".join(lines))
    memory_group.set_limit(400 * MIB)
    with memory_group.start(["g++", "-fsyntax-only", str(source)]) as gcc:
        try:
            compiler = child_of(gcc.pid, "cc1plus", 80)
            shrink(memory_group)
            advice = told(seen(memory_group), "compiler")
            os.kill(compiler, signal.SIGKILL)
        finally:
            gcc.kill()
    assert "A compiler needs" in advice.say
    assert "make -j1" in advice.how[0]
    assert any("~/.R/Makevars" in line for line in advice.how), "C++ is what RStan compiles"


def test_what_is_only_named_like_a_compiler_in_an_argument_is_none(memory_group: Group) -> None:
    memory_group.set_limit(96 * MIB)
    code = "held = b'x' * (70 << 20);" + WAIT + "# cc1plus"
    with python(memory_group, code):
        assert "compiler" not in [a.id for a in all_advice(seen(memory_group).seen)]


@pytest.mark.skipif(not shutil.which("java"), reason="needs Java")
@provokes("java-heap", "a real Java without -Xmx in a full group; with it nothing is said")
def test_java(memory_group: Group, tmp_path: Path) -> None:
    source = tmp_path / "Main.java"
    source.write_text("""
public class Main {
    public static void main(String[] a) throws Exception {
        byte[] held = new byte[60 << 20];
        for (int i = 0; i < held.length; i += 512) held[i] = 1;
        System.out.println("ready"); Thread.sleep(90000); System.out.println(held[7]);
    }
}
""")
    memory_group.set_limit(480 * MIB)
    for options, wanted in ((["-Xshare:auto"], True), (["-Xmx120m"], False)):
        line = ["java", "-XX:+UseSerialGC", "-Xss512k", *options, str(source)]
        with memory_group.start(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as java:
            try:
                assert java.stdout is not None
                assert java.stdout.readline() == b"ready\n"
                shrink(memory_group)
                found = [a.id for a in all_advice(seen(memory_group).seen)]
            finally:
                java.kill()
        memory_group.limit_file.write_text(str(480 * MIB))
        assert ("java-heap" in found) is wanted


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@provokes("node-heap", "a real node with 80 MiB of its own in a full group")
def test_node(memory_group: Group) -> None:
    memory_group.set_limit(400 * MIB)
    code = "held = Buffer.alloc(80 << 20, 1); console.log('ready'); setTimeout(() => held, 90000)"
    with memory_group.start(["node", "-e", code], stdout=subprocess.PIPE) as node:
        try:
            assert node.stdout is not None
            assert node.stdout.readline() == b"ready\n"
            shrink(memory_group)
            advice = told(seen(memory_group), "node-heap")
        finally:
            node.kill()
    assert any("--max-old-space-size=" in line for line in advice.how)


@provokes("rlimit-hit", "a Python at 97 % of its soft RLIMIT_DATA")
def test_a_process_near_a_limit_of_its_own(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    code = """
import resource
held, (soft, hard) = bytearray(60 << 20), resource.getrlimit(resource.RLIMIT_DATA)
data = [l for l in open("/proc/self/status") if l.startswith("VmData")][0].split()[1]
resource.setrlimit(resource.RLIMIT_DATA, (int(int(data) * 1024 / 0.97), hard))
for i in range(0, len(held), 4096): held[i] = 1
"""
    with python(memory_group, code + WAIT) as pid:
        advice = told(seen(memory_group), "rlimit-hit")
    assert "RLIMIT_DATA" in advice.say
    assert advice.action is not None
    assert advice.action.text.startswith(f"prlimit --pid {pid} --data=")


@provokes("zombie", "25 children that their parent has not collected")
def test_zombies(memory_group: Group) -> None:
    memory_group.set_limit(64 * MIB)
    code = """
import os
for _ in range(25):
    if not os.fork(): os._exit(0)
import time
def dead(): return sum(open(f"/proc/{p}/stat").read().split()[2] == "Z" for p in
                       open(f"/proc/self/task/{os.getpid()}/children").read().split())
while dead() < 25: time.sleep(0.01)
"""
    with python(memory_group, code + WAIT) as pid:
        advice = told(seen(memory_group, 3.2), "zombie")
    assert "25 processes have ended" in advice.say
    assert f" {pid}," in advice.say


@provokes("big-process", "a program that takes 92 % of its limit, and that no rule knows")
def test_the_biggest_where_nothing_else_is_known(memory_group: Group) -> None:
    memory_group.set_limit(160 * MIB)
    with python(memory_group, "held = b'x' * (90 << 20);" + WAIT) as pid:
        shrink(memory_group, 0.93)
        advice = told(seen(memory_group), "big-process")
    assert advice.action is not None
    assert [n for n, _ in advice.action.targets] == [pid]
    assert (advice.gain or 0) >= 90 * MIB


@provokes("kernel-mem", "400 pipes that are full, in a full group")
def test_memory_of_the_kernel_s_own(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    code = """
import os, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
pipes = [os.pipe() for _ in range(400)]
for _, w in pipes: os.write(w, b"x" * 65536)
"""
    with python(memory_group, code + WAIT):
        shrink(memory_group)
        explained = seen(memory_group)
    parts = explained.seen.quota.parts
    if (parts.kernel or 0) < 20 * MIB:
        pytest.skip("this kernel does not tell what of a group is its own")
    assert "The kernel itself needs" in told(explained, "kernel-mem").say


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@provokes("vscode", "two real nodes that run as VS Code's server and as Pylance")
def test_an_editor_s_server(memory_group: Group, tmp_path: Path) -> None:
    memory_group.set_limit(400 * MIB)
    home = tmp_path / ".vscode-server"
    main = home / "cli/servers/Stable-1/server/out/server-main.js"
    pylance = home / "extensions/ms-python.vscode-pylance-1/dist/server.bundle.js"
    code = "const held = Buffer.alloc(60 << 20, 1); console.log('ready');"
    started = []
    try:
        for script in (main, pylance):
            script.parent.mkdir(parents=True)
            script.write_text(code + "setTimeout(() => held, 90000)")
            node = memory_group.start(["node", str(script)], stdout=subprocess.PIPE)
            started.append(node)
            assert node.stdout is not None
            assert node.stdout.readline() == b"ready\n"
        advice = told(seen(memory_group), "vscode")
    finally:
        for node in started:
            node.kill()
            node.communicate()
    assert "Pylance" in advice.say
    assert advice.action is not None
    assert [n for n, _ in advice.action.targets] == [started[1].pid], "not the editor itself"
