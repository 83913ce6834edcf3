"""The rows of memory that belongs to no process, of real processes and file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memtui.kernel import mounts
from memtui.kernel.roots import LIVE, Roots
from memtui.model.pools import mount_point, own_memory
from memtui.model.snapshot import ROLLUP, Proc, Snapshot
from memtui.services.bigfiles import biggest
from memtui.services.sampler import Sampler
from tests.support.cgroups import MIB, Group
from tests.support.procs import until
from tests.support.programs import running

SHM = "/dev/shm"
needs_shm = pytest.mark.skipif(not os.path.isdir(SHM), reason="needs /dev/shm")


def members(snapshot: Snapshot, group: Group) -> list[Proc]:
    return [p for p in snapshot.procs if p.cgroup == group.cgroup]


def test_with_the_processes_they_are_what_the_bar_draws(memory_group: Group) -> None:
    memory_group.set_limit(160 * MIB)
    with running("forks", memory_group, width=2, mib=4, shared=24) as tree:
        tree.wait_for("anon", times=3)
        source = Sampler(cgroup=memory_group.cgroup)
        source.want(ROLLUP)

        def known() -> bool:
            rows = members(source.sample(), memory_group)
            return len(rows) == 3 and all(p.pss_anon is not None and not p.stale for p in rows)

        until(known)
        snapshot = source.sample()
        source.stop()
    binding = snapshot.quota.binding
    assert binding is not None
    assert (binding.bytes, binding.is_host) == (160 * MIB, False)
    own = own_memory(members(snapshot, memory_group))
    assert 24 * MIB + 3 * 4 * MIB < own < 60 * MIB, "what forks share is counted once"
    drawn = sum(n or 0 for n in snapshot.quota.parts)
    assert sum(p.rss for p in snapshot.pools) + own == drawn
    rest = sum(p.rss for p in snapshot.pools if p.pool == "rest")
    mounted = sum(p.rss for p in snapshot.pools if p.pool == "tmpfs")
    # what is left is small, apart from tmpfs files that other groups pay for
    assert -mounted - 4 * MIB < rest < 4 * MIB


@needs_shm
def test_a_file_in_a_tmpfs_is_seen_and_goes_when_it_is_deleted() -> None:
    source = Sampler()

    def used() -> int:
        rows = [p for p in source.sample().pools if mount_point(p) == SHM]
        return rows[0].rss if rows else 0

    before = used()
    with running("tmpfs", directory=SHM, mib=48) as writer:
        writer.wait_for("done")
        until(lambda: used() >= before + 40 * MIB)
        found = biggest(SHM, 10_000)
        (ours,) = (f for f in found.files if f.path.endswith(f"memtui-test-{writer.pid}"))
        assert (ours.bytes, ours.uid) == (48 * MIB, os.geteuid())
        writer.process.terminate()
        writer.ended()
    until(lambda: used() < before + 40 * MIB)
    source.stop()


@needs_shm
def test_mounts_are_what_statvfs_says() -> None:
    told = {t.point: t for t in mounts.read_tmpfs(mounts.tmpfs_mounts(LIVE))}
    for point, tmpfs in told.items():
        seen = os.statvfs(point)
        assert tmpfs.size == seen.f_blocks * seen.f_frsize
        assert 0 < tmpfs.used <= tmpfs.size
    assert len({t.device for t in told.values()}) == len(told), "each file system once"


def test_mounts_that_are_gone_hidden_or_anothers_are_left_out(tmp_path: Path) -> None:
    gone = mounts.Mount("/", str(tmp_path / "gone"), "tmpfs", (), "0:9999")
    hidden = mounts.Mount("/", str(tmp_path), "tmpfs", (), "0:9999")
    assert mounts.read_tmpfs([gone, hidden]) == []
    assert mounts.tmpfs_mounts(Roots(str(tmp_path))) == []


def test_files_are_listed_by_what_they_take(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    (tmp_path / "deep/er/\x1bmid").write_bytes(b"x" * (1 << 20))
    with open(tmp_path / "sparse", "wb") as sparse:
        sparse.truncate(1 << 30)
    os.link(tmp_path / "big", tmp_path / "again")
    (tmp_path / "link").symlink_to("/")
    found = biggest(str(tmp_path), 2)
    assert [os.path.basename(f.path) in ("big", "again") for f in found.files] == [True, False]
    assert (found.seen, found.whole, found.unreadable) == (3, True, 0)
    assert found.total < 4 << 20, "holes take nothing, a second name counts once"
    assert biggest(str(tmp_path / "none"), 5).unreadable == 1
