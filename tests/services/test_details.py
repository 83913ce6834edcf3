"""Details of real processes: as the kernel and psutil tell them, off the caller's thread."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from memtui.kernel.roots import LIVE, Roots
from memtui.model.detail import Detail, Environment, Mappings
from memtui.model.snapshot import Proc, Snapshot
from memtui.services.details import Details, Reader, Told
from memtui.services.sampler import Sampler
from tests.support.cgroups import MIB, Group
from tests.support.made import proc
from tests.support.procs import run_python, sleeper, until
from tests.support.programs import running
from tests.support.trees import tree

UID = os.geteuid()


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    made = Sampler()
    yield made
    made.stop()


def shown(sampler: Sampler, pid: int) -> tuple[Proc, Snapshot]:
    """The row of a process, once its cgroup is known, and the snapshot that has it."""
    while True:
        snapshot = sampler.sample()
        proc = next(p for p in snapshot.procs if p.pid == pid)
        if proc.cgroup is not None:
            return proc, snapshot


def look(sampler: Sampler, pid: int, reader: Reader | None = None) -> Detail:
    return (reader or Reader(LIVE, UID)).look(*shown(sampler, pid))


def test_memory_is_what_psutil_and_the_kernel_say(sampler: Sampler) -> None:
    with running("forks", width=1, depth=0, mib=16) as program:
        program.wait_for("anon")
        told = look(sampler, program.pid).memory
        theirs = psutil.Process(program.pid).memory_full_info()
    assert told is not None
    assert (told.uss, told.swap) == (theirs.uss, theirs.swap)
    assert abs((told.pss or 0) - theirs.pss) <= 64 << 10  # others that share come and go
    assert told.virt == theirs.vms
    assert None not in (told.anon, told.file, told.shmem)
    assert (told.anon or 0) + (told.file or 0) + (told.shmem or 0) == theirs.rss
    assert (told.anon or 0) >= 16 * MIB
    assert (told.peak or 0) >= theirs.rss


def test_every_level_has_its_limit_and_usage(sampler: Sampler, memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    child = memory_group.child("inner", 64 * MIB)
    with running("forks", child, width=1, depth=0, mib=8) as program:
        program.wait_for("anon")
        told = look(sampler, program.pid)
    assert [g.path for g in told.groups[:2]] == [child.cgroup, memory_group.cgroup]
    assert [g.limit for g in told.groups[:2]] == [64 * MIB, 256 * MIB]
    assert all((g.usage or 0) >= 8 * MIB for g in told.groups[:2])
    assert "groups" not in told.why


def test_limits_tell_how_near_they_are(sampler: Sampler) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 1024 * MIB))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))

    setup = "import os; held = [os.dup(1) for _ in range(24)]"
    with sleeper(setup, preexec_fn=limit) as process:
        told = look(sampler, process.pid)
        fds = psutil.Process(process.pid).num_fds()
        virt = psutil.Process(process.pid).memory_info().vms
    near = {n.name: n for n in told.limits}
    assert near["AS"][1:4] == (512 * MIB, 1024 * MIB, virt)
    assert near["NOFILE"][1:4] == (64, 128, fds)
    assert told.descriptors == fds >= 27


def test_a_deleted_file_in_memory_is_found_with_its_size(sampler: Sampler) -> None:
    with running("tmpfs", directory="/dev/shm", mib=4) as program:
        program.wait_for("done")
        (path,) = Path("/dev/shm").glob(f"*{program.pid}")
        (kept,) = (f for f in look(sampler, program.pid).in_memory if f.memory)
        path.unlink()
        (gone,) = (f for f in look(sampler, program.pid).in_memory if f.memory)
    assert (kept.deleted, kept.taken) == (False, 4 * MIB)
    assert (gone.deleted, gone.taken) == (True, 4 * MIB)
    assert gone.path == os.fsencode(path)


def test_parents_children_and_places_are_told(sampler: Sampler, tmp_path: Path) -> None:
    with running("forks", width=2, depth=1, mib=1) as program:
        program.wait_for("process", 3)
        told = look(sampler, program.pid)
        began = psutil.Process(program.pid).create_time()
    assert told.below == 2
    assert told.below_rss > 2 * MIB
    assert told.parents[0].pid == os.getpid()
    assert told.exe == os.path.realpath(sys.executable)
    assert told.cwd == os.getcwd()
    assert told.began == pytest.approx(began, abs=3)


def test_who_ends_is_said_to_have_and_keeps_the_last_state(sampler: Sampler) -> None:
    reader = Reader(LIVE, UID)
    with running("forks", width=1, depth=0, mib=8) as program:
        program.wait_for("anon")
        proc, snapshot = shown(sampler, program.pid)
        before = reader.look(proc, snapshot)
        program.process.kill()
        until(lambda: bool(reader.look(proc, snapshot).ended))
        zombie = reader.look(proc, snapshot)
    after = reader.look(proc, snapshot)
    assert "zombie" in zombie.ended
    assert before.ended == ""
    assert after.ended
    assert after.memory is not None
    assert before.memory is not None
    assert after.memory._replace(age_s=0) == before.memory._replace(age_s=0)
    assert after.files == before.files
    assert reader.mappings(proc).why
    assert reader.environment(proc).why


def test_a_pid_that_is_anothers_now_is_nobody(sampler: Sampler) -> None:
    proc, snapshot = shown(sampler, os.getpid())
    told = Reader(LIVE, UID).look(proc._replace(start=proc.start - 1), snapshot)
    assert "another's" in told.ended
    assert told.files is None


def test_mappings_add_up_to_the_rollup(sampler: Sampler) -> None:
    with running("forks", width=1, depth=0, mib=8) as program:
        program.wait_for("anon")
        proc, snapshot = shown(sampler, program.pid)
        reader = Reader(LIVE, UID)
        memory = reader.look(proc, snapshot).memory
        told = reader.mappings(proc)
    assert memory is not None
    assert sum(m.uss for m in told.rows) == memory.uss
    assert abs(sum(m.pss for m in told.rows) - (memory.pss or 0)) <= 64 << 10
    assert [m.pss for m in told.rows] == sorted((m.pss for m in told.rows), reverse=True)
    assert told.took_s > 0


def test_an_environment_is_safe_to_show_and_only_of_ones_own(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTUI_TEST", "\x1b]0;x\x07")
    with sleeper() as process:
        proc, _ = shown(sampler, process.pid)
        told = Reader(LIVE, UID).environment(proc)
        others = Reader(LIVE, UID + 1).environment(proc)
    assert "MEMTUI_TEST=␛]0;x␇" in told.lines
    assert others.lines == ()
    assert "only of processes of your own" in others.why


ASK = """
import os, sys
from memtui.kernel.roots import LIVE
from memtui.services.details import Reader
from memtui.services.sampler import Sampler
Sampler().sample()  # imports what another user could not read
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
snapshot = Sampler().sample()
proc = next(p for p in snapshot.procs if p.pid == int(sys.argv[1]))
told = Reader(LIVE, os.geteuid()).look(proc, snapshot)
print(told.memory.pss, told.memory.anon, told.exe, told.files, told.limits != (), sep="|")
for part in sorted(told.why):
    print(part, told.why[part])
