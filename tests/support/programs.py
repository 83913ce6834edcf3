"""The test programs of tests/programs: started in a group or not, and read with a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.cgroups import Group
from tests.support.waiting import readable

FOLDER = Path(__file__).resolve().parents[1] / "programs"


def line(name: str, **given: object) -> list[str]:
    """The command that runs a test program."""
    words = [f"{key}={value}" for key, value in given.items()]
    return [sys.executable, "-S", str(FOLDER / f"{name}.py"), *words]


class Program:
    """A test program that runs, and what it has said so far: for each word its numbers."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said: dict[str, list[int]] = {}
        self._rest = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, word: str, times: int = 1, timeout_s: float = 30.0) -> int:
        """Read until it has said `word` so often; return the last number with it."""
        end = time.monotonic() + timeout_s
        while len(self.said.get(word, [])) < times:
            assert self._read(end - time.monotonic()), f"never said {word}: {self.said}"
        return self.said[word][-1]

    def ended(self, timeout_s: float = 30.0) -> int:
        """Read to its end; return its exit status, negative for a signal."""
        end = time.monotonic() + timeout_s
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(1.0, end - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        out = self.process.stdout
        assert out is not None
        if not readable(out.fileno(), seconds):
            return False
        data = os.read(out.fileno(), 1 << 16)
        *whole, self._rest = (self._rest + data).split(b"\n")
        for said in whole:
            word, _, number = said.decode().partition(" ")
            self.said.setdefault(word, []).append(int(number))
        return bool(data)

    def end(self) -> None:
        """Kill it and what it forked, and reap it."""
        for pid in self.said.get("process", []):
            if str(FOLDER) in _command(pid):  # the number may be another's by now
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def running(
    name: str, group: Group | None = None, prefix: Sequence[str] = (), **given: object
) -> Iterator[Program]:
    """A test program that has begun, in `group` if one is given; it is gone afterwards."""
    argv = [*prefix, *line(name, **given)]
    process = (
        subprocess.Popen(argv, stdout=subprocess.PIPE)
        if group is None
        else group.start(argv, stdout=subprocess.PIPE)
    )
    program = Program(process)
    try:
        program.wait_for("ready")
        yield program
    finally:
        program.end()
        if name == "tmpfs":  # SIGKILL lets it remove nothing
            Path(str(given["directory"]), f"memtui-test-{program.pid}").unlink(missing_ok=True)


def disk_file(folder: Path, mib: int) -> tuple[Path, int]:
    """A file for the `cache` program, and how many MiB of it there are, `mib` at most.

    It is made in `folder`; where that is in memory, as in a booted kernel, the biggest program
    of the machine serves.
    """
    if _file_system(folder) not in ("tmpfs", "overlay"):
        made = folder / "file"
        with open(made, "wb") as file:
            file.write(os.urandom(1 << 16) * (mib << 4))
            os.fsync(file.fileno())
        return made, mib
    programs = [p for p in Path("/usr/bin").iterdir() if p.is_file() and not p.is_symlink()]
    biggest = max(programs, key=lambda p: p.stat().st_size)
    return biggest, min(mib, biggest.stat().st_size >> 20)


def _file_system(folder: Path) -> str:
    """The type of the file system that a directory is on."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = {x.split()[4]: x.partition(" - ")[2].split()[0] for x in lines}
    return points[max((p for p in points if folder.is_relative_to(p)), key=len)]
