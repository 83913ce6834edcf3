"""Advice provoked by real files and groups, and by Python: what `memtui explain` says."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from memtui.model.advice.catalogue import all_advice
from tests.support.advised import SHM, WAIT, python, seen, shm_file, shrink, told
from tests.support.advising import provokes
from tests.support.cgroups import MIB, Group
from tests.support.limited import MEMTUI
from tests.support.programs import disk_file, running

pytestmark = pytest.mark.one_world
needs_shm = pytest.mark.skipif(not SHM.is_dir(), reason="needs /dev/shm")


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
