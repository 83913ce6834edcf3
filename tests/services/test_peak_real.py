"""Spikes between two looks: `memory.peak` reset through a descriptor of our own (Linux 6.12)."""

from __future__ import annotations

import os

import pytest

from memtui.kernel.peak import IntervalPeak
from tests.support.cgroups import MIB, Group

SPIKE = "x = b'x' * (24 << 20)"


def resets(group: Group) -> bool:
    """Whether this kernel has such a reset, asked in the kernel's own way."""
    try:
        with open(group.dir / "memory.peak", "r+b", buffering=0) as file:
            file.write(b"x\n")
    except OSError:
        return False
    return True


@pytest.mark.memory_v2
def test_a_spike_is_seen_once_and_others_keep_their_peak(memory_group: Group) -> None:
    possible = resets(memory_group)  # before: the kernel takes from one descriptor what
    peak = IntervalPeak()  # another one's reset did not let it see yet
    assert peak.read(str(memory_group.dir)) is None
    assert memory_group.python(SPIKE).wait(30) == 0
    if not possible:
        assert peak.read(str(memory_group.dir)) is None
        return
    seen, after = peak.read(str(memory_group.dir)), peak.read(str(memory_group.dir))
    assert seen is not None
    assert seen >= 24 * MIB
    assert after is not None
    assert after < 24 * MIB
    assert int(memory_group.read("memory.peak")) >= 24 * MIB  # nobody else's was reset
    peak.close()


def test_where_there_is_none(tmp_path: os.PathLike[str]) -> None:
    peak = IntervalPeak()
    assert [peak.read(str(tmp_path)) for _ in range(2)] == [None, None]
    peak.close()
