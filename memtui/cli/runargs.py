"""The options of `memtui run` that say what the command may have."""

from __future__ import annotations

import argparse
import re

from memtui.cli.common import UsageError
from memtui.model.limits import (
    KILL,
    METHODS,
    ON_LIMIT,
    Limits,
    Room,
    is_share,
    parse_amount,
    parse_limit,
)
from memtui.services.limits import read_room

_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    add = parser.add_argument
    add(
        "--limit",
        metavar="SIZE",
        help="500M, 2G, 50%% (of the quota), free-10%% (of what is free now); 1M is the least",
    )
    add(
        "--method",
        choices=METHODS,
        default="auto",
        help="cgroup, systemd (its scope): all processes together, killed at the limit; watch: "
        "the same by looking again and again; data (RLIMIT_DATA), as (RLIMIT_AS): each process "
        "by itself, allocations fail; auto: the best of the first three that can be had",
    )
    add("--high", metavar="SIZE", help="slow down and reclaim from here on (cgroup v2)")
    add("--swap", metavar="SIZE", default="0", help="swap allowed beyond the limit (0)")
    add("--oom-group", action="store_true", help="at the limit all processes are killed, not one")
    add(
        "--on-limit",
        choices=ON_LIMIT,
        default=KILL,
        help="kill; term: SIGTERM a little before the limit, and --grace; stop: halt it there, "
        "for you to decide; throttle: slow it down, kill nobody",
    )
    add("--adj", metavar="N", type=int, help="oom_score_adj, up to 1000: who dies first")
    add("--nice", metavar="N", type=int, help="niceness, up to 19")
    add("--time", metavar="TIME", help="end it after 90, 90s, 15m, 2h or 1d: SIGTERM, and --grace")
    add("--grace", metavar="TIME", default="5s", help="from SIGTERM to SIGKILL (5s)")
    add(
        "--leave",
        action="store_true",
        help="let go on what still runs when the command has ended, under its limit",
    )


def _within(name: str, value: int | None, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise UsageError(f"--{name}: {value} is not between {least} and {most}")
    return value


def _seconds(name: str, text: str) -> float:
    found = _SPAN.fullmatch(text.strip().lower())
    if not found:
        raise UsageError(f"--{name}: {text!r} is no time: write 90, 90s, 15m, 2h or 1d")
    return float(found[1]) * _SECONDS[found[2]]


def _size(name: str, text: str, room: Room, least: bool = False) -> int:
    try:
        return parse_limit(text, *room) if least else parse_amount(text, *room)
    except ValueError as e:
        raise UsageError(f"--{name}: {e}") from e


def read_limits(args: argparse.Namespace) -> Limits:
    """Return what the options ask for. Raises UsageError."""
    if args.limit is None:
        raise UsageError("run needs a limit: --limit 500M, --limit 2G or --limit 50%")
    sizes = args.limit, args.high or "", args.swap
    room = read_room() if any(map(is_share, sizes)) else Room()
    limit = _size("limit", args.limit, room, least=True)
    high = None if args.high is None else _size("high", args.high, room, least=True)
    if high is not None and high >= limit:
        raise UsageError("--high: it must be less than --limit")
    time_s = None if args.time is None else _seconds("time", args.time)
    if time_s == 0:
        raise UsageError("--time: 0 leaves no time to run in")
    return Limits(
        limit,
        high,
        _size("swap", args.swap, room),
        args.oom_group,
        _within("adj", args.adj, -1000, 1000),
        time_s,
        _seconds("grace", args.grace),
        _within("nice", args.nice, -20, 19),
        args.on_limit,
        args.leave,
    )
