"""`memtui ps`: the process table once, and what smem makes of it, as text, CSV or JSON."""

from __future__ import annotations

import argparse
import json
from typing import Any

from memtui.cli import psargs, pslook
from memtui.cli.common import OK, Failure, check_root, put, terminal_width
from memtui.cli.psargs import Asked, configure
from memtui.cli.pslook import Seen
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model.badness import describe
from memtui.model.tree import LONE
from memtui.render import rows, summaries
from memtui.render.quota import limit_words
from memtui.render.rows import DOOMED
from memtui.services import census
from memtui.units import processes, size

__all__ = ["configure", "main"]


def main(args: argparse.Namespace) -> int:
    """Print what is asked for; return the exit status. Raises UsageError, Failure."""
    wanted = psargs.understand(args)
    roots = Roots(check_root(args.root))
    if args.system and wanted.form != "json":
        from memtui.cli import pssums

        pssums.print_areas(args, wanted, roots)
        return OK
    try:
        seen = pslook.look(args, wanted, roots)
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e
    if wanted.form == "json":
        put(json.dumps(_document(args, wanted, seen)) + "\n")
    elif wanted.report is not None:
        from memtui.cli import pssums

        pssums.print_summary(args, wanted, seen)
    elif wanted.form == "csv":
        _print_csv(args, wanted, seen)
    else:
        _print_processes(args, wanted, seen)
    return OK


def _print_processes(args: argparse.Namespace, wanted: Asked, seen: Seen) -> None:
    tell = not args.no_header
    doomed = census.next_victim(seen.roots, seen.all, seen.quota) if tell else None
    amounts = pslook.amounts(args, seen.quota)
    view = pslook.view_of(seen.all, seen.quota, doomed)._replace(unit=amounts.unit)
    width = terminal_width() if pslook.on_terminal() else None
    fields = summaries.dressed(wanted.fields, amounts, args.numeric, width is None)
    if width is not None and not wanted.explicit:
        columns = rows.solve(width, tuple(fields), view.unit)
    else:
        columns = summaries.placed(fields, seen.shown, view, width)
    twigs = seen.twigs or [LONE] * len(seen.shown)
    head = rows.header(columns, wanted.order)
    lines = [head] if tell else []
    lines += [rows.row(p, columns, view, "", t) for p, t in zip(seen.shown, twigs, strict=False)]
    if args.totals:
        sums = summaries.totals(seen.shown, columns, amounts)
        lines += [summaries.ruled(columns, sums, width), sums]
    if doomed is not None:
        words = describe(doomed, seen.all.procs)
        lines.append([(f"{DOOMED} whom the OOM killer would take now: {words}", "muted")])
    notes = pslook.notes(seen, fields)
    pslook.finish(lines, [_footer(args, seen), *notes] if tell else notes, tell)


def _footer(args: argparse.Namespace, seen: Seen) -> str:
    count, shown = processes(len(seen.all.procs)), seen.shown
    if len(shown) < len(seen.all.procs):
        count = f"{len(shown)} of {count}"
    if seen.all.unreadable:
        count += f" ({seen.all.unreadable} could not be read)"
    rss = size(sum(p.rss for p in shown))
    what = "RES" if args.mapfilter is None else "RES of the mappings chosen"
    text = f"{count}, {what} {rss} in all (shared pages counted each time)"
    if args.percent:
        text += f"; 100 % is the machine's {size(seen.quota.host.total)}"
    return f"{text}; {limit_words(seen.quota, 60)}"


def _print_csv(args: argparse.Namespace, wanted: Asked, seen: Seen) -> None:
    from memtui.render.plain import process_lines

    view = pslook.view_of(seen.all, seen.quota)
    header = not args.no_header
    put(process_lines(seen.shown, wanted.fields, view, args.numeric, header))
    pslook.complain_of(pslook.notes(seen, wanted.fields))


def _document(args: argparse.Namespace, wanted: Asked, seen: Seen) -> dict[str, Any]:
    """The document that is promised; sums are arrays of their own beside what is always there."""
    doomed = census.next_victim(seen.roots, seen.all, seen.quota)
    whole = {p.identity: p for p in seen.all.procs}  # of all mappings, whatever was chosen
    shown = seen.all._replace(procs=[whole[p.identity] for p in seen.shown])
    made = census.as_json(seen.roots, shown, seen.quota, doomed)
    if seen.mappings and wanted.report is None:
        for each, mappings in zip(made["processes"], seen.mappings, strict=True):
            each["mapped"] = census.mapped_json(mappings)
    if wanted.report is not None or args.mapfilter is not None:
        from memtui.cli import pssums

        made |= pssums.extras(args, seen)
    return made
