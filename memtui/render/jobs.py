"""Commands that run under a limit of ours: the panel on the main screen, and a screen of all."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from memtui.model.job import ENDED, PAUSED, RUNS, STOPPING, JobView
from memtui.model.runlimit import Result, as_option
from memtui.render.course import course_lines
from memtui.render.palette import level
from memtui.render.quota import ANON, CACHE, Segment, bar
from memtui.render.spans import Line, cut, fitted, rule, spread, width_of
from memtui.text import cells, elide, safe
from memtui.units import duration, percent, size

_SENTENCE = 3  # lines of a verdict at most
_NUMBERS = 26


def _danger(view: JobView) -> str:
    """The role of what cannot be given back, against the limit."""
    return level(percent(view.usage if view.anon is None else view.anon, view.limit))


def filled(view: JobView) -> list[Segment]:
    """Return what fills a job's bar: what cannot be given back, then the rest of its usage."""
    if view.anon is None or view.usage is None:
        return [(view.usage or 0, ANON)]
    hard = min(view.anon, view.usage)
    return [(hard, ANON), (view.usage - hard, CACHE)] if view.usage > hard else [(hard, ANON)]


def job_bar(view: JobView, width: int) -> Line:
    """Return a bar of usage against the limit, with the peak; of one that ended its peak alone."""
    if view.result is not None:
        return bar([(view.peak or 0, ANON)], view.limit, width)
    return bar(filled(view), view.limit, width, {"│": view.peak} if view.peak else {})


def _ended_words(result: Result) -> Line:
    role = "warn" if result.notable else "bold"
    return [(f"ended, exit status {result.exit_status}", role)]


def _usage_words(view: JobView) -> Line:
    share = percent(view.usage, view.limit)
    danger = _danger(view)
    text = f"{size(view.usage)} / {size(view.limit)}" + ("" if share is None else f" {share:.0f}%")
    if view.per_process:
        text = f"largest process {size(view.usage)} of {size(view.limit)} each"
    return [(text, "bold" if danger == "calm" else danger)]


def state_words(view: JobView, width: int = 999) -> Line:
    """Return where it stands: usage against its limit, or how it ended; its peak and its time.

    The time, then the peak, give way where there is no room.
    """
    line = _usage_words(view) if view.result is None else _ended_words(view.result)
    if view.state in (PAUSED, STOPPING):
        line = [(f"{view.state} ", "warn"), *line]
    peak: Line = [("  peak ", "muted"), (size(view.peak), "")]
    took: Line = [("  ", ""), (duration(view.seconds), "")]
    for more in (peak, took):
        if width_of(line) + width_of(more) <= width:
            line += more
    return line


def suggestion(result: Result, before: str = "") -> str:
    """Return which limit to take next time; "" where the limit has nothing to do with the end.

    `before`: the keys to press before those that it names.
    """
    if result.advice is None or result.advice.limit is None:
        return result.advice.text if result.advice else ""
    limit = as_option(result.advice.limit)
    done = result.verdict.kind == "ok"
    return f"{limit} would have done" if done else f"{before}R runs it with {limit}"


def verdict_lines(view: JobView, width: int, before: str = "") -> list[Line]:
    """Return how it ended, in a sentence, and what to do about it."""
    if view.result is None:
        return []
    role = "warn" if view.result.notable else "bold"
    text, more = safe(view.result.verdict.text), suggestion(view.result, before)
    lines: list[Line] = [[(line, role)] for line in wrap(text, max(8, width))[:_SENTENCE]]
    if more and lines and width_of(lines[-1]) + len(more) + 2 <= width:
        return [*lines[:-1], [*lines[-1], (f"; {more}", "muted")]]
    return [*lines, [(more, "muted")]] if more else lines


