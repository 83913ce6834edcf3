"""The design, held: layers, the house numbers, and no foreign text where markup is read."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import source

PACKAGE = source.files("memtui")
TUI = source.files("memtui/tui")

FRESH = """
import json, sys
from memtui.cli.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as e:
    status = e.code or 0
heavy = sorted({"textual", "rich", "plotext"} & set(sys.modules))
sys.stderr.write("\\n" + json.dumps([status, heavy]))
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["--version"],
        ["ps"],
        ["ps", "--json"],
        ["quota"],
        ["quota", "--json"],
        ["doctor"],
        ["explain", "--for", "0"],
        ["oom", "--log", "/dev/null"],
        ["run", "--limit", "500M", "--method", "data", "--", "true"],
    ],
    ids=" ".join,
)
def test_the_text_commands_never_import_textual(argv: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH, *argv], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []], done.stderr


def test_a_plot_in_a_report_needs_plotext_alone() -> None:
    argv = ["run", "-v", "--limit", "500M", "--method", "data", "--", "sleep", "0.3"]
    done = subprocess.run(
        [sys.executable, "-c", FRESH, *argv], capture_output=True, text=True, timeout=60
    )
    status, heavy = json.loads(done.stderr.splitlines()[-1])
    assert (status, set(heavy) - {"plotext"}) == (0, set()), done.stderr


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(source.ROOT)))
def test_only_the_kernel_layer_opens_kernel_files(path: Path) -> None:
    if path.is_relative_to(source.ROOT / "memtui/kernel"):
        return
    assert [source.where(path, n) for n in source.kernel_opens(source.tree(path))] == []


def test_the_rule_on_kernel_files_sees_them() -> None:
    code = """
open("/proc/meminfo"); os.open(f"/proc/{pid}/stat", 0); Path("/sys") / "fs"; x.exists("/proc" + y)
print("/proc/meminfo"); open(path); open("/etc/passwd"); label = "/sys/fs/cgroup"
"""
    assert [n.lineno for n in source.kernel_opens(ast.parse(code))] == [2, 2, 2, 2]


def test_no_file_is_longer_than_450_lines() -> None:
    long = {
        str(p.relative_to(source.ROOT)): n
        for p in source.files("memtui", "tests", "tools")
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    found = (f for p in source.files("memtui", "tests", "tools") for f in source.lengths(p))
    assert [f for f in found if f.lines > 60] == []


def test_most_functions_are_short() -> None:
    lines = [f.lines for p in PACKAGE for f in source.lengths(p)]
    assert statistics.median(lines) <= 7
    assert statistics.quantiles(lines, n=10)[-1] <= 25


@pytest.mark.parametrize("path", TUI, ids=lambda p: str(p.relative_to(source.ROOT)))
def test_no_foreign_text_is_read_as_markup(path: Path) -> None:
    assert [source.where(path, n) for n in source.markup_leaks(source.tree(path))] == []


@pytest.mark.parametrize(
    ("code", "leaks"),
    [
        ('self.notify("fixed words")', 0),
        ('self.notify(f"{name} ended")', 1),
        ('self.notify(f"{name} ended", markup=False)', 0),
        ("self.notify(outcome.text)", 1),
        ("Static(name)", 1),
        ("Static(Content(name))", 0),
        ("Static()", 0),
        ("Label('Kill' if one else name)", 1),
        ("label.update(f'{name}')", 1),
        ("label.update('of ' + name)", 1),
        ("label.update(Content.from_text(name, markup=False))", 0),
        ("label.update(Content('/').join(parts))", 0),
        ("label.update('/'.join(parts))", 1),
        ("seen.update(names)", 0),
        ("box.border_title = name", 1),
        ("box.border_title = Content(name)", 0),
        ("box.border_title = Content(name).markup", 1),
        ("box.border_title = 'Processes'", 0),
    ],
)
def test_the_rule_on_markup_sees_what_leaks(code: str, leaks: int) -> None:
    assert len(list(source.markup_leaks(ast.parse(code)))) == leaks


def test_the_command_line_starts_the_tui_in_one_function_only() -> None:
    holders = []
    for path in [*source.files("memtui/cli"), source.ROOT / "memtui/__main__.py"]:
        module = source.tree(path)
        inside = {
            id(statement): node.name
            for node in ast.walk(module)
            if isinstance(node, source.Function)
            for _, statement in source.imports(node)
        }
        holders += [
            f"{path.relative_to(source.ROOT)} {inside.get(id(statement), 'at the top')}"
            for name, statement in source.imports(module)
            if source.is_within(name, "memtui.tui")
        ]
    assert len(set(holders)) <= 1, holders
    assert not any(holder.endswith("at the top") for holder in holders)


def test_one_file_only_knows_plotext() -> None:
    users = {
        str(path.relative_to(source.ROOT))
        for path in PACKAGE
        for name, _ in source.imports(source.tree(path))
        if source.is_within(name, "plotext")
    }
    assert len(users) <= 1, users
