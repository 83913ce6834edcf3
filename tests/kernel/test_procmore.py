"""What one process is asked for in depth, against the kernel's and psutil's own words."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path

import psutil
import pytest

from memtui.kernel import procmore
from memtui.kernel.errors import Gone
from memtui.kernel.procmore import ANONYMOUS, Mapping, OpenFile, Rlimit
from memtui.kernel.roots import LIVE
from tests.support.programs import running

MIB = 1 << 20
LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 1048576              files
Max address space         268435456            unlimited            bytes
Max strange               what                 ever                 x
"""
SMAPS = b"""\
00400000-00500000 r-xp 00000000 fd:00 1   /usr/bin/a b (deleted)
Rss:                  64 kB
Pss:                  32 kB
Private_Clean:         4 kB
Private_Dirty:         8 kB
VmFlags: rd ex mr mw me
00600000-00601000 rw-p 00000000 00:00 0
Rss:                   4 kB
Pss:                   4 kB
Private_Dirty:         4 kB
Swap:                 12 kB
00700000-00702000 rw-p 00000000 fd:00 1   /usr/bin/a b (deleted)
Rss:                   8 kB
Pss:                   8 kB
Private_Hugetlb:       8 kB
"""


def files_of(pid: int) -> list[OpenFile]:
    fds = procmore.list_descriptors(LIVE, pid)
    return procmore.read_files(LIVE, pid, fds, procmore.read_mount_types(LIVE, pid))


def test_limits_are_numbers_or_unlimited_and_nothing_else() -> None:
    assert procmore.parse_limits(LIMITS) == {
        "Max cpu time": Rlimit(None, None),
        "Max open files": Rlimit(1024, 1048576),
        "Max address space": Rlimit(268435456, None),
    }


def test_limits_are_those_that_the_process_has() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = procmore.read_limits(LIVE, os.getpid())["Max open files"]
    unlimited = (None if n == resource.RLIM_INFINITY else n for n in (soft, hard))
    assert told == tuple(unlimited)


def test_mappings_of_one_name_are_summed() -> None:
    assert sorted(procmore.parse_mappings(SMAPS.splitlines(keepends=True))) == [
        Mapping(b"/usr/bin/a b (deleted)", 2, 40 << 10, 20 << 10, 72 << 10, 0, MIB + 8192),
        Mapping(ANONYMOUS, 1, 4096, 4096, 4096, 12 << 10, 4096),
    ]


@pytest.mark.parametrize("data", [b"", b"Rss: 4 kB\n", b"\xff\xfe\n", b"x-y rw\nRss: many\n"])
def test_what_is_no_smaps_has_no_mappings(data: bytes) -> None:
    assert procmore.parse_mappings(data.splitlines(keepends=True)) == []


def test_mappings_are_those_of_psutil() -> None:
    with running("forks", width=1, depth=0, mib=8) as program:
        program.wait_for("anon")
        ours = {m.name: m for m in procmore.read_mappings(LIVE, program.pid)}
        theirs = {m.path: m for m in psutil.Process(program.pid).memory_maps(grouped=True)}
    assert ours[ANONYMOUS].uss >= 8 * MIB
    assert len(ours) == len(theirs)
    for path, told in theirs.items():
        name = ANONYMOUS if path == "[anon]" else path.encode()
        mine = ours[name]
        assert (mine.rss, mine.swap) == (told.rss, told.swap), path
        assert mine.uss == told.private_clean + told.private_dirty, path
        assert abs(mine.pss - told.pss) <= 64 << 10, path  # others start and end meanwhile


def test_open_files_in_memory_and_deleted_ones_are_told_from_others(tmp_path: Path) -> None:
    kept = tmp_path / "kept (deleted)"  # only called so
    kept.write_bytes(b"x" * 8192)
    memory = os.memfd_create("hoard")
    read, write = os.pipe()
    try:
        # without a name from the beginning
        with tempfile.TemporaryFile(dir="/dev/shm", buffering=0) as shared, open(kept) as plain:
            shared.write(b"x" * MIB)
            os.write(memory, b"x" * 2 * MIB)
            found = {f.fd: f for f in files_of(os.getpid())}
            named, in_tmpfs = found[plain.fileno()], found[shared.fileno()]
        in_memory, pipe = found[memory], found[read]
    finally:
        for fd in (memory, read, write):
            os.close(fd)
    assert (in_tmpfs.memory, in_tmpfs.deleted, in_tmpfs.taken) == (True, True, MIB)
    assert (in_memory.memory, in_memory.taken) == (True, 2 * MIB)
    assert in_memory.path == b"/memfd:hoard"
    assert (named.path, named.deleted, named.size) == (os.fsencode(kept), False, 8192)
    assert not pipe.is_file
    assert pipe.size is None


def test_a_remote_file_is_not_asked_for_its_size(tmp_path: Path) -> None:
    types = dict.fromkeys(procmore.read_mount_types(LIVE, os.getpid()), "nfs4")
    with open(tmp_path / "far", "w") as far:
        (told,) = procmore.read_files(LIVE, os.getpid(), [far.fileno()], types)
    assert told.size is None
    assert "nfs4" in told.why


def test_mount_ids_have_the_type_of_their_file_system() -> None:
    line = b"36 35 98:0 / /a\\040b rw,noatime master:1 shared:2 - tmpfs none rw\nnonsense\n"
    assert procmore.mount_types(line) == {b"36": "tmpfs"}


def test_who_is_gone_is_said_to_be() -> None:
    with running("forks", width=1, depth=0) as program:
        pid = program.pid
    for read in (procmore.read_mappings, procmore.list_descriptors, procmore.read_limits):
        with pytest.raises(Gone):
            read(LIVE, pid)
    with pytest.raises(Gone):
        procmore.read_link(LIVE, pid, "exe")


def test_the_environment_is_what_the_process_was_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMTUI_TEST", "a=b \x1b[31m\nc")
    with running("forks", width=1, depth=0) as program:
        assert b"MEMTUI_TEST=a=b \x1b[31m\nc" in procmore.read_environment(LIVE, program.pid)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (34819, "pts/3"),
        (136 << 8 | 0x34 | 0x1 << 20, "pts/308"),
        (1025, "tty1"),
        (1088, "ttyS0"),
        (0, ""),
        (-1, ""),
        (1280, ""),
    ],
)
def test_a_terminal_is_called_as_in_dev(number: int, name: str) -> None:
    line = f"7 (a) b) S 1 7 7 {number} 7 0".encode()
    assert procmore.parse_tty(line) == name
    assert procmore.parse_tty(b"") == ""
