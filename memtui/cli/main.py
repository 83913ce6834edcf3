"""The `memtui` command: which subcommand runs, and what its exit status is.

`memtui` alone paints its first frame before Textual is imported, so that path imports nothing
that it does not need: no argparse, no subcommand.
"""

from __future__ import annotations

import gc
import os
import sys

from memtui.cli.common import FAILED, Failure, UsageError, complain

SUBCOMMANDS = {
    "ps": "one-shot process table",
    "quota": "limits, usage, and which limit binds",
    "run": "run a command under a memory limit",
    "limit": "put a memory limit on a process that runs",
    "oom": "who was killed by the OOM killer",
    "explain": "how memory stands, and what to do about it",
    "doctor": "what memtui can see here, and why not more",
}


def main(argv: list[str] | None = None) -> int:
    """Run memtui with `argv` (sys.argv[1:] where None); return the exit status."""
    gc.disable()  # imports make only objects that stay; who runs for long enables it again
    args = sys.argv[1:] if argv is None else argv
    try:
        if args and args[0] in SUBCOMMANDS:
            status = _subcommand(args[0], args[1:])
            if argv is None and args[0] == "run":  # all is told, and nothing is on stdout
                os._exit(status)  # to take the interpreter down in order costs 5 ms of CPU
            return status
        return _screen(args)
    except UsageError as e:
        return complain(str(e))
    except KeyboardInterrupt:
        return 130
    except Failure as e:
        return complain(str(e), FAILED)
    except BrokenPipeError:
        return FAILED  # the reader went away: nothing more can be said


def _subcommand(name: str, args: list[str]) -> int:
    from importlib import import_module

    from memtui.cli.arguments import Parser

    module = import_module(f"memtui.cli.{name}")
    parser = Parser(prog=f"memtui {name}", description=SUBCOMMANDS[name])
    module.configure(parser)
    status: int = module.main(parser.parse_args(args))
    return status


def _screen(args: list[str]) -> int:
    from memtui.cli import screen

    return screen.main(screen.options(args, SUBCOMMANDS))