"""


def test_what_is_denied_is_unknown_and_says_what_would_grant_it() -> None:
    with sleeper() as process:
        out = run_python(ASK, str(process.pid if UID == 0 else 1))
    first, *why = out.splitlines()
    pss, anon, exe, files, _ = first.split("|")
    assert (pss, exe, files) == ("None", "None", "None")
    assert anon.isdigit(), "status is for everybody"
    reasons = dict(line.split(" ", 1) for line in why)
    assert {"pss", "exe", "cwd", "fd"} <= set(reasons)
    assert all("denied: it is root's" in reasons[k] for k in ("pss", "exe", "fd"))
    assert "CAP_SYS_PTRACE" in reasons["pss"]


@pytest.mark.unprivileged
def test_ones_own_that_may_not_be_dumped_is_denied_for_that_reason(sampler: Sampler) -> None:
    with running("hidden", mib=2) as program:
        program.wait_for("done")
        told = look(sampler, program.pid)
    assert told.memory is not None
    assert told.memory.pss is None
    assert "may not be dumped" in told.why["pss"]
    assert "CAP_SYS_PTRACE" in told.why["fd"]


def test_a_captured_machine_tells_what_it_has_and_why_not_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / "5"
    folder.mkdir(parents=True)
    rest = "0 " * 30
    (folder / "stat").write_text(f"5 (job) S 1 5 5 0 -1 0 0 0 7 0 1 1 0 0 20 0 1 0 50 9 9 {rest}")
    (folder / "status").write_text("Name:\tjob\nRssAnon:\t 12 kB\nVmHWM:\t 20 kB\n")
    made = proc(5, virt=1, start=50)
    snapshot = Snapshot(1.0, 1.0, [made], 1, Sampler(tree("v2_container")).sample().quota, 0.0, 1.0)
    reader = Reader(Roots(str(tmp_path)), None)
    told = reader.look(made, snapshot)
    assert told.ended == ""
    assert told.memory is not None
    assert (told.memory.anon, told.memory.peak, told.memory.pss) == (12 << 10, 20 << 10, None)
    assert {"pss", "fd", "exe", "limits"} <= set(told.why)
    assert "only of processes of your own" in reader.environment(made).why


# -- the thread


class Heard:
    """Collects answers."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.threads: set[int] = set()

    def __call__(self, told: Told) -> None:
        self.told.append(told)
        self.threads.add(threading.get_ident())


def test_answers_come_from_another_thread_and_each_in_its_kind(sampler: Sampler) -> None:
    heard = Heard()
    details = Details(LIVE, UID, heard)
    try:
        proc, snapshot = shown(sampler, os.getpid())
        details.look(proc, snapshot)
        details.mappings(proc)
        details.environment(proc)
        until(lambda: len(heard.told) >= 3)
    finally:
        details.close()
    assert {type(t) for t in heard.told} == {Detail, Mappings, Environment}
    assert threading.get_ident() not in heard.threads


def test_a_process_that_hangs_does_not_keep_another_from_being_read(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memtui.services import details as module

    monkeypatch.setattr(module, "_STUCK_S", 0.05)
    heard, go, stuck = Heard(), threading.Event(), threading.Event()
    details = Details(LIVE, UID, heard)
    proc, snapshot = shown(sampler, os.getpid())
    other, _ = shown(sampler, os.getppid())

    def hang(self: Reader, proc: Proc) -> Mappings:
        stuck.set()
        go.wait(30)
        return Mappings(proc.identity)

    monkeypatch.setattr(Reader, "mappings", hang)
    try:
        details.mappings(proc)
        assert stuck.wait(30)

        def answered() -> bool:
            details.look(other, snapshot)
            return bool(heard.told)

        until(answered)
        go.set()
    finally:
        go.set()
        details.close()
    assert all(isinstance(t, Detail) and t.proc.pid == other.pid for t in heard.told)


def test_nothing_is_told_after_the_end(sampler: Sampler) -> None:
    heard = Heard()
    details = Details(LIVE, UID, heard)
    proc, snapshot = shown(sampler, os.getpid())
    details.close()
    details.look(proc, snapshot)
    assert heard.told == []
