"""Pressure as real kernels tell it: of the group that was asked for, else of the whole machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import worlds
from tests.support.cgroups import MIB, V2, Group, place
from tests.support.doctor import ask, findings
from tests.support.limited import MEMTUI, as_nobody
from tests.support.programs import running

HOST = Path("/proc/pressure/memory")

# A file that is four times as large as the group, touched again and again: all of it is reclaimed
# and read from its disk again and again.
CHURN = """
import mmap, os, signal
signal.alarm(60)
fd = os.open({file!r}, os.O_CREAT | os.O_RDWR)
for _ in range(32):
    os.write(fd, bytes(1 << 20))
os.fsync(fd)
seen = mmap.mmap(fd, 32 << 20, prot=mmap.PROT_READ)
while True:
    for i in range(0, 32 << 20, 4096):
        seen[i]
"""


class Averages(NamedTuple):
    """Per cent of the last 10 s."""

    some: float
    full: float


def truth(file: Path) -> Averages:
    """What the kernel's file says, read without memtui."""
    lines = {line.split()[0]: line.split()[1] for line in file.read_text().splitlines()}
    some, full = (float(lines[kind].removeprefix("avg10=")) for kind in Averages._fields)
    return Averages(some, full)


def told(group: Group | None = None) -> tuple[Averages, str]:
    """What `memtui quota` says of a group, or of our own, and whose pressure that is."""
    pressure = ask("quota", *(["--cgroup", group.cgroup] if group else []))["pressure"]
    return Averages(pressure["some_avg10"], pressure["full_avg10"]), pressure["scope"]


def until(found: Callable[[], bool], why: str) -> None:
    """Look again and again, for the kernel makes new averages each two seconds."""
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end, why
        time.sleep(0.2)


def same(file: Path, group: Group | None, scope: str) -> bool:
    """Whether memtui told, between two looks at the file, a number between what they saw.

    So it is once nothing stalls any more: the averages only fall then.
    """
    before = truth(file)
    numbers, whose = told(group)
    after = truth(file)
    assert whose == scope
    between = zip(before, numbers, after, strict=True)
    return all(b >= n >= a for b, n, a in between) and numbers.some > 0


@pytest.mark.psi
@pytest.mark.memory_v2
def test_the_pressure_is_that_of_the_group_that_was_asked_for(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    calm, stalled = memory_group.child("calm"), memory_group.child("stalled")
    file = stalled.dir / "memory.pressure"
    with running("hog", stalled, mib=200, pause=0.01):
        (stalled.dir / "memory.high").write_text(str(8 * MIB))
        until(lambda: truth(file).some > 0, "no pressure came about")
        numbers, scope = told(stalled)
        assert numbers.some > 0
        assert scope == "cgroup"
        assert told(calm) == (Averages(0.0, 0.0), "cgroup")
        numbers, scope = told(memory_group)
        assert numbers.some > 0, "a group's pressure holds that of the groups below"
        assert scope == "cgroup"
    until(lambda: same(file, stalled, "cgroup"), "memtui tells other numbers than the kernel")


@pytest.mark.psi
@pytest.mark.memory_v1
def test_on_v1_the_pressure_is_the_machine_s(v1: Group, tmp_path: Path) -> None:
    v1.set_limit(8 * MIB)
    with v1.python(CHURN.format(file=str(tmp_path / "file"))) as process:
        try:
            until(lambda: truth(HOST).some > 0, "no pressure came about")
        finally:
            process.kill()
    until(lambda: same(HOST, v1, "host"), "memtui tells other numbers than the kernel")


def own_scope() -> str | None:
    """Whose pressure an ordinary look at the machine finds."""
    if worlds.missing("psi"):
        return None
    found = place()
    if found is None or found.version == 1:
        return "host"
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = V2 / next(line for line in lines if line.startswith("0::"))[3:].lstrip("/")
    return "cgroup" if (own / "memory.pressure").exists() else "host"


@pytest.mark.world
@pytest.mark.parametrize("who", ["us", "nobody"])
def test_doctor_says_whose_pressure_there_is(who: str) -> None:
    finding = findings(prefix=as_nobody() if who == "nobody" else [])["pressure"]
    scope = own_scope()
    assert finding["facts"] == {"scope": scope}
    assert finding["state"] == {"cgroup": "ok", "host": "limited", None: "no"}[scope]
    assert (finding["why"] is None) == (scope == "cgroup")
    if scope is None:
        assert "psi=1" in finding["grant"]
        assert "/proc/pressure" in finding["why"]


@pytest.mark.world
def test_quota_tells_pressure_where_there_is_any() -> None:
    pressure, scope = ask("quota")["pressure"], own_scope()
    assert pressure["scope"] == scope
    for number in (pressure["some_avg10"], pressure["full_avg10"]):
        assert (number is None) == (scope is None)
        assert number is None or 0 <= number <= 100
    line = [*as_nobody(), *MEMTUI, "quota"]
    text = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
    assert ("pressure:" in text) == (scope is not None)
    assert (f"of 10 s ({scope})" in text) == (scope is not None)
