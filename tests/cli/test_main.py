"""`memtui` itself: which subcommand runs, wrong use, and how it ends without a terminal."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from memtui import __version__
from memtui.cli import main as cli
from memtui.cli.common import UsageError
from memtui.cli.screen import Options, options
from memtui.model.query import Order
from tests.support.limited import MEMTUI


def memtui(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MEMTUI, *args],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_version() -> None:
    assert memtui("--version").stdout == f"memtui {__version__}\n"


def test_help_names_every_subcommand_and_each_has_its_own() -> None:
    text = memtui("--help").stdout
    for name, what in cli.SUBCOMMANDS.items():
        assert f"memtui {name}" in text
        done = memtui(name, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: memtui {name}")
        assert what in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "args",
    [
        ["nope"],
        ["--nope"],
        ["--delay", "x"],
        ["--delay", "0"],
        ["--delay", "nan"],
        ["--delay", "-1"],
        ["--delay", "1e9"],
        ["--sort", "nope"],
        ["--root", "/nonexistent"],
        ["--root", "/etc"],
        ["--root"],
        ["quota", "--nope"],
        ["quota", "--cgroup", "/no\x1b[31m/such"],
        ["run"],
        ["run", "--limit", "x", "true"],
        ["run", "--method", "x", "--limit", "5M", "true"],
        [],
        ["--delay", "1"],
    ],
    ids=repr,
)
def test_wrong_use_is_one_sentence_and_status_2(args: list[str]) -> None:
    done = memtui(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"memtui: [^\x00-\x1f]{8,250}\n", done.stderr)


def test_options() -> None:
    assert options([], cli.SUBCOMMANDS) == Options()
    made = options(["-d", "0.5", "-s", "CPU%", "--readonly", "--cgroup", "/a"], cli.SUBCOMMANDS)
    assert made == Options(0.5, Order("cpu"), "", "", "/a", True)


def test_another_machine_is_read_only() -> None:
    made = options(["--root", "//"], cli.SUBCOMMANDS)
    assert (made.root, made.readonly) == ("", False), "/ is this machine"
    with pytest.raises(UsageError):
        options(["--root", "/etc"], cli.SUBCOMMANDS)


def test_python_m_memtui_is_memtui() -> None:
    code = "import runpy, sys; sys.argv = ['memtui', '--version']; runpy.run_module('memtui', run_name='__main__')"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"memtui {__version__}\n"
