"""The options of `memtui ps`, which are smem's too, and what they amount to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from memtui.cli.arguments import add_root
from memtui.cli.common import UsageError, check_filter
from memtui.model import asked, fields
from memtui.model.fields import Field

if TYPE_CHECKING:
    from memtui.model.filter import Filter
    from memtui.model.sums import Head, Report

    Search = Callable[[str], object]
    _Option = tuple[str, dict[str, Any]]

_ABOUT = (
    ". Options and columns are smem's; quantities are sorted biggest "
    "first, so that -r is smem's order, the biggest last. -t, -k, -p, -M show smem's columns "
    "unless -c names others: these read smaps_rollup of every process, which takes 30 us each and "
    "10 ms per GiB. Sizes are KiB, MiB, GiB as their suffix says (1024); in --csv and --json bytes."
)


class Asked(NamedTuple):
    """What a command line asks for, checked."""

    form: str  # "text", "csv" or "json"
    fields: tuple[Field, ...]  # of processes
    order: asked.By
    explicit: bool  # -c named the columns
    report: Report | None = None  # -u, -m, -w
    heads: tuple[Head, ...] = ()
    head: Head | None = None  # sorted by
    process: Search | None = None
    user: tuple[Search, Search] | None = None  # looks for a part, and for the whole
    mapping: Search | None = None
    filter: Filter | None = None

    @property
    def maps(self) -> bool:
        """Whether every mapping is read."""
        wanted = asked.needs((*self.fields, self.order.field)) & asked.MAPPINGS
        return bool(wanted) or self.mapping is not None


def _flag(words: str, help_: str) -> _Option:
    return words, {"action": "store_true", "help": help_}


def _valued(words: str, metavar: str, help_: str, **more: object) -> _Option:
    return words, {"metavar": metavar, "help": help_, **more}


def _options() -> tuple[_Option, ...]:
    """Options that go together with all others."""
    keys = ", ".join(f.key for f in (*fields.FIELDS, *asked.EXTRA))
    return (
        _valued(
            "-c --columns",
            "LIST",
            f"columns, with blanks or commas between: {keys}; smem's vss is virt",
        ),
        _valued(
            "-s --sort",
            "FIELD",
            "sort by it, quantities biggest first (default rss; pss where shown, not in a tree)",
        ),
        _flag(
            "-r --reverse --invert", "the other way round: biggest last, as smem has it without -r"
        ),
        _flag("-t --totals", "sums in a last line; ≥ where some are not known"),
        _flag("-n --numeric", "users as numbers"),
        _flag(
            "-H --no-header",
            "rows alone: no header, no notes; what could not be read is said on stderr",
        ),
        _flag("-a --autosize", "as always: columns fit the terminal"),
        _flag("--tree", "children below their parents, sorted among siblings"),
        _valued("--limit-rows", "N", "print the first N rows only", type=int),
        _valued(
            "-P --processfilter",
            "REGEX",
            "processes in whose name or command line it is found; memtui itself is left out",
        ),
        _valued(
            "-U --userfilter", "REGEX", "users in whose name it is found, or whose number it is"
        ),
        _valued(
            "-M --mapfilter", "REGEX", "only mappings in whose name it is found: sizes are of those"
        ),
        _valued(
            "-F --filter",
            "TEXT",
            "as on the screen: text, a|b, 'mem>500m user=ann cmd~jupyter !cgroup~docker'",
            default="",
        ),
    )


def _choices() -> tuple[tuple[_Option, ...], ...]:
    """Groups of which one at most may be chosen: the unit of sizes, the view, the form."""
    return (
        (
            _flag("-k --abbreviate", "sizes with a suffix, as is usual in memtui"),
            _flag(
                "-p --percent",
                "sizes in per cent of the machine's memory, of its swap for swap (column quota: "
                "of the limit that binds)",
            ),
            _flag("--kib", "sizes in KiB without a suffix, as smem without -k"),
        ),
        (
            _flag("-u --users", "sums by user: user count swap uss pss rss virt"),
            _flag(
                "-m --mappings",
                "sums by mapping: map count pids swap uss rss pss virt avgpss avguss avgrss",
            ),
            _flag("-w --system", "the whole machine: area used cache noncache"),
        ),
        (
            _flag("--json", "one JSON document, schema memtui.ps/1"),
            _flag("--csv", "RFC 4180, numbers in bytes, seconds, per cent; unknown is empty"),
        ),
    )


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui ps`."""
    parser.description = (parser.description or "") + _ABOUT
    for words, how in _options():
        parser.add_argument(*words.split(), **how)
    for group in _choices():
        exclusive = parser.add_mutually_exclusive_group()
        for words, how in group:
            exclusive.add_argument(*words.split(), **how)
    add_root(parser)


