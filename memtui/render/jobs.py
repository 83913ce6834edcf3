"""The panel of a command that runs under a limit of ours."""

from __future__ import annotations

from textwrap import wrap

from memtui.model.runlimit import Result
from memtui.render.palette import level
from memtui.render.spans import Line, cut, rule
from memtui.text import elide, safe
from memtui.units import percent, size

_SENTENCE = 3  # lines of a verdict at most


def state_lines(
    usage: int | None,
    limit: int,
    peak: int | None,
    result: Result | None,
    width: int,
    per_process: bool = False,
) -> list[Line]:
    """Return where a command stands: usage against its limit, or how it ended. Bytes.

    `per_process`: the limit is for each process, usage and peak are of the largest.
    """
    peak_words: Line = [("  peak ", "muted"), (size(peak), "")]
    if result is None:
        share = percent(usage, limit)
        text = f"{size(usage)} / {size(limit)}" + ("" if share is None else f" {share:.0f}%")
        if per_process:
            text = f"largest process {size(usage)} of {size(limit)} each"
        danger = level(share)
        return [[(text, "bold" if danger == "calm" else danger), *peak_words]]
    role = "warn" if result.notable else "bold"
    sentence = wrap(safe(result.verdict.text), width)[:_SENTENCE]
    ended: Line = [(f"ended, exit status {result.exit_status}", role), *peak_words]
    return [ended, *([(text, role)] for text in sentence)]


def job_panel(
    command: str, state: list[Line], output: tuple[Line, ...], width: int, height: int
) -> list[Line]:
    """Return a titled panel: the state, then the last lines of output."""
    title: Line = [("run ", "muted"), (elide(safe(command), max(8, width - 24)), "job")]
    lines = [rule(title, width, [("j", "accent"), (" graph", "muted")], "┬")]
    lines += [[("│ ", "rule"), *line] for line in state[: height - 1]]
    room = height - len(lines)
    shown = output[-room:] if room > 0 else ()
    lines += [[("│ ", "rule"), *cut(line, width - 3)] for line in shown]
    return lines + [[("│", "rule")]] * (height - len(lines))
