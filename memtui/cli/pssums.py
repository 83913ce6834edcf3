"""`memtui ps -u`, `-m` and `-w`: sums by user, by mapping, by area of the machine's memory."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from memtui.cli import pslook
from memtui.cli.common import Failure, put, terminal_width
from memtui.cli.psargs import Asked
from memtui.cli.pslook import Seen
from memtui.kernel.meminfo import read_table
from memtui.kernel.roots import Roots
from memtui.model import asked, sums
from memtui.model.groups import Sum
from memtui.render import summaries
from memtui.render.plain import line
from memtui.render.quota import limit_words
from memtui.render.summaries import Amounts
from memtui.units import processes, size


def print_summary(args: argparse.Namespace, wanted: Asked, seen: Seen) -> None:
    """Print sums by user or by mapping."""
    fields = [asked.column(k) for k in ("pss", "uss", "swap")] if args.users else []
    kept = [p for p in seen.shown if not p.kernel_thread]
    notes = pslook.notes(seen._replace(shown=kept), fields)
    found = sums.by_user(kept, args.numeric) if args.users else sums.by_mapping(seen.mappings)
    what = ("user" if args.users else "mapping") + "s" * (len(found) != 1)
    said = f"{len(found)} {what} of {processes(len(kept))}; {limit_words(seen.quota, 60)}"
    _print_rows(args, wanted, found, pslook.amounts(args, seen.quota), [said], notes)


def print_areas(args: argparse.Namespace, wanted: Asked, roots: Roots) -> None:
    """Print the machine's memory by area. Raises Failure."""
    info = read_table(roots)
    if "MemTotal" not in info:
        raise Failure("-w needs /proc/meminfo, which is not there or says nothing")
    quota = pslook.read_quota(roots)
    said = [
        f"MemTotal {size(info['MemTotal'])}; {limit_words(quota, 60)}",
        "firmware and the kernel's image lie outside of MemTotal, and no file tells their size",
    ]
    if info.get("Shmem"):
        said.append(
            f"{size(info['Shmem'])} of the cache is tmpfs and shared memory (Shmem): that can be"
            " swapped, but not dropped"
        )
    _print_rows(args, wanted, sums.areas(info), pslook.amounts(args, quota), said, [])


def _print_rows(
    args: argparse.Namespace,
    wanted: Asked,
    found: Sequence[sums.Row],
    amounts: Amounts,
    said: list[str],
    notes: list[str],
) -> None:
    head, heads = wanted.head, wanted.heads
    assert head is not None
    down = (head.kind != "text" and head.key != "order") != args.reverse
    shown = sums.arrange(found, head, down)[: args.limit_rows]
    tell = not args.no_header
    if wanted.form == "csv":
        lines = [line(h.key for h in heads)] if tell else []
        lines += [line(sums.number(r[h.key]) for h in heads) for r in shown]
        put("".join(lines))
        pslook.complain_of(notes)
        return
    below: list[str] = []
    if args.totals:
        added = [sums.total(shown, h.key) for h in heads]
        below = summaries.below(heads, added, amounts, len(shown))
    width = terminal_width() if pslook.on_terminal() else None
    table = summaries.summary(shown, heads, amounts, (head.key, down), width, below)
    pslook.finish(table if tell else table[1:], [*said, *notes] if tell else notes, tell)


def extras(args: argparse.Namespace, seen: Seen) -> dict[str, Any]:
    """Return what these views add to the document of `memtui ps --json`."""
    made: dict[str, Any] = {}
    if args.users:
        made["users"] = [_user_json(row) for row in sums.by_user(seen.shown)]
    if args.mappings:
        made["mappings"] = [_mapping_json(row) for row in sums.by_mapping(seen.mappings)]
    if args.system:
        found = sums.areas(read_table(seen.roots))
        made["areas"] = [{k: v for k, v in row.items() if k != "order"} for row in found]
    if args.mappings or args.mapfilter is not None:
        made["mappings_unknown"] = len(seen.unread)
    return made


def _user_json(row: sums.Row) -> dict[str, Any]:
    told = {k: v.told if isinstance(v, Sum) else v for k, v in row.items()}
    pss = row["pss"]
    return {
        **told,
        "user": None if row["uid"] is None else row["user"],
        "pss_unknown": pss.unknown if isinstance(pss, Sum) else 0,
    }


def _mapping_json(row: sums.Row) -> dict[str, Any]:
    made: dict[str, Any] = dict(row)
    made["map"] = made.pop("raw")  # lossless
    return made
