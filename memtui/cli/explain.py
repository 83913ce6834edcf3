"""`memtui explain`: how memory stands, and what to do about it, in words."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from memtui.cli.arguments import add_root
from memtui.cli.common import OK, Failure, UsageError, check_root, put, terminal_width
from memtui.cli.oom import Collected, collect
from memtui.kernel.errors import KernelError
from memtui.kernel.levels import at_or_below
from memtui.kernel.roots import Roots
from memtui.model.advice.state import SCHEMA, as_json
from memtui.model.ownkills import Known, as_event
from memtui.model.victims import OomEvent
from memtui.render import ansi, palette, whykilled
from memtui.render.explain import explain_lines
from memtui.render.postmortem import wrap
from memtui.render.spans import Line, plain
from memtui.services.explain import LOOK_S, NoSuchGroup, look
from memtui.services.quota import QuotaSource
from memtui.services.recentkills import our_top
from memtui.text import decode, safe

_PAGE = 100  # cells, where no terminal says
_LONGEST_S = 600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui explain`."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON document, schema memtui.explain/1"
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="S",
        help=f"look for S seconds ({LOOK_S:g}): what grows, works or stalls shows over time only",
    )
    parser.add_argument(
        "--cgroup", metavar="PATH", help="another cgroup than our own, as in /proc/PID/cgroup"
    )
    parser.add_argument(
        "--why-killed", action="store_true", help="why the last process was killed, in short"
    )
    add_root(parser)


def main(args: argparse.Namespace) -> int:
    """Print the explanation; return the exit status. Raises UsageError, Failure."""
    if args.why_killed:
        return _why_killed(args)
    roots, seconds = Roots(check_root(args.root)), _seconds(args.seconds)
    if roots.live and sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"looking for {seconds:g} s …\n")
    try:
        found = look(roots, args.cgroup, seconds)
    except NoSuchGroup:
        raise UsageError(
            f"--cgroup {safe(args.cgroup)!r}: no such memory cgroup is visible here"
        ) from None
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e
    if args.json:
        put(json.dumps(as_json(found)) + "\n")
    else:
        put("\n".join(_painted(explain_lines(found, _width()))) + "\n")
    return OK


def _seconds(word: str | None) -> float:
    if word is None:
        return LOOK_S
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_S:
        raise UsageError(f"--for {word!r}: give seconds, from 0 to {_LONGEST_S:g}")
    return seconds


def _width() -> int:
    tty = sys.stdout is not None and sys.stdout.isatty()
    return max(40, terminal_width() - 1) if tty else _PAGE


def _painted(lines: list[Line]) -> list[str]:
    tty = sys.stdout is not None and sys.stdout.isatty()
    depth = ansi.depth(dict(os.environ)) if tty else ansi.NO_COLOR
    if depth == ansi.NO_COLOR:
        return [plain(line).rstrip() for line in lines]
    return list(map(ansi.Painter(palette.DARK, depth).line, lines))


# -- why


def _why_killed(args: argparse.Namespace) -> int:
    if args.root or args.cgroup is not None or args.seconds is not None:
        raise UsageError("--why-killed is about this machine: it goes with --json alone")
    try:
        collected = collect(None, None)
    except Failure as e:
        collected = Collected([], [str(e)])
    for note in collected.notes:
        sys.stderr.write(f"memtui: {safe(note)}\n")
    event, elsewhere = _last(collected)
    said = whykilled.why_killed(event, time.time(), elsewhere)
    if args.json:
        doc = {"schema": SCHEMA, "why_killed": whykilled.as_json(event, said)}
        put(json.dumps(doc) + "\n")
    else:
        put("\n".join(row for text in said for row in wrap(text, min(_PAGE, _width()))) + "\n")
    return OK


def _last(collected: Collected) -> tuple[OomEvent | None, bool]:
    """The last kill of our own groups, else the last of the machine and True."""
    if not collected.found:
        return None, False
    source = QuotaSource()
    try:
        top = our_top(source.read())
    finally:
        source.close()
    for found in reversed(collected.found):
        path = found.kill.task_memcg
        if found.kill.scope == "global" or (path and at_or_below(decode(path), top)):
            return as_event(Known(*found)), False
    return as_event(Known(*collected.found[-1])), True
