"""A real group that fills, and one that thrashes: what the trend says of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memtui.kernel.roots import LIVE
from memtui.model.trend import Trend, TrendWatch
from memtui.services.sampler import Sampler
from tests.support.cgroups import MIB, Group, memory_group_of
from tests.support.programs import disk_file, running


def follow(group: Group, enough: Callable[[Trend], bool], seconds: float = 45) -> Trend:
    """Sample the group about three times a second until the trend says `enough`."""
    sampler, watch = Sampler(LIVE, 0.3, group.cgroup), TrendWatch()
    end = time.monotonic() + seconds
    try:
        while True:
            trend = watch.add(sampler.sample())
            if enough(trend) or time.monotonic() > end:
                return trend
            time.sleep(0.3)  # the refresh delay
    finally:
        sampler.stop()


@pytest.mark.one_world
def test_a_group_that_fills_is_announced_and_who_fills_it() -> None:
    with (
        memory_group_of(limit=120 * MIB) as group,
        running("leak", group, mib=112, kib=512, pause=0.05) as leak,
    ):
        trend = follow(group, lambda t: t.forecast.eta_s is not None and t.grown is not None)
        pid = leak.pid
    assert trend.limit == 120 * MIB
    assert trend.forecast.eta_s is not None, trend
    assert (trend.forecast.rate or 0) > MIB
    assert trend.grown is not None, trend
    assert trend.grown.identity[0] == pid
    assert trend.grown.share > 0.5


@pytest.mark.one_world
def test_a_group_that_reads_its_files_again_and_again_is_thrashing(tmp_path: Path) -> None:
    path, mib = disk_file(tmp_path, 64)
    if mib < 48:
        pytest.skip("needs a file of 48 MiB that is not in memory")
    with memory_group_of(limit=24 * MIB) as group, running("rereads", group, path=path, mib=mib):
        trend = follow(group, lambda t: t.thrash.level in ("warn", "crit"))
    if trend.thrash.refaults is None and trend.thrash.scope is None:
        pytest.skip("this kernel tells neither of refaults nor of pressure")
    assert trend.thrash.level in ("warn", "crit"), trend.thrash
    assert "read again" in trend.thrash.words or "stalled" in trend.thrash.words
    assert trend.forecast.eta_s is None, "cache is no danger"
