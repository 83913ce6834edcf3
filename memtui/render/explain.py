"""How memory stands and what to do about it, as lines: for a terminal, a pipe, and the screen."""

from __future__ import annotations

from collections.abc import Sequence

from memtui.model.advice.state import Explained, paragraph
from memtui.model.advice.terms import Advice, amount
from memtui.render.postmortem import wrap
from memtui.render.spans import Line
from memtui.text import elide

NOTHING = "Nothing is wrong: there is nothing to be done."
UNEXPLAINED = (
    "Memory is short, and nothing that memtui knows of explains it: what is biggest is to be ended,"
    " or the limit raised."
)
_WIDEST = 100
_LABEL = 7


def _wrapped(text: str, width: int, role: str, indent: int) -> list[Line]:
    pad = " " * indent
    return [[(pad, ""), (row, role)] for row in wrap(text, max(20, width - indent))]


def _gain(advice: Advice) -> str:
    if advice.gain is None:
        return "" if advice.tells else "gain not known"
    return f"{'up to ' * advice.at_most}{amount(advice.gain)}"


def _labelled(label: str, text: str, width: int, indent: int) -> list[Line]:
    room = max(20, width - indent - _LABEL)
    rows = wrap(text, room)
    lead = [label, *[""] * (len(rows) - 1)]
    return [
        [(" " * indent + f"{word:<{_LABEL}}", "muted"), (row, "")]
        for word, row in zip(lead, rows, strict=True)
    ]


def _how(advice: Advice, width: int, indent: int) -> list[Line]:
    """What to do; what is to be typed stands as it is, unbroken."""
    out: list[Line] = []
    for step in advice.how:
        label = "" if out else "do"
        if step.startswith("  "):
            lead = " " * indent + f"{label:<{_LABEL}}  "
            out.append([(lead, "muted"), (elide(step[2:], max(20, width - len(lead))), "accent")])
        else:
            out += _labelled(label, step, width, indent)
    return out


def suggestion(number: int, advice: Advice, width: int, keys: bool) -> list[Line]:
    """Return one suggestion; with `keys` the key that does it."""
    indent = 3
    rows = wrap(advice.say, max(20, width - indent))
    role = "crit" if advice.urgent else "bold"
    out: list[Line] = [[(f"{number}  ", "accent"), (rows[0], role)]]
    out += [[(" " * indent, ""), (row, role)] for row in rows[1:]]
    gain = _gain(advice)
    if gain:
        out += _labelled("gain", gain, width, indent)
    out += _labelled("why", advice.why, width, indent)
    if advice.risk and advice.risk != "None.":
        out += _labelled("risk", advice.risk, width, indent)
    out += _how(advice, width, indent)
    if keys and advice.action is not None:
        head: Line = [(" " * indent, ""), (f"{'key':<{_LABEL}}", "muted"), (str(number), "accent")]
        asks = "" if advice.action.kind in ("files", "filter", "kills") else "; asks first"
        out.append([*head, (f"  {advice.action.label}{asks}", "muted")])
    return out


def explain_lines(found: Explained, width: int, keys: bool = False) -> list[Line]:
    """Return the paragraph and the suggestions; with `keys` what each key does."""
    width = min(width, _WIDEST)
    out: list[Line] = [[(row, "")] for row in wrap(paragraph(found.seen), width)]
    out.append([])
    if not found.advice and found.seen.limit is not None:
        words = UNEXPLAINED if found.seen.short else NOTHING
        out += [[(row, "bold")] for row in wrap(words, width)]
    for number, advice in enumerate(found.advice, 1):
        out += [*suggestion(number, advice, width, keys), []]
    out += _noted(found.notes, width)
    while out and not out[-1]:
        out.pop()
    return out


def suggestion_at(found: Explained, width: int, row: int) -> int:
    """Return which suggestion stands in a row of `explain_lines` with keys; 0: none."""
    width = min(width, _WIDEST)
    at = len(wrap(paragraph(found.seen), width)) + 1
    for number, advice in enumerate(found.advice, 1):
        height = len(suggestion(number, advice, width, True))
        if at <= row < at + height:
            return number
        at += height + 1
    return 0


def _noted(notes: Sequence[str], width: int) -> list[Line]:
    return [line for note in notes for line in _wrapped(f"({note})", width, "muted", 0)]
