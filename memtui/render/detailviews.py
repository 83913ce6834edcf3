"""Views of one process beside its details: open files, mappings, environment. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.kernel.procmore import OpenFile
from memtui.model.detail import FILES, Detail, Environment, Mappings
from memtui.render.postmortem import wrap
from memtui.render.spans import Line, fitted, width_of
from memtui.text import cells, elide, elide_left, fit, show
from memtui.units import size


def cut(lines: list[Line], width: int) -> list[Line]:
    """Return lines, none of them wider than `width` cells."""
    return [fitted(line, min(width, width_of(line))) for line in lines]


def unknown(what: str, why: str, width: int) -> list[Line]:
    """Return that something is not known, and why."""
    first, *rest = wrap(f"{what} ? {why}", max(8, width - 2))
    return [[("  ", ""), (first, "muted")], *([("    ", ""), (row, "muted")] for row in rest)]


def files_head(width: int) -> Line:
    """Return the header of a list of files."""
    return [(fit(f"{'FD':>7} {'TAKES':>6} {'SIZE':>6}  {'WHERE':<14} FILE", width), "head")]


def _where(file: OpenFile) -> str:
    place = "memory" if file.memory else "disk" if file.taken else ""
    return "deleted, " + (place or "?") if file.deleted else place


def file_line(file: OpenFile, width: int) -> Line:
    """Return one open file: what it takes, how long it is, where it lies."""
    none = "?" if file.why else "·"
    taken, length = (none if n is None else size(n) for n in (file.taken, file.size))
    left = f"{file.fd:>7} {taken:>6} {length:>6}  "
    role = "warn" if file.deleted and file.taken else "" if file.memory else "muted"
    room = max(8, width - cells(left) - 15)
    path = show(file.path) + (f" ({file.why})" if file.why else "")
    shown = elide(path, room) if file.why else elide_left(path, room)
    return [(left, ""), (f"{_where(file):<14} ", role), (shown, "")]


def files_page(detail: Detail, width: int) -> list[Line]:
    """Return every open file, those in memory and the deleted ones first."""
    if why := detail.why.get("fd"):
        return unknown("open files", why, width)
    if detail.files is None:
        return [[("  reading…", "muted")]]
    first = detail.in_memory
    there = {f.fd for f in first}
    rest = [f for f in detail.files if f.fd not in there]
    rest.sort(key=lambda f: (not f.is_file, f.fd))
    held = sum(f.taken or 0 for f in first)
    words = f"{detail.descriptors} open; in memory or deleted {len(first)}, {size(held)} in all"
    lines: list[Line] = [[(elide(words, width), "muted")]]
    if (missing := (detail.descriptors or 0) - FILES) > 0:
        lines.append([(f"{missing} more were not looked at", "muted")])
    files = (file_line(f, width) for f in [*first, *rest])
    return cut([*lines, [], files_head(width), *files], width)


def mappings_page(told: Mappings | None, width: int) -> list[Line]:
    """Return the mappings, the biggest PSS first, and what reading them cost."""
    if told is None:
        return [[("  reading smaps…", "muted")]]
    if told.why:
        return unknown("mappings", told.why, width)
    if not told.rows:
        return [
            [(elide("  it maps nothing: a kernel thread, or one that is ending", width), "muted")]
        ]
    total = [sum(column) for column in zip(*(m[1:] for m in told.rows), strict=True)] or [0] * 6
    words = f"summed by name as smem -m does; reading took {1000 * told.took_s:.0f} ms, F5 again"
    head = f"{'COUNT':>6} {'PSS':>6} {'USS':>6} {'RES':>6} {'SWAP':>6} {'VIRT':>6}  MAPPING"
    lines: list[Line] = [[(elide(words, width), "muted")], [], [(fit(head, width), "head")]]
    for m in told.rows:
        left = _numbers(m[1:])
        name = elide_left(show(m.name), max(8, width - len(left)))
        lines.append([(left, "" if m.pss or m.swap else "muted"), (name, "bold" if m.uss else "")])
    return cut([*lines, [(fit(_numbers(total) + "in all", width), "sum")]], width)


def _numbers(values: Sequence[int]) -> str:
    count, *sizes = values
    return f"{count:>6} " + " ".join(f"{size(n):>6}" for n in sizes) + "  "


def environment_page(told: Environment | None, width: int) -> list[Line]:
    """Return the environment, a variable in as many lines as it needs."""
    if told is None:
        return [[("  reading…", "muted")]]
    if told.why:
        return unknown("environment", told.why, width)
    lines: list[Line] = [[("as it was started with; kept nowhere, not copied", "muted")], []]
    for variable in told.lines:
        name, equals, value = variable.partition("=")
        first, *rest = wrap(value, max(8, width - cells(name) - 1)) if equals else [""]
        if cells(name) > width - 9:
            name, rest = elide(name, width - 9), []
        lines.append([(name, "bold"), (equals, "muted"), (first, "")])
        lines += [[(" " * (cells(name) + 1), ""), (row, "")] for row in rest]
    return cut(lines, width)
