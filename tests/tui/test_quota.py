"""The quota on the screen, and a real OOM kill in a real memory cgroup."""

from __future__ import annotations

import re
import subprocess

from tests.support.cgroups import MIB, Group
from tests.support.procs import until
from tests.support.programs import line
from tests.support.terminal import Terminal
from tests.tui.children import KILL, ended_by
from tests.tui.reading import on_main, point_at, start

LIMIT = 64 * MIB


def watch(group: Group) -> Terminal:
    """memtui that looks at a group, from outside it."""
    return start("--cgroup", group.cgroup, "--delay", "0.2")


def slow_hog(group: Group, mib: int) -> subprocess.Popen[bytes]:
    """A process in the group that takes `mib` MiB in a second or two, seen by several samples."""
    return group.start(line("hog", mib=mib, pause=0.02), stdout=subprocess.DEVNULL)


def test_bar_shows_the_group_s_limit_and_what_fills_it(memory_group: Group) -> None:
    memory_group.set_limit(LIMIT)
    with watch(memory_group) as term:
        term.wait_for(re.compile(r"memory .*/ +64\.0M"))
        holder = slow_hog(memory_group, 40)
        try:
            term.wait_for(re.compile(r"memory .* 4\d\.\dM / +64\.0M +(6|7)\d%"))
            term.wait_for(re.compile(r"anon +4\d\.\dM"))
        finally:
            holder.kill()
            holder.wait()
        term.wait_for(re.compile(r"memory .*/ +64\.0M +[012]?\d%"))
        term.wait_for(re.compile(r"peak +4\d\.\dM"))


def test_nearly_full_is_said_in_words_too(memory_group: Group) -> None:
    memory_group.set_limit(LIMIT)
    with watch(memory_group) as term:
        holder = slow_hog(memory_group, 58)
        try:
            term.wait_for("CRIT")
        finally:
            holder.kill()
            holder.wait()


def test_oom_kill_is_counted_and_its_victim_named(memory_group: Group) -> None:
    memory_group.set_limit(LIMIT)
    with watch(memory_group) as term:
        term.wait_for("No OOM kill since")
        victim = slow_hog(memory_group, 200)
        assert ended_by(victim) == KILL
        assert memory_group.oom_kills() == 1
        named = rf"\b{victim.pid}\b.*was killed by the OOM killer.*{memory_group.dir.name}"
        term.wait_for("1 OOM kill")
        term.send("o")
        term.wait_for(re.compile(named, re.DOTALL))
        term.send("Esc")
        term.wait_for(on_main)
        second = slow_hog(memory_group, 200)
        assert ended_by(second) == KILL
        term.wait_for("2 OOM kills")
        term.send("o")
        term.wait_for(lambda lines: all(str(p.pid) in "\n".join(lines) for p in (victim, second)))


def test_memtui_survives_beside_the_victim_in_its_own_group(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    enter = ["/bin/sh", "-c", 'echo 0 >"$0" && exec "$@"', str(memory_group.dir / "cgroup.procs")]
    with start("--delay", "0.2", prefix=enter) as term:
        term.wait_for(re.compile(r"memory .*/ +256M"))
        victim = slow_hog(memory_group, 400)
        assert ended_by(victim) == KILL
        term.wait_for("1 OOM kill")
        term.wait_for(re.compile(rf"1 killed: .*\b{victim.pid}\b"))
        assert term.process.poll() is None


def test_limits_page_names_the_file_of_the_limit(memory_group: Group) -> None:
    memory_group.set_limit(LIMIT)
    with watch(memory_group) as term:
        term.send("i")
        lines = "\n".join(term.wait_for(f"{memory_group.dir.name}/{memory_group.limit_file.name}"))
        assert "64.0 MiB" in lines
        memory_group.set_limit(LIMIT // 2)
        term.wait_for("32.0 MiB")


def test_group_removed_while_it_is_looked_at_is_no_crash(memory_group: Group) -> None:
    group = memory_group.child("short", LIMIT)
    with watch(group) as term:
        term.wait_for(re.compile(r"/ +64\.0M"))
        group.remove()
        until(lambda: not group.dir.exists())
        term.wait_for(lambda lines: not re.search(r"memory .*/ +64\.0M", "\n".join(lines)))
        term.send("q")
        assert term.exit_status() == 0


SLOW = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.6), sys.exit(0)))
held = bytearray(b"x") * (150 << 20)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_came_back_is_told_of_a_slow_death_too(memory_group: Group) -> None:
    """The sample before the death knows nothing of it."""
    memory_group.set_limit(512 * MIB)
    process = memory_group.python(SLOW, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with watch(memory_group) as term:
            term.wait_for(re.compile(r"memory .* 1[5-9]\d.*M / +512M"))
            point_at(term, process.pid)
            term.send("k")
            term.wait_for("15 SIGTERM")
            term.send("Enter")
            assert process.wait(20) == 0
            term.wait_for(re.compile(rf"{process.pid} ended after SIGTERM; 1[45]\dM came back"))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
