"""Lines of styled text, independent of who draws them.

A span is (text, role). A role says what the text means ("crit", "muted"), or how one glyph
stands on another ("anon on cache"); `palette` says which colour that is. The TUI, the first
frame and the text reports draw the same lines.
"""

from __future__ import annotations

from memtui.text import cells, clip

Span = tuple[str, str]
Line = list[Span]


def width_of(line: Line) -> int:
    """Return the width of a line in cells."""
    return sum(cells(text) for text, _ in line)


def role_at(line: Line, x: int) -> str:
    """Return the role of the cell `x` of a line; "" behind its end."""
    for text, role in line:
        x -= cells(text)
        if x < 0:
            return role
    return ""


def plain(line: Line) -> str:
    """Return a line's text without its roles."""
    return "".join(text for text, _ in line)


def fitted(line: Line, width: int, role: str = "") -> Line:
    """Return `line` cut or padded to exactly `width` cells, neighbours of one role joined."""
    out: Line = []
    left = width
    for text, r in line:
        w = cells(text)
        if cut := w > left:
            text = clip(text, left)
            w = cells(text)
        if text and out and out[-1][1] == r:
            out[-1] = (out[-1][0] + text, r)
        elif text:
            out.append((text, r))
        left -= w
        if cut or left <= 0:
            break
    if left > 0:
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + " " * left, role)
        else:
            out.append((" " * left, role))
    return out


def cut(line: Line, width: int) -> Line:
    """Return `line`, where it is too long its beginning with `…`."""
    if width_of(line) <= width:
        return line
    return [*fitted(line, max(0, width - 1)), ("…", "muted")] if width > 0 else []


def spread(left: Line, right: Line, width: int, role: str = "") -> Line:
    """Return `left` and `right` at the two ends of a line; `right` is never cut before `left`.

    `role` is that of the blanks between them.
    """
    room = width - width_of(right)
    if room <= 0:
        return fitted(right, width, role)
    return fitted(left, room, role) + right


def rule(title: Line, width: int, right: Line | None = None, start: str = "─") -> Line:
    """Return a horizontal rule that carries a title, and perhaps words at its right end."""
    line: Line = [(start + " ", "rule"), *title, (" ", "rule")]
    tail = [(" ", "rule"), *right, (" ─", "rule")] if right else []
    fill = width - width_of(line) - width_of(tail)
    if fill < 0 and tail:
        return rule(title, width, None, start)
    return fitted([*line, ("─" * max(0, fill), "rule"), *tail], width, "rule")
