"""`memtui run`: a command under a memory limit, with the terminal to itself.

stdout is the command's alone; what memtui has to say goes to stderr. The exit status is the
command's: 128+N for signal N, 127 not found, 126 not executable, 125 memtui could not do it.
"""

from __future__ import annotations

import argparse

from memtui.cli import runreport
from memtui.cli.common import UsageError
from memtui.cli.runargs import add_limits, read_limits
from memtui.services.launch import NotStarted
from memtui.services.limits import Unavailable
from memtui.services.run import run

_EPILOG = """\
exit status: the command's, 128+N if signal N ended it, 127 if it was not found, 126 if it
cannot be executed, 125 if it could not be put under the limit, 2 for wrong use;
--find-limit: 0 if it was found, else the same"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui run`; everything from the command on is the command's."""
    parser.usage = f"{parser.prog} --limit SIZE [OPTION...] [--] COMMAND..."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_limits(parser)
    runreport.add_report(parser)
    parser.add_argument("argv", metavar="COMMAND", nargs=argparse.REMAINDER, help="what to run")


def _argv(words: list[str]) -> list[str]:
    argv = words[1:] if words[:1] == ["--"] else words
    if not argv:
        raise UsageError("run needs a command, as in: memtui run --limit 500M python3 train.py")
    return argv


def _find(args: argparse.Namespace) -> int:
    from memtui.cli import runfind
    from memtui.services.findlimit import upper_limit

    runfind.check(args)
    argv = _argv(args.argv)
    if args.limit is None:
        free = upper_limit()
        args.limit = None if free is None else str(free)
    return runfind.main(args, argv, read_limits(args))


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit status. Raises UsageError for wrong use."""
    if args.find_limit:
        return _find(args)
    limits, argv = read_limits(args), _argv(args.argv)

    def announce(line: str) -> None:
        if not args.quiet:
            runreport.say(f"memtui: {line}\n")

    try:
        done = run(argv, limits, args.method, announce, runreport.watch(args))
    except (NotStarted, Unavailable, OSError) as e:
        return runreport.tell_refused(args, argv, e)
    runreport.tell_end(args, argv, done)
    return done.result.exit_status
