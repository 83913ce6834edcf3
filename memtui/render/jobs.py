"""The panel of a command that runs under a limit of ours."""

from __future__ import annotations

from memtui.model.runlimit import Result
from memtui.render.palette import level
from memtui.render.spans import Line, rule
from memtui.text import elide, safe
from memtui.units import percent, size


def state_line(
    usage: int | None, limit: int, peak: int | None, result: Result | None, width: int
) -> Line:
    """Return where a command stands: usage against its limit, or how it ended. Bytes."""
    peak_words: Line = [("  peak ", "muted"), (size(peak), "")]
    if result is not None:
        role = "warn" if result.notable else "bold"
        return [(elide(safe(result.verdict.text), max(8, width - 13)), role), *peak_words]
    share = percent(usage, limit)
    text = f"{size(usage)} / {size(limit)}" + ("" if share is None else f" {share:.0f}%")
    danger = level(share)
    return [(text, "bold" if danger == "calm" else danger), *peak_words]


def job_panel(
    command: str, state: Line, output: tuple[str, ...], width: int, height: int
) -> list[Line]:
    """Return a titled panel: the state, then the last lines of output."""
    title: Line = [("run ", "muted"), (elide(safe(command), max(8, width - 24)), "job")]
    lines = [rule(title, width, [("j", "accent"), (" graph", "muted")], "┬")]
    lines.append([("│ ", "rule"), *state])
    shown = output[-(height - 2) :] if height > 2 else ()
    lines += [[("│ ", "rule"), (elide(line, width - 3), "muted")] for line in shown]
    lines += [[("│", "rule")]] * (height - len(lines))
    return lines
