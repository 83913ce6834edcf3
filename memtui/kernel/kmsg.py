"""/dev/kmsg: the kernel log, record by record, and its clock.

Source: Documentation/ABI/testing/dev-kmsg. A read returns one record, EAGAIN at the end, EPIPE
where records were overwritten before they were read. The times of the records are microseconds
of the scheduler's clock since boot: within some milliseconds CLOCK_MONOTONIC, which stands still
while the machine sleeps.
"""

from __future__ import annotations

import os
import stat
import time as clock
from typing import NamedTuple

from memtui.kernel.errors import Denied, Gone, KernelError, classify
from memtui.kernel.probe import CAP_SYSLOG, KMSG, has_capability, read_dmesg_restrict

_RECORD = 1 << 14  # CONSOLE_EXT_LOG_MAX is half of it
_AT_ONCE = 1 << 16  # records; a flood must not hold up the reader for ever
_DEVICE = (1, 11)  # Documentation/admin-guide/devices.txt
GRANT = "CAP_SYSLOG (root has it) or kernel.dmesg_restrict=0"


class BootClock(NamedTuple):
    """How times since boot become times."""

    offset: float  # seconds from the epoch to zero of CLOCK_MONOTONIC
    error_s: float  # a record may be that much older: the time that the machine slept since boot

    def epoch(self, monotonic: float, now: float) -> float:
        """Return the epoch of a record; never later than `now`."""
        return min(now, self.offset + monotonic)


def read_clock() -> BootClock:
    """Return the clock of the kernel log; exact for what is read as it comes."""
    monotonic = clock.clock_gettime(clock.CLOCK_MONOTONIC)
    slept = clock.clock_gettime(clock.CLOCK_BOOTTIME) - monotonic
    return BootClock(clock.time() - monotonic, max(0.0, slept))


def read_boot_time() -> float:
    """Return when the machine was started, in seconds since the epoch."""
    return clock.time() - clock.clock_gettime(clock.CLOCK_BOOTTIME)


class Refused(Denied):
    """/dev/kmsg may not be read: why, and what would grant it."""

    def __init__(self, path: str, why: str, grant: str) -> None:
        super().__init__(path, f"{why}; {grant} would grant it")
        self.why = why
        self.grant = grant


def _refused(path: str) -> Refused:
    if has_capability(CAP_SYSLOG):
        why = "refused although we have CAP_SYSLOG here: by a container"
        return Refused(path, why, "running on the host itself")
    restrict = read_dmesg_restrict()
    setting = "?" if restrict is None else restrict
    return Refused(path, f"kernel.dmesg_restrict is {setting} and we have no CAP_SYSLOG", GRANT)


class Kmsg:
    """The kernel log, read without waiting."""

    def __init__(self, path: str = KMSG) -> None:
        """Open it at its beginning. Raises Refused, Gone or another KernelError."""
        self._next: int | None = None
        self.oldest: tuple[int, float] | None = None
        """Sequence number, and seconds since boot, of the oldest record that was read."""
        self.lost = 0
        """Records that were overwritten before they were read."""
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            error = classify(e, path)
            raise _refused(path) if isinstance(error, Denied) else error from e
        found = os.fstat(self._fd)
        device = os.major(found.st_rdev), os.minor(found.st_rdev)
        if not stat.S_ISCHR(found.st_mode) or device != _DEVICE:
            os.close(self._fd)
            raise Gone(path, "not the kernel log, but something else in its place")

    def fileno(self) -> int:
        """Return the descriptor: readable when there is a record."""
        return self._fd

    def seek_end(self) -> None:
        """Go after the newest record."""
        os.lseek(self._fd, 0, os.SEEK_END)
        self._next = None

    def read(self) -> list[bytes]:
        """Return the records that are there, oldest first. Raises a KernelError."""
        records: list[bytes] = []
        while len(records) < _AT_ONCE:
            try:
                record = os.read(self._fd, _RECORD)
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # the next read goes on at the oldest that is kept
            except OSError as e:
                raise classify(e, KMSG) from e
            if not record:
                raise KernelError(KMSG, "it ends")
            self._count(record)
            records.append(record)
        return records

    def _count(self, record: bytes) -> None:
        """Count the gap before a record by the sequence numbers."""
        number, micros = (*record[:64].split(b",", 3), b"", b"", b"")[1:3]
        if not number.isdigit() or not micros.isdigit():
            return
        if self._next is not None:
            self.lost += max(0, int(number) - self._next)
        self._next = int(number) + 1
        self.oldest = self.oldest or (int(number), int(micros) / 1e6)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)
