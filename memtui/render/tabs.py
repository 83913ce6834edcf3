"""The line above the table: the scopes, and what narrows it."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.model.scopes import TITLES
from memtui.render.spans import Line, fitted, spread, width_of
from memtui.text import safe

_SHORT = {"mine": "mine", "all": "all", "cgroups": "cgroups", "users": "users"} | {
    "programs": "programs", "notebooks": "notebooks",
}  # fmt: skip


def _labels(scopes: Sequence[str], width: int) -> list[tuple[str, str]]:
    """(scope, what stands for it), in words where there is room."""
    if sum(len(TITLES[s]) + 3 for s in scopes) + 1 <= width:
        return [(s, TITLES[s]) for s in scopes]
    return [(s, _SHORT[s]) for s in scopes]


def scopes_line(scopes: Sequence[str], current: str, words: Sequence[str], width: int) -> Line:
    """Return the scopes, the present one marked, and at the right what narrows the table.

    The words are the user's; where there is not room for both, the other scopes give way.
    """
    right: Line = []
    for i, text in enumerate(words):
        if i:
            right.append(("  ·  ", "muted"))
        right.append((safe(text), "warn"))
    right = [*_cut(right, width * 2 // 3), (" ", "")] if right else []
    left: Line = []
    for scope, label in _labels(scopes, width - width_of(right)):
        role = "tab" if scope == current else "muted"
        left += [(" ", ""), (f" {label} ", role)]
    if width_of(left) + width_of(right) > width:
        left = [(" ", ""), (f" {TITLES[current]} ", "tab")]
    return spread(left, right, width)


def _cut(line: Line, width: int) -> Line:
    """The line, or its beginning with … at the end."""
    if width_of(line) <= width:
        return line
    return [*fitted(line, max(0, width - 1)), ("…", "warn")]


def scope_at(
    x: int, scopes: Sequence[str], current: str, words: Sequence[str], width: int
) -> str | None:
    """Return the scope whose name lies at cell `x` of the line."""
    at = 0
    shown = {TITLES[s]: s for s in scopes} | {_SHORT[s]: s for s in scopes}
    for text, _ in scopes_line(scopes, current, words, width):
        if at <= x < at + len(text):
            return shown.get(text.strip())
        at += len(text)
    return None