def job_panel(view: JobView, width: int, height: int) -> list[Line]:
    """Return a titled panel: the state, a bar, memory over time, and the last of the output."""
    keys: Line = [("j", "accent"), (" graph  ", "muted"), ("J", "accent"), (" all", "muted")]
    title: Line = [("run ", "muted"), (elide(view.command, max(8, width - 26)), "job")]
    inner = width - 3
    body = [state_words(view, inner), *verdict_lines(view, inner, "J, ")]
    if height > 3:
        body.insert(1, job_bar(view, inner))
    if height > 6 and view.result is None:
        body += course_lines(view.course, view.limits, view.seconds, inner, 2)
    room = max(1 if view.output else 0, height - 1 - len(body))
    body = body[: height - 1 - room] if view.output else body[: height - 1]
    body += [cut(line, inner) for line in view.output[-room:]] if view.output else []
    lines = [rule(title, width, keys, "┬"), *([("│ ", "rule"), *line] for line in body)]
    return lines[:height] + [[("│", "rule")]] * (height - len(lines))


# -- the screen of all

_STATES = {RUNS: "calm", PAUSED: "warn", STOPPING: "warn", ENDED: "muted"}
_GLYPHS = {RUNS: "▶", PAUSED: "‖", STOPPING: "▽", ENDED: "■"}
_WIDTHS = (("#", 3), ("STATE", 11), ("MEM", 6), ("LIMIT", 6), ("%LIM", 5), ("PEAK", 6), ("TIME", 7))
_METER = 14
_METER_FROM = 100  # cells of the whole line


def list_header(width: int) -> Line:
    """Return the titles of the list."""
    line: Line = []
    for title, room in _WIDTHS:
        left = title == "STATE"
        line.append((f" {title:<{room}}" if left else f" {title:>{room}}", "head"))
    if width >= _METER_FROM:
        line.append(("  " + " " * _METER, "head"))
    return fitted([*line, ("  COMMAND", "head")], width, "head")


def _state(view: JobView) -> tuple[str, str]:
    """The word for its state, and its role."""
    result = view.result
    if result is None:
        return f"{_GLYPHS[view.state]} {view.state}", _STATES[view.state]
    if result.verdict.kind == "ok":
        return "■ done", "muted"
    role = "crit" if result.verdict.oom else "warn" if result.notable else ""
    return f"■ exit {result.exit_status}", role


def job_row(view: JobView, width: int) -> Line:
    """Return one command in a line."""
    state, role = _state(view)
    share = percent(view.usage, view.limit)
    quiet = "muted" if view.result is not None else ""
    danger = _danger(view)
    known = view.result is None
    line: Line = [
        (f" {view.id:>3}", quiet),
        (f" {state:<11}", role),
        (f" {size(view.usage) if known else '·':>6}", quiet),
        (f" {size(view.limit):>6}", quiet),
        (
            f" {'·' if not known else '?' if share is None else f'{share:.0f}':>5}",
            quiet or ("" if danger == "calm" else danger),
        ),
        (f" {size(view.peak):>6}", quiet),
        (f" {duration(view.seconds):>7}", quiet),
    ]
    if width >= _METER_FROM:
        line += [("  ", ""), *job_bar(view, _METER)]
    room = width - width_of(line) - 3
    return [*line, ("  ", ""), (elide(view.command, max(8, room)), quiet or "bold")]


def _with_method(left: Line, method: str, width: int) -> list[Line]:
    """What holds it, at the right of its state, or below where it is long."""
    words = safe(method.removeprefix("limit: "))
    if width_of(left) + cells(words) + 4 <= width:
        return [spread(left, [(words, "muted"), (" ", "")], width)]
    return [left, *([("  " + line, "muted")] for line in wrap(words, max(8, width - 4))[:2])]


