"""What failed is run again: who passes then is named, who does not fails, many are no accident."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

SUITE = """
from pathlib import Path
import pytest
SEEN = Path(__file__).with_name("seen")

def test_right():
    assert True

@pytest.mark.parametrize("n", range({once}))
def test_once(n):
    first = not SEEN.exists() or str(n) not in SEEN.read_text().split()
    SEEN.open("a").write(f"{{n}} ")
    assert not first

def test_always():
    assert {right}
"""


def twice(folder: Path, once: int, right: bool) -> tuple[int, str, str]:
    """Run that suite, and what failed again: status, output, and who is called unsteady."""
    (folder / "test_it.py").write_text(SUITE.format(once=once, right=right))
    results, unsteady = folder / "results.xml", folder / "unsteady"
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    env |= {"PYTHONPATH": str(ROOT), "MEMTUI_UNSTEADY": str(unsteady), "MEMTUI_WORLD": "here"}
    pytest = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={results}"]
    subprocess.run(pytest, cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    again = [sys.executable, "-m", "tests.again", str(results)]
    done = subprocess.run(again, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, unsteady.read_text() if unsteady.exists() else ""


def test_who_fails_once_is_named_and_passes(tmp_path: Path) -> None:
    status, _, unsteady = twice(tmp_path, 2, True)
    assert status == 0
    assert [line.split(": ")[1] for line in unsteady.splitlines()] == [
        "test_it.py::test_once[0] (here)",
        "test_it.py::test_once[1] (here)",
    ]
    assert "<failure" not in (tmp_path / "results.xml").read_text()


def test_who_fails_again_fails(tmp_path: Path) -> None:
    status, said, unsteady = twice(tmp_path, 1, False)
    assert status == 1
    assert "failed: test_it.py::test_always" in said
    assert "test_always" not in unsteady


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    status, said, unsteady = twice(tmp_path, 5, True)
    assert (status, unsteady) == (1, "")
    assert said.count("failed: test_it.py::test_once") == 5
