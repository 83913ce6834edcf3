"""Q: a memory limit on the process under the cursor."""

from __future__ import annotations

import re
import resource
import subprocess

from tests.support.cgroups import MIB
from tests.support.terminal import Terminal
from tests.tui.children import named
from tests.tui.reading import on_main, point_at, start

SORT = ("--sort", "command", "--delay", "0.3")


def rlimit(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_DATA)


def ask(term: Terminal, child: subprocess.Popen[bytes], word: str, shown: str) -> None:
    """Open the dialog on a process, type a limit, and wait for what it would do."""
    point_at(term, child.pid)
    term.send("Q")
    term.wait_for("A memory limit for")
    term.type(word)
    term.wait_for(shown)


def test_a_limit_is_explained_set_and_taken_away() -> None:
    with named() as child, start(*SORT) as term:
        before = rlimit(child.pid)
        ask(term, child, "100M", "RLIMIT_DATA 100 MiB of private memory")
        term.wait_for("not covered: shared memory")
        term.send("Tab")
        term.wait_for("Way      cgroup, it alone")
        term.wait_for("stays charged where it is")
        term.send("Tab")
        term.wait_for("Way      data, it alone")
        term.send("Enter")
        term.wait_for("RLIMIT_DATA is 100 MiB now")
        assert rlimit(child.pid) == (100 * MIB, before[1])
        term.wait_for(on_main)
        ask(term, child, "none", "is taken away")
        term.send("Enter")
        term.wait_for(re.compile("RLIMIT_DATA is .* again"))
        assert rlimit(child.pid) == (before[1], before[1])


def test_read_only_limits_nothing() -> None:
    with named() as child, start(*SORT, "--readonly") as term:
        point_at(term, child.pid)
        term.send("Q")
        term.wait_for("read-only: nothing is limited")
        assert on_main(term.wait_for(on_main))
