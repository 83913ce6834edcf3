"""memtui beside htop and smem: `unshare -pf --mount-proc python -m tools.benchmarks.peers`.

In a crowd of small processes, some of them at work, each program runs in a pseudo-terminal of one
size, in turn: memtui with every column, memtui with its usual ones, htop with its PSS column, which
then reads every smaps_rollup as memtui does. Printed is CPU time (utime + stime) per refresh of one
second after a warm-up, and that of `memtui ps -tk` beside `smem -tk`, as medians and ratios.
Without `unshare`, which needs root, everybody else's processes are looked at, too. What is not
installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from memtui.model.fields import FIELDS

_HTOP = """\
htop_version=3.2.2
config_reader_min_version=3
fields=0 48 17 18 38 39 40 2 46 47 49 1
hide_userland_threads=1
delay=10
screen:Main=PID USER PRIORITY NICE M_VIRT M_RESIDENT M_SHARE M_PSS STATE PERCENT_CPU TIME Command
.sort_key=M_PSS
.sort_direction=-1
"""
_WORK = "while :; do sleep 1; done"
_TICKS = os.sysconf("SC_CLK_TCK")


class Tool(NamedTuple):
    """A program to be measured, and the settings that it finds."""

    name: str
    argv: tuple[str, ...]
    file: str = ""
    text: str = ""


def _monitors() -> list[Tool]:
    keys = ", ".join(f'"{f.key}"' for f in FIELDS)
    memtui = sys.executable, "-m", "memtui"
    file = "memtui/config.toml"
    tools = [
        Tool("memtui, all columns", memtui, file, f'columns = [{keys}]\nsort = "pss"\n'),
        Tool("memtui, default", memtui),
    ]
    htop = shutil.which("htop")
    return [*tools, Tool("htop, PSS", (htop,), "htop/htoprc", _HTOP)] if htop else tools


def _listings() -> list[Tool]:
    tools = [Tool("memtui ps -tk", (sys.executable, "-m", "memtui", "ps", "-tk"))]
    smem = shutil.which("smem")
    return [*tools, Tool("smem -tk", (smem, "-tk"))] if smem else tools


@contextlib.contextmanager
def _crowd(count: int, active: int) -> Iterator[None]:
    """`count` small processes; `active` of them are shells that begin a program each second."""
    argv = [["sleep", "infinity"]] * (count - active) + [["sh", "-c", _WORK]] * active
    group = None
    made = []
    try:
        for words in argv:
            made.append(subprocess.Popen(words, process_group=group or 0))
            group = group or made[0].pid
        yield
    finally:
        if group is not None:
            os.killpg(group, 9)
        for child in made:
            child.wait()


def _cpu_s(pid: int) -> float:
    """CPU time of a process and of its children that ended, in seconds."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, parts[11:15])) / _TICKS


def _drain(fd: int, seconds: float) -> None:
    """Read what is drawn for some seconds, as a terminal does."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            os.read(fd, 1 << 16)


def _monitor_ms(tool: Tool, asked: argparse.Namespace) -> float:
    """CPU milliseconds that a monitor spends on one refresh."""
    cols, rows = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as home:
        if tool.file:
            path = Path(home, tool.file)
            path.parent.mkdir()
            path.write_text(tool.text)
        env = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        pid, fd = pty.fork()
        if not pid:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execvpe(tool.argv[0], tool.argv, {**env, "TERM": "xterm-256color"})
        try:
            _drain(fd, asked.warm)
            before = _cpu_s(pid)
            _drain(fd, asked.refreshes)
            return (_cpu_s(pid) - before) / asked.refreshes * 1000
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(fd)


def _listing_ms(tool: Tool, _: argparse.Namespace) -> float:
    """CPU milliseconds of one listing, from its begin to its end."""
    child = subprocess.Popen(tool.argv, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return (used.ru_utime + used.ru_stime) * 1000


def _table(title: str, found: dict[str, list[float]]) -> None:
    first = next(iter(found))
    base = statistics.median(found[first])
    print(f"\n{title}\n{'':<22}{'CPU ms':>9}{'lowest':>9}{'highest':>9}   x {first}")
    for name, values in found.items():
        middle = statistics.median(values)
        print(f"{name:<22}{middle:9.1f}{min(values):9.1f}{max(values):9.1f}   {middle / base:.2f}")
    sys.stdout.flush()


def _measure(count: int, asked: argparse.Namespace) -> None:
    of = f"{count} processes, {asked.active} at work"
    plans = (
        (f"per refresh, {of}, {asked.size}", _monitors(), _monitor_ms, asked.rounds),
        (f"one listing, {of}", _listings(), _listing_ms, 2 * asked.rounds + 1),
    )
    with _crowd(count, asked.active):
        for title, tools, measure, rounds in plans:
            found: dict[str, list[float]] = {t.name: [] for t in reversed(tools)}
            for i in range(rounds):
                for tool in tools[:: -1 if i % 2 else 1]:
                    found[tool.name].append(measure(tool, asked))
            _table(title, found)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, help="processes; 1000 and 5000 by default")
    parser.add_argument("--active", type=int, default=20, help="how many of them work")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--refreshes", type=int, default=20)
    parser.add_argument("--warm", type=float, default=10.0, help="seconds before it is measured")
    parser.add_argument("--size", default="240x50", help="of the terminal")
    asked = parser.parse_args(argv)
    for count in asked.counts or [1000, 5000]:
        _measure(count, asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