def understand(args: argparse.Namespace) -> Asked:
    """Return what is asked for. Raises UsageError with one sentence."""
    form = "json" if args.json else "csv" if args.csv else "text"
    _check(args, form)
    made = Asked(form, (), asked.By(), args.columns is not None)
    summed = args.users or args.mappings or args.system
    made = _summary(args, made) if summed else _processes(args, made)
    made = made._replace(
        process=_search("-P", args.processfilter),
        user=_user(args.userfilter),
        mapping=_search("-M", args.mapfilter),
        filter=check_filter(args.filter) if args.filter else None,
    )
    if made.mapping is not None and made.report is None:
        _check_mapped(made)
    return made


def _check(args: argparse.Namespace, form: str) -> None:
    """Raise UsageError where one option would make another one lie."""
    if args.limit_rows is not None and args.limit_rows < 0:
        raise UsageError(f"--limit-rows {args.limit_rows} is negative")
    if form != "text":
        for option, given in (("-k", args.abbreviate), ("-p", args.percent), ("--kib", args.kib)):
            if given:
                raise UsageError(f"--{form} has bytes: leave {option} away")
    if args.csv and args.totals:
        raise UsageError("--csv holds rows alone: leave -t away, or use --json, which has totals")
    if args.json and (args.columns is not None or args.no_header):
        option = "-H" if args.no_header else "-c"
        raise UsageError(f"--json holds all that is known: leave {option} away")
    summary = "-u" if args.users else "-m" if args.mappings else "-w" if args.system else ""
    if args.tree and summary:
        raise UsageError(f"--tree is for processes, {summary} for sums: choose one")
    filters = (args.processfilter, args.userfilter, args.mapfilter, args.filter)
    if args.system and any(filters):
        raise UsageError("-w is of the whole machine: it knows no -P, -U, -M, --filter")


def _summary(args: argparse.Namespace, made: Asked) -> Asked:
    from memtui.model.sums import AREAS, MAPPINGS, USERS

    report = USERS if args.users else MAPPINGS if args.mappings else AREAS
    try:
        names = report.shown if args.columns is None else _names(args.columns)
        heads = tuple(map(report.find, names))
    except ValueError as e:
        raise UsageError(f"-c: {e}") from None
    try:
        head = report.find(report.order if args.sort is None else args.sort)
    except ValueError as e:
        raise UsageError(f"--sort: {e}") from None
    return made._replace(report=report, heads=heads, head=head)


def _names(text: str) -> list[str]:
    names = asked.words(text)
    if not names:
        raise UsageError("-c names no column")
    return names


def _processes(args: argparse.Namespace, made: Asked) -> Asked:
    of_smem = args.totals or args.abbreviate or args.percent or args.kib
    of_smem = of_smem or args.mapfilter is not None
    try:
        if args.columns is not None:
            columns = [asked.find(name) for name in _names(args.columns)]
        else:
            columns = list(map(asked.column, asked.SMEM if of_smem else fields.DEFAULT))
    except ValueError as e:
        raise UsageError(f"-c: {e}") from None
    keys = list(dict.fromkeys(f.key for f in columns))
    try:
        # a parent whose PSS is unknown would take all below it to the end
        usual = "pss" if "pss" in keys and not args.tree else "rss"
        name = usual if args.sort is None else args.sort
        order = asked.By(asked.find(name).key, args.reverse)
    except ValueError as e:
        raise UsageError(f"--sort: {e}") from None
    if args.columns is None and order.key not in keys:
        keys.insert(len(keys) - 1, order.key)  # what it is sorted by is to be seen
    if args.tree:  # its lines stand before the commands
        keys = [k for k in keys if k != "command"] + ["command"]
    return made._replace(fields=tuple(map(asked.column, keys)), order=order)


def _check_mapped(made: Asked) -> None:
    for field in (*made.fields, made.order.field):
        if field.key in asked.OF_WHOLE:
            raise UsageError(f"-M: {field.title} is known of whole processes, not of some mappings")


def _search(option: str, pattern: str | None) -> Search | None:
    if pattern is None:
        return None
    import re

    try:
        return re.compile(pattern).search
    except (re.error, OverflowError, RecursionError) as e:
        raise UsageError(f"{option} {pattern!r} is no regular expression: {e}") from None


def _user(pattern: str | None) -> tuple[Search, Search] | None:
    search = _search("-U", pattern)
    if search is None:
        return None
    import re

    return search, re.compile(pattern or "").fullmatch
