"""`memtui ps`: the process table once, as text or JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys

from memtui.cli.arguments import add_root
from memtui.cli.common import (
    OK,
    Failure,
    UsageError,
    check_filter,
    check_root,
    put,
    terminal_width,
)
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model import fields, query
from memtui.model.badness import Doomed, describe, total_of
from memtui.model.snapshot import Proc, Quota
from memtui.render import ansi, palette
from memtui.render.quota import limit_words
from memtui.render.rows import DOOMED, View, text_table
from memtui.render.spans import Line
from memtui.services import census
from memtui.services.quota import QuotaSource
from memtui.units import size


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui ps`."""
    keys = ", ".join(f.key for f in fields.FIELDS)
    parser.add_argument("--json", action="store_true", help="one JSON document, schema memtui.ps/1")
    parser.add_argument(
        "--sort",
        default="rss",
        metavar="FIELD",
        help=f"{keys} (default rss; quantities biggest first)",
    )
    parser.add_argument("--invert", action="store_true", help="the other way round")
    parser.add_argument(
        "-F",
        "--filter",
        default="",
        metavar="TEXT",
        help="only these: text, a|b, 'mem>500m user=ann cmd~jupyter state=Z !cgroup~docker'",
    )
    parser.add_argument("--limit-rows", type=int, metavar="N", help="print the first N rows only")
    add_root(parser)


def main(args: argparse.Namespace) -> int:
    """Print the table; return the exit status. Raises UsageError, Failure."""
    roots = Roots(check_root(args.root))
    try:
        order = query.Order(fields.find(args.sort).key, args.invert)
    except ValueError as e:
        raise UsageError(f"--sort: {e}") from None
    if args.limit_rows is not None and args.limit_rows < 0:
        raise UsageError(f"--limit-rows {args.limit_rows} is negative")
    wanted = check_filter(args.filter)
    try:
        found = census.take(roots)
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e
    quota = QuotaSource(roots).read()
    found = census.deepen(roots, found, order.field.needs | wanted.needs, quota)
    found = found._replace(procs=query.sort(found.procs, order))
    doomed = census.next_victim(roots, found, quota)
    view = _view(found, quota, doomed)
    chosen = [p for p in found.procs if wanted.matches(p, view)]
    shown = found._replace(procs=chosen[: args.limit_rows])
    if args.json:
        put(json.dumps(census.as_json(roots, shown, quota, doomed)) + "\n")
    else:
        _print(found, shown.procs, quota, order, view, doomed)
    return OK


def _view(found: census.Census, quota: Quota, doomed: Doomed | None) -> View:
    """What rows and filters depend on beside a process; on a terminal others' rows are dimmed."""
    tty = sys.stdout is not None and sys.stdout.isatty()
    return View(
        quota.binding.bytes if quota.binding else None,
        os.geteuid() if tty else None,
        doomed=doomed.all if doomed else (),
        host=quota.host.total,
        total=total_of(quota),
        boot=found.boot,
        now=found.now,
    )


def _print(
    found: census.Census,
    shown: list[Proc],
    quota: Quota,
    order: query.Order,
    view: View,
    doomed: Doomed | None,
) -> None:
    tty = sys.stdout is not None and sys.stdout.isatty()
    depth = ansi.depth(dict(os.environ)) if tty else ansi.NO_COLOR
    keys = dict.fromkeys((*fields.DEFAULT, order.key))  # what it is sorted by is to be seen
    columns = fields.chosen(tuple(keys))
    lines = text_table(shown, terminal_width() if tty else 400, view, order, columns)
    if doomed is not None:
        words = describe(doomed, found.procs)
        lines.append([(f"{DOOMED} whom the OOM killer would take now: {words}", "muted")])
    lines.append(_footer(found, shown, quota))
    if depth == ansi.NO_COLOR:
        text = "\n".join("".join(t for t, _ in line).rstrip() for line in lines)
    else:
        text = "\n".join(map(ansi.Painter(palette.DARK, depth).line, lines))
    put(text + "\n")


def _footer(found: census.Census, shown: list[Proc], quota: Quota) -> Line:
    count = f"{len(found.procs)} processes"
    if len(shown) < len(found.procs):
        count = f"{len(shown)} of {count}"
    if found.unreadable:
        count += f" ({found.unreadable} could not be read)"
    rss = size(sum(p.rss for p in shown))
    text = f"{count}, RES {rss} in all (shared pages counted each time); {limit_words(quota, 60)}"
    return [(text, "muted")]