def detail_lines(view: JobView, width: int) -> list[Line]:
    """Return which it is, what holds it, its bar, and how it ended."""
    count = len(view.pids)
    noun = "process" if count == 1 else "processes"
    left: Line = [("  ", ""), (_state(view)[0], _state(view)[1] or "bold")]
    if view.result is None:
        left += [("   ", ""), (f"{count} {noun}", "muted")]
    title: Line = [(f"{view.id} ", "muted"), (elide(view.command, max(8, width - 10)), "job")]
    lines = [rule(title, width), *_with_method(left, view.method, width)]
    share = percent(view.usage if view.result is None else view.peak, view.limit)
    what = view.usage if view.result is None else view.peak
    danger = "muted" if view.result is not None else _danger(view)
    role = "bold" if danger == "calm" else danger
    pct = "?" if share is None else f"{share:.0f}%"
    numbers: Line = [(f" {size(what):>6} / {size(view.limit):>6}", role), (f" {pct:>7} ", role)]
    label = " largest" if view.per_process else " memory" if view.result is None else " peak"
    drawn = job_bar(view, max(4, width - 9 - _NUMBERS + 1))
    lines.append([(f"{label:<9}", "muted"), *drawn, *numbers])
    return lines + [[(" " * 9, ""), *line] for line in verdict_lines(view, width - 11)]


def output_rule(view: JobView, width: int, behind: int) -> Line:
    """Return the heading of the output; `behind`: lines below what is in view."""
    written, lines = view.written
    noun = "line" if lines == 1 else "lines"
    said: Line = [(f"{lines} {noun}, {size(written)}", "muted")]
    if behind:
        said = [(f"{behind} more below  ", "warn"), ("End", "accent"), (" follows", "muted")]
    return rule([("output", "bold")], width, said)


def output_lines(lines: Sequence[Line], width: int, pan: int = 0) -> list[Line]:
    """Return lines of output that fit, from cell `pan` of each on."""
    return [[(" ", ""), *cut(_panned(line, pan), width - 2)] for line in lines]


def _panned(line: Line, pan: int) -> Line:
    out: Line = []
    for text, role in line:
        if pan >= len(text):
            pan -= len(text)
            continue
        out.append((text[pan:], role))
        pan = 0
    return out


KEYS = (
    ("Esc", "back", "leave"),
    ("↑ ↓", "choose", ""),
    ("r", "run", "run"),
    ("R", "again", "again"),
    ("k", "stop", "stop"),
    ("z", "pause", "pause"),
    ("l", "limit", "limit"),
    ("x", "remove", "remove"),
    ("y", "copy", "copy"),
    ("s", "save", "save"),
    ("F1", "help", "help"),
)
"""The keys of the screen: key, what it does, action; those in the middle give way first."""
_GIVE_WAY = ("save", "copy", "", "help", "remove", "pause")


def _keys(width: int, some: bool) -> list[tuple[str, str, str]]:
    """Return the keys that fit; without a command only those that need none."""
    shown = [k for k in KEYS if some or k[2] in ("leave", "run", "help")]
    for action in _GIVE_WAY:
        if 1 + sum(len(key) + len(does) + 3 for key, does, _ in shown) <= width:
            break
        shown = [k for k in shown if k[2] != action]
    return shown


def jobs_keys(width: int, some: bool) -> Line:
    """Return the bar that names the keys."""
    line: Line = [(" ", "label")]
    for key, does, _ in _keys(width, some):
        line += [(key, "key"), (f" {does}  ", "label")]
    return fitted(line, width, "label")


def jobs_key_at(x: int, width: int, some: bool) -> str | None:
    """Return the action whose label lies at cell `x` of that bar."""
    at = 1
    for key, does, action in _keys(width, some):
        at += len(key) + len(does) + 3
        if x < at:
            return action or None
    return None


def no_jobs(width: int, earlier: Sequence[str] = ()) -> list[Line]:
    """Say how to begin, and what became of commands that were left before."""
    words = "No command was started here. r runs one under a memory limit: it is listed here."
    lines: list[Line] = []
    for text in (words, *earlier):
        rows = wrap(text, max(10, width - 2), break_on_hyphens=False)
        lines += [[], *([(" " + line, "muted")] for line in rows)]
    return lines
