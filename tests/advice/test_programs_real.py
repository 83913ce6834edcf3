"""Advice provoked by real programs: compilers, Java, Node, editors, rlimits, zombies, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from memtui.model.advice.catalogue import all_advice
from tests.support import worlds
from tests.support.advised import WAIT, python, seen, shrink, told
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group

pytestmark = pytest.mark.one_world


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


@pytest.mark.needs("g++")
@provokes("compiler", "g++ halfway through 60 000 templates, in a full group; then OOM-killed")
def test_a_compiler(memory_group: Group, tmp_path: Path) -> None:
    source = tmp_path / "model.cc"
    lines = [f"template<> struct F<{n}> {{ static const int v = {n}; }};\n" for n in range(60000)]
    # charged to us first, the compiler's own pages are not read again and again at the limit
    source.write_text("template<int N> struct F;\n" + "".join(lines[:3000]))
    subprocess.run(["g++", "-fsyntax-only", str(source)], check=True, timeout=60)
    source.write_text("template<int N> struct F;\n" + "".join(lines))
    memory_group.set_limit(400 * MIB)
    with memory_group.start(["g++", "-fsyntax-only", str(source)]) as gcc:
        try:
            compiler = child_of(gcc.pid, "cc1plus", 80)
            shrink(memory_group)
            advice = told(seen(memory_group), "compiler")
            os.kill(compiler, signal.SIGCONT)  # it needs twice as much as there is
            assert gcc.wait(60) != 0
            after = seen(memory_group)
        finally:
            gcc.kill()
    assert "A compiler needs" in advice.say
    assert "make -j1" in advice.how[0]
    assert any("~/.R/Makevars" in line for line in advice.how), "C++ is what RStan compiles"
    if worlds.missing("kmsg") is None:
        killed = told(after, "compiler")
        assert killed.say == "cc1plus, a compiler, was killed for want of memory."
        assert killed.urgent


def test_what_is_only_named_like_a_compiler_in_an_argument_is_none(memory_group: Group) -> None:
    memory_group.set_limit(96 * MIB)
    code = "held = b'x' * (70 << 20);" + WAIT + "# cc1plus"
    with python(memory_group, code):
        assert "compiler" not in [a.id for a in all_advice(seen(memory_group).seen)]


@pytest.mark.needs("java")
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


@pytest.mark.needs("node")
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


@pytest.mark.needs("node")
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
