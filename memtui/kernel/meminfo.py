"""The whole machine's memory: /proc/meminfo, /proc/vmstat and PSI.

Inside most containers these tell of the host, not of the container.
Sources: Documentation/filesystems/proc.rst and accounting/psi.rst.
"""

from __future__ import annotations

from typing import NamedTuple

from memtui.kernel.files import Files, find_field, parse_number
from memtui.kernel.procfs import parse_kb_table
from memtui.kernel.roots import Roots, read_optional


class MemInfo(NamedTuple):
    """Lines of /proc/meminfo in bytes; None where the kernel has no such line."""

    total: int | None = None
    free: int | None = None
    available: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None
    active_file: int | None = None
    inactive_file: int | None = None
    anon: int | None = None
    shmem: int | None = None
    slab_reclaimable: int | None = None
    slab_unreclaimable: int | None = None
    kernel_stack: int | None = None
    page_tables: int | None = None
    percpu: int | None = None


_KEYS = (
    b"MemTotal:",
    b"MemFree:",
    b"MemAvailable:",
    b"SwapTotal:",
    b"SwapFree:",
    b"Active(file):",
    b"Inactive(file):",
    b"AnonPages:",
    b"Shmem:",
    b"SReclaimable:",
    b"SUnreclaim:",
    b"KernelStack:",
    b"PageTables:",
    b"Percpu:",
)


class Psi(NamedTuple):
    """Pressure: per cent of the last 10 s in which some, or all, tasks waited for memory.

    The totals are microseconds of such waiting since the group was made, or since boot.
    """

    some_avg10: float | None = None
    full_avg10: float | None = None
    some_total: int | None = None
    full_total: int | None = None


def parse_meminfo(data: bytes) -> MemInfo:
    """Return the lines that memtui uses, in bytes; a line that is cut short is unknown."""
    found = [data.find(b"\n" + key) + 1 for key in _KEYS]
    values = []
    for key, i in zip(_KEYS, found, strict=True):
        known = i or data.startswith(key)
        end = data.find(b" kB", i) if known else -1
        kib = parse_number(data[i + len(key) : end]) if end >= 0 else None
        values.append(None if kib is None else kib * 1024)
    return MemInfo(*values)


def parse_vmstat(data: bytes) -> int | None:
    """Return `oom_kill`: how many processes the kernel's OOM killer ended since boot (4.13+)."""
    return find_field(data, b"oom_kill", whole=False)


def _percent(number: bytes) -> float | None:
    digits = number.replace(b".", b"", 1)
    return float(number) if digits.isdigit() and len(number) < 9 else None


def _waiting(data: bytes, kind: bytes) -> tuple[float | None, int | None]:
    """The line `some avg10=1.50 … total=9`; a total without its newline was cut short."""
    i = 0 if data.startswith(kind + b" ") else data.find(b"\n" + kind + b" ") + 1
    if not i and not data.startswith(kind + b" "):
        return None, None
    line, newline, _ = data[i:].partition(b"\n")
    average = line[len(kind) + 1 :].split(b" ", 1)[0]
    percent = _percent(average[6:]) if average.startswith(b"avg10=") else None
    return percent, parse_number(line.rpartition(b" total=")[2]) if newline else None


def parse_pressure(data: bytes) -> Psi:
    """Return the ten-second averages of a `memory.pressure` file, in per cent, and its totals."""
    some, full = _waiting(data, b"some"), _waiting(data, b"full")
    return Psi(some[0], full[0], some[1], full[1])


class HostReader:
    """The machine's numbers, read every second through kept descriptors."""

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc
        self._files = Files(roots)

    def meminfo(self) -> MemInfo:
        """Return /proc/meminfo; all unknown where it cannot be read."""
        return parse_meminfo(self._files.read(self._proc + "/meminfo") or b"")

    def oom_kill(self) -> int | None:
        """Return `oom_kill` of /proc/vmstat."""
        data = self._files.read_until(self._proc + "/vmstat", b"\noom_kill ")
        return parse_vmstat(data or b"")

    def pressure(self) -> Psi:
        """Return /proc/pressure/memory; unknown where PSI is off."""
        return parse_pressure(self._files.read(self._proc + "/pressure/memory") or b"")

    def close(self) -> None:
        """Close the kept descriptors."""
        self._files.close()


def read_table(roots: Roots) -> dict[str, int]:
    """Return every line of /proc/meminfo that has a unit, in bytes; empty where unreadable."""
    return parse_kb_table(read_optional(roots.proc + "/meminfo") or b"")


def read_oom_kill(roots: Roots) -> int | None:
    """Return `oom_kill` of /proc/vmstat, once."""
    return parse_vmstat(read_optional(roots.proc + "/vmstat") or b"")
