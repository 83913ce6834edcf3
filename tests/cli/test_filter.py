"""--filter of memtui and of memtui ps, on real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.limited import MEMTUI
from tests.tui.reading import MOUSE, Framed, column, table

NAME = "memtui-test-filter"


def memtui(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MEMTUI, *args], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose command line nobody else's holds."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    made = subprocess.Popen(
        [sys.executable, "-S", "-c", code, NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert made.stdout is not None
    made.stdout.readline()
    yield made
    made.kill()
    made.communicate()


def test_ps_prints_only_whom_the_filter_lets_through(child: subprocess.Popen[bytes]) -> None:
    done = memtui("ps", "--filter", f"cmd~{NAME} pid={child.pid}")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if NAME in line]
    assert len(rows) == 1
    assert rows[0].split()[0] == str(child.pid)
    assert "\n1 of " in done.stdout


def test_ps_as_json_too(child: subprocess.Popen[bytes]) -> None:
    done = memtui("ps", "--json", "-F", f"pid={child.pid}|1")
    pids = {row["pid"] for row in json.loads(done.stdout)["processes"]}
    assert pids == {1, child.pid}


def test_ps_reads_what_only_the_filter_asks_for(child: subprocess.Popen[bytes]) -> None:
    assert str(child.pid) in memtui("ps", "-F", f"pss>100k pid={child.pid}").stdout
    assert NAME not in memtui("ps", "-F", f"pss>100g {NAME} pid={child.pid}").stdout


@pytest.mark.parametrize("command", [["ps"], []], ids=["ps", "screen"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mem>2x", "'2x' is not a size"),
        ("mme>2", "no field 'mme'"),
        ("mem>", "nothing after mem>"),
        ("'", "not closed"),
    ],
)
def test_a_filter_that_is_none_is_wrong_use(command: list[str], text: str, words: str) -> None:
    done = memtui(*command, "--filter", text)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_screen_begins_with_the_filter(child: subprocess.Popen[bytes]) -> None:
    with Framed([*MEMTUI, "--filter", f"cmd~{NAME} pid={child.pid}"], 120, 36) as term:
        lines = term.wait_for(lambda lines: column(lines, "PID") == [str(child.pid)])
        assert f"filter cmd~{NAME}" in "\n".join(lines)
        assert "1 of " in "\n".join(lines)
        term.wait_for(lambda _: MOUSE in term.modes)
        term.send("Esc")
        term.wait_for(lambda lines: len(table(lines)) > 3)
