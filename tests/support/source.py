"""What the syntax trees of the package say; rules that no linter has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef

_OPENER = re.compile(
    "open|Path|read_bytes|read_text|listdir|scandir|l?stat|statvfs|readlink|access|exists|isdir"
    "|isfile|walk|glob|iterdir|opendir"
)
_KERNEL = ("/proc", "/sys", "/dev/kmsg")
_SINKS = frozenset(("notify", "Label", "Static", "update"))
_TITLES = frozenset(("border_title", "border_subtitle", "tooltip"))
_SAFE = frozenset(("Content", "Text"))  # and what is made of them


class Length(NamedTuple):
    """A function and its lines, the docstring not counted."""

    lines: int
    where: str


def files(*folders: str) -> list[Path]:
    """Every Python file below `folders` of the repository."""
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def where(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def lengths(path: Path) -> Iterator[Length]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield Length(_body(node), f"{where(path, node)} {node.name}")


def _body(node: Function) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)


def called(node: ast.Call) -> str:
    """The last name of what is called: `open` of `os.open`."""
    func = node.func
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def kernel_opens(module: ast.Module) -> Iterator[ast.Call]:
    """Calls that open, list or test a path of the kernel's."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _OPENER.fullmatch(called(node)):
            parts = [*node.args[:1], *(k.value for k in node.keywords)]
            if any(_beginning(part).startswith(_KERNEL) for part in parts):
                yield node


def _beginning(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        return _beginning(node.values[0])
    if isinstance(node, ast.BinOp):
        return _beginning(node.left)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def markup_leaks(module: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    """Places where text that is not written in the source could be read as markup."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and called(node) in _SINKS and node.args:
            strict = called(node) != "update"  # dict.update and set.update have that name too
            if not _no_markup(node) and _foreign(node.args[0], strict):
                yield node
        elif isinstance(node, ast.Assign) and _foreign(node.value, strict=True):
            names = [t.attr for t in node.targets if isinstance(t, ast.Attribute)]
            if _TITLES.intersection(names):
                yield node


def _no_markup(node: ast.Call) -> bool:
    return any(
        k.arg == "markup" and isinstance(k.value, ast.Constant) and k.value.value is False
        for k in node.keywords
    )


def _foreign(node: ast.expr, strict: bool) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "markup":
        return True  # Textual's escaping is not whole: `[/b` comes out as it went in, and raises
    if isinstance(node, ast.Constant) or _root(node) in _SAFE:
        return False
    if isinstance(node, ast.IfExp):
        return _foreign(node.body, strict) or _foreign(node.orelse, strict)
    if isinstance(node, ast.Call):
        return strict or called(node) in ("format", "join", "str", "safe", "show")
    if isinstance(node, ast.BinOp):
        return strict or any(map(_is_text, ast.walk(node)))
    return strict or _is_text(node)


def _root(node: ast.expr) -> str:
    """The name that a chain of calls and attributes begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return isinstance(node, ast.JoinedStr)


def imports(module: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Every imported module by its dotted name (`from a import b` gives `a` and `a.b`)."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def is_within(name: str, package: str) -> bool:
    """Whether the dotted `name` is `package` or stands below it."""
    return name == package or name.startswith(package + ".")
