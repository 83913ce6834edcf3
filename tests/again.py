"""Run what failed once more, by itself, in a process of its own: a failure has to repeat.

Real terminals, kernels and OOM kills on a machine that others use too: once in some thousand
tests something comes late. A test that passes then is called unsteady, by name, and counted;
more than a few of them are no accident, and fail as they are.

    python -m tests.again RESULTS.xml
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

MOST = 4
"""So many failures may be accidents."""

_BAD = ("failure", "error")


def _cases(tree: ElementTree.ElementTree[ElementTree.Element]) -> list[ElementTree.Element]:
    return list(tree.getroot().iter("testcase"))


def _failed(case: ElementTree.Element) -> bool:
    return any(case.find(tag) is not None for tag in _BAD)


def node_id(case: ElementTree.Element) -> str:
    """What pytest calls it: tests/model/test_tree.py::test_order[up]."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def failures(results: Path) -> list[str]:
    """The failed tests of a JUnit file, each once. Raises OSError or ParseError."""
    return list(dict.fromkeys(node_id(c) for c in _cases(ElementTree.parse(results)) if _failed(c)))


def _mend(case: ElementTree.Element) -> None:
    for tag in _BAD:
        for bad in case.findall(tag):
            case.remove(bad)
    properties = case.find("properties")
    if properties is None:
        properties = ElementTree.SubElement(case, "properties")
    ElementTree.SubElement(properties, "property", name="unsteady", value="passed when run again")


def repeat(results: Path, run: Callable[[Path, Sequence[str]], object]) -> list[str]:
    """Run what failed again with `run(new results, names)`; return who passed then.

    Those are passed in `results`, too. Nothing is run where more failed than may be accidents.
    """
    names = failures(results)
    if not 0 < len(names) <= MOST:
        return []
    new = results.with_name(f"again-{results.name}")
    run(new, names)
    if not new.exists():
        return []
    ran = [c for c in _cases(ElementTree.parse(new)) if c.find("skipped") is None]
    steady = {node_id(c) for c in ran if _failed(c)}
    passed = [n for n in names if n in {node_id(c) for c in ran} - steady]
    tree = ElementTree.parse(results)
    for case in _cases(tree):
        if node_id(case) in passed:
            _mend(case)
    tree.write(results, encoding="utf-8", xml_declaration=True)
    return passed


def tell(passed: Sequence[str], where: str) -> None:
    """Name who passed when run again, also in the file that MEMTUI_UNSTEADY names."""
    lines = [f"unsteady, passed when run again: {name} ({where})" for name in passed]
    print("\n".join(lines), flush=True)
    if lines and (file := os.environ.get("MEMTUI_UNSTEADY")):
        with open(file, "a") as out:
            out.write("\n".join([*lines, ""]))


def _here(new: Path, names: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "pytest", f"--junit-xml={new}", *names], check=False)


def main() -> int:
    """Repeat; fail where something failed again, or nothing was run."""
    results = Path(sys.argv[1])
    tell(repeat(results, _here), os.environ.get("MEMTUI_WORLD", f"Python {sys.version.split()[0]}"))
    left = failures(results)
    print("\n".join(f"failed: {name}" for name in left))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
