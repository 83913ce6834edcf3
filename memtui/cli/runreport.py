"""What `memtui run` tells at the end: on stderr, or into files; as text, JSON or CSV."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from memtui.services.launch import NOT_ENTERED, NOT_EXECUTABLE, NOT_FOUND, NotStarted
from memtui.services.limits import Unavailable
from memtui.services.run import Run, Watch
from memtui.text import safe

_WIDTH = 100  # cells of the plot at most, and where there is no terminal to ask
_NOT_RUN = {NOT_FOUND: "not-found", NOT_EXECUTABLE: "not-executable"}


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is told."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="report as GNU time -v does, and more"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not say which limit is in force"
    )
    parser.add_argument("--json", action="store_true", help="the report of -v as one line of JSON")
    parser.add_argument("-o", "--output", metavar="FILE", help="the report to FILE, not to stderr")
    parser.add_argument(
        "--progress",
        action="count",
        default=0,
        help="a live line in the terminal's last line: now, limit, peak, time; given twice: "
        "where stderr is no terminal, too, as lines of a log",
    )
    parser.add_argument(
        "--find-limit",
        action="store_true",
        help="run it again and again, without input and output (-v shows it), to find the smallest "
        "limit under which it succeeds; --limit is then the largest (what is free)",
    )
    parser.add_argument("--csv", metavar="FILE", help="memory over time, one sample a line")


def watch(args: argparse.Namespace) -> Watch:
    """Return how closely the command is to be looked at while it runs."""
    return Watch(bool(args.csv or _is_wanted(args)), args.progress)


def say(text: str) -> None:
    """Write to stderr; a terminal that went away must not change how the run ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def tell_end(args: argparse.Namespace, argv: Sequence[str], done: Run) -> None:
    """Tell how it ended, as much as is asked for or as concerns memory."""
    if _is_wanted(args):
        put(args, _document(argv, done) if args.json else _text(args, argv, done))
    if not _is_wanted(args) or args.output:
        _tell_notes(done)
    if args.csv:
        from memtui.services import rundoc

        _write(args.csv, rundoc.csv(done.points))


def _document(argv: Sequence[str], done: Run) -> dict[str, Any]:
    from memtui.services import rundoc

    return rundoc.document(argv, done)


def tell_not_run(args: argparse.Namespace, argv: Sequence[str], status: int, why: str) -> None:
    """Tell that the command did not begin."""
    why = safe(why)  # it may name a path
    if args.output or not args.json:
        say(f"memtui: {why}\n")
    if args.json:
        from memtui.services import rundoc

        put(args, rundoc.not_run(argv, _NOT_RUN.get(status, "not-run"), status, why))


def tell_refused(
    args: argparse.Namespace, argv: Sequence[str], error: NotStarted | Unavailable | OSError
) -> int:
    """Tell why the command did not begin; return the exit status."""
    if isinstance(error, NotStarted):
        tell_not_run(args, argv, error.status, str(error))
        return error.status
    tell_not_run(args, argv, NOT_ENTERED, f"the command was not run: {error}")
    return NOT_ENTERED


def _is_wanted(args: argparse.Namespace) -> bool:
    return bool(args.verbose or args.json or args.output)


def _tell_notes(done: Run) -> None:
    if done.result.notable:
        from memtui.services.report import render_notes

        say("".join(f"memtui: {note}\n" for note in render_notes(done.result)))


def _dumped(report: dict[str, Any]) -> str:
    import json

    return json.dumps(report) + "\n"


def put(args: argparse.Namespace, report: str | dict[str, Any]) -> None:
    """Write a report to where it is wanted."""
    text = report if isinstance(report, str) else _dumped(report)
    if not (args.output and _write(args.output, text)):
        say(text)


def _write(path: str, text: str) -> bool:
    """Write it; False, with a word on why, where that cannot be."""
    from memtui.services import rundoc

    try:
        rundoc.write_file(path, text)
    except OSError as e:
        say(f"memtui: {safe(path)} was not written: {e.strerror or e}\n")
        return False
    return True


def _text(args: argparse.Namespace, argv: Sequence[str], done: Run) -> str:
    from memtui.services.report import render_report

    return render_report(argv, done) + _plot(args, done)


def _plot(args: argparse.Namespace, done: Run) -> str:
    """Return the plot; none where stderr cannot show its characters."""
    from memtui.render.ansi import NO_COLOR, depth
    from memtui.render.runchart import run_chart

    to_file = bool(args.output)
    if not to_file and not _shows_braille():
        return ""
    colors = not to_file and sys.stderr.isatty() and depth(dict(os.environ)) != NO_COLOR
    return run_chart(done.points, done.ending.limit, 80 if to_file else _width(), colors)


def _shows_braille() -> bool:
    try:
        "⣿│".encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError, AttributeError):
        return False
    return True


def _width() -> int:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return min(_WIDTH, os.get_terminal_size(sys.stderr.fileno()).columns)
    return 80
