"""`memtui run`: a command under a memory limit, with the terminal to itself.

stdout is the command's alone; what memtui has to say goes to stderr. The exit status is the
command's: 128+N for signal N, 127 not found, 126 not executable, 125 memtui could not do it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from memtui.cli.common import UsageError
from memtui.cli.runargs import add_limits, read_limits
from memtui.services.launch import NOT_ENTERED, NotStarted
from memtui.services.limits import Unavailable
from memtui.services.run import Run, run

_EPILOG = """\
exit status: the command's, 128+N if signal N ended it, 127 if it was not found, 126 if it
cannot be executed, 125 if it could not be put under the limit, 2 for wrong use"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui run`; everything from the command on is the command's."""
    parser.usage = f"{parser.prog} --limit SIZE [OPTION...] [--] COMMAND..."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_limits(parser)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="report as GNU time -v does, on stderr"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not say which limit is in force"
    )
    parser.add_argument("argv", metavar="COMMAND", nargs=argparse.REMAINDER, help="what to run")


def _say(text: str) -> None:
    """Write to stderr; a terminal that went away must not change how the run ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _argv(words: list[str]) -> list[str]:
    argv = words[1:] if words[:1] == ["--"] else words
    if not argv:
        raise UsageError("run needs a command, as in: memtui run --limit 500M python3 train.py")
    return argv


def _tell_end(done: Run, argv: list[str], verbose: bool) -> None:
    from memtui.services.report import render_notes, render_report

    if verbose:
        return _say(render_report(argv, done))
    return _say("".join(f"memtui: {note}\n" for note in render_notes(done.result)))


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit status. Raises UsageError for wrong use."""
    limits, argv = read_limits(args), _argv(args.argv)

    def announce(line: str) -> None:
        if not args.quiet:
            _say(f"memtui: {line}\n")

    try:
        done = run(argv, limits, args.method, announce, args.verbose)
    except NotStarted as e:
        _say(f"memtui: {e}\n")
        return e.status
    except (Unavailable, OSError) as e:
        _say(f"memtui: the command was not run: {e}\n")
        return NOT_ENTERED
    if args.verbose or done.result.notable:
        _tell_end(done, argv, args.verbose)
    return done.result.exit_status
