"""`memtui limit PID SIZE`: a memory limit on a process that runs already.

What it covers and what not is said first. Exit status: 0 done, 1 it could not be done, 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys

from memtui.cli.common import FAILED, UsageError
from memtui.model.limits import DATA, is_share, parse_limit
from memtui.services.actions import Actions
from memtui.services.limitpid import METHODS, preview, set_limit
from memtui.services.limits import read_room
from memtui.services.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui limit`."""
    parser.add_argument("pid", metavar="PID", help="a process that runs")
    parser.add_argument(
        "size", metavar="SIZE", help="500M, 2G, 50%% of the quota, free-10%%; none takes it away"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=DATA,
        help="data: RLIMIT_DATA of the process, can be taken back; cgroup: it is moved into a "
        "group of its own with that limit",
    )
    parser.add_argument("--tree", action="store_true", help="all processes below it, too")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )


def _pid(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise UsageError(f"{text!r} is not a PID")
    return int(text)


def _size(text: str) -> int | None:
    if text.lower() in ("none", "unlimited"):
        return None
    try:
        return parse_limit(text, *(read_room() if is_share(text) else ()))
    except ValueError as e:
        raise UsageError(str(e)) from e


def main(args: argparse.Namespace) -> int:
    """Say what it means, then do it. Raises UsageError for wrong use."""
    pid, limit = _pid(args.pid), _size(args.size)
    with Target.open_pid(pid) as target:
        if target.refusal is None:
            for sentence in preview(target, limit, args.method, args.tree):
                print(f"memtui: {sentence}", file=sys.stderr, flush=True)
            if args.dry_run:
                return 0
        done = set_limit(Actions(), target, limit, args.method, args.tree)
    print(f"memtui: {done.text}", file=sys.stderr)
    return 0 if done.sent else FAILED
