"""/dev/kmsg as it is here: records whole, none twice, refused in words."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from memtui.kernel.errors import Gone, KernelError
from memtui.kernel.kmsg import BootClock, Kmsg, read_boot_time, read_clock
from memtui.kernel.logline import LineReader

pytestmark = pytest.mark.world


@pytest.mark.kmsg
def test_the_records_of_this_boot_come_in_order() -> None:
    kmsg = Kmsg()
    try:
        first = kmsg.read()
        entries = [
            entry for record in first if (entry := LineReader().read(record.split(b"\n")[0]))
        ]
        times = [entry.monotonic for entry in entries]
        assert times
        assert all(t is not None and 0 <= t <= time.monotonic() + 1 for t in times)
        assert len({record.split(b",")[1] for record in first}) == len(first)
    finally:
        kmsg.close()


@pytest.mark.kmsg
def test_from_the_end_only_new_records_come() -> None:
    kmsg = Kmsg()
    try:
        old = {record.split(b",")[1] for record in kmsg.read()}
        kmsg.seek_end()
        assert not old & {record.split(b",")[1] for record in kmsg.read()}
        assert kmsg.fileno() > 2
    finally:
        kmsg.close()


def test_what_is_not_the_kernel_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"4,1,1,-;x\n")
    for path in ("/dev/null", str(tmp_path / "file"), str(tmp_path / "none")):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(Gone):
            Kmsg(path)
        assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(KernelError):
        Kmsg(str(tmp_path / ("x" * 300)))


def test_times_since_boot_become_times() -> None:
    clock = read_clock()
    now = time.time()
    assert abs(clock.epoch(time.monotonic(), now) - now) < 1
    assert clock.error_s >= 0
    assert read_boot_time() <= now
    assert BootClock(100.0, 0.0).epoch(5.0, 1000.0) == 105.0
    assert BootClock(100.0, 0.0).epoch(5.0, 101.0) == 101.0
