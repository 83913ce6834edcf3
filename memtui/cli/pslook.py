"""What `memtui ps` reads for what was asked, and how its lines reach stdout."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from memtui.cli.common import Failure, complain, put
from memtui.cli.psargs import Asked
from memtui.kernel import procfs
from memtui.kernel.roots import Roots
from memtui.model import asked, query
from memtui.model.badness import Doomed, total_of
from memtui.model.fields import Field
from memtui.model.snapshot import BADNESS, ROLLUP, TREE, Proc, Quota
from memtui.model.tree import Twig, grow, parents_of
from memtui.render import ansi, palette, summaries
from memtui.render.rows import View
from memtui.render.spans import Line, plain
from memtui.services import census
from memtui.services.quota import QuotaSource

if TYPE_CHECKING:
    from memtui.kernel.procmore import Mapping


class Seen(NamedTuple):
    """What was read, and what of it is shown."""

    roots: Roots
    all: census.Census
    shown: list[Proc]
    quota: Quota
    unread: Sequence[Proc] = ()  # whose mappings could not be read
    mappings: Sequence[list[Mapping]] = ()  # of `shown`, where they were read
    twigs: Sequence[Twig] = ()  # of `shown`, in a tree


def look(args: argparse.Namespace, wanted: Asked, roots: Roots) -> Seen:
    """Read no more than what is asked for needs, of no more processes than are asked for.

    Raises a KernelError where /proc is unreadable, Failure where nothing tells of mappings.
    """
    found = census.take(roots, cgroups=_groups(args, wanted))
    quota = read_quota(roots)
    needs, chosen = _needs(args, wanted), wanted.filter.needs if wanted.filter else 0
    if (needs | chosen) & (TREE | BADNESS):  # these are reckoned from everybody's
        found = census.deepen(roots, found, needs | chosen, quota)
        needs = chosen = 0
    shown = found._replace(procs=_matching(wanted, found, roots))
    if wanted.filter is not None:
        shown = census.deepen(roots, shown, chosen, quota)
        view = view_of(found, quota)
        kept = [p for p in shown.procs if wanted.filter.matches(p, view)]
        shown, needs = shown._replace(procs=kept), needs & ~chosen
    shown = census.deepen(roots, shown, needs, quota)
    seen = Seen(roots, found, shown.procs, quota)
    if args.mappings or wanted.maps:
        if not procfs.is_there(roots):
            raise Failure("mappings are told by Linux's /proc, which is not here")
        from memtui.services import mappings

        told = mappings.look(roots, shown.procs, wanted.mapping)
        seen = seen._replace(shown=told.procs, mappings=told.mappings, unread=told.unread)
    return seen if wanted.report is not None else _arranged(args, wanted, seen)


def read_quota(roots: Roots) -> Quota:
    """Return the quota, and keep no descriptor: few may be left."""
    source = QuotaSource(roots)
    try:
        return source.read()
    finally:
        source.close()


def _needs(args: argparse.Namespace, wanted: Asked) -> int:
    needs = asked.needs((*wanted.fields, wanted.order.field)) & (asked.MAPPINGS - 1)
    if wanted.report is not None:
        needs = ROLLUP if args.users else 0
    # sums over mappings are taken in its place
    return needs & ~ROLLUP if wanted.mapping is not None else needs


def _groups(args: argparse.Namespace, wanted: Asked) -> bool:
    """Whether cgroups are asked for, or what depends on them, as whom the OOM killer would take."""
    keys = {"cgroup", "limit", "oom"} & {f.key for f in (*wanted.fields, wanted.order.field)}
    told = wanted.form == "text" and wanted.report is None and not args.no_header
    return bool(keys) or wanted.filter is not None or told or wanted.form == "json"


def _matching(wanted: Asked, found: census.Census, roots: Roots) -> list[Proc]:
    """Who is asked for by name; memtui itself, whose arguments hold the pattern, is not."""
    procs, process, user = found.procs, wanted.process, wanted.user
    if (process is not None or wanted.filter is not None) and roots.live:
        us = os.getpid()
        procs = [p for p in procs if p.pid != us]
    if process is not None:
        procs = [p for p in procs if process(p.name) or process(p.command)]
    if user is not None:
        part, whole = user
        procs = [p for p in procs if part(p.user) or (p.uid is not None and whole(str(p.uid)))]
    return procs


def _arranged(args: argparse.Namespace, wanted: Asked, seen: Seen) -> Seen:
    """The processes in order, in a tree where that is asked for, and no more than asked for."""
    by = {p.identity: m for p, m in zip(seen.shown, seen.mappings, strict=False)}
    shown, twigs = query.sort(seen.shown, wanted.order), seen.twigs
    if args.tree:
        shown, twigs = grow(shown, parents_of(seen.all.procs))
    shown = shown[: args.limit_rows]
    mappings = [by[p.identity] for p in shown] if by else []
    return seen._replace(shown=shown, twigs=twigs, mappings=mappings)


def view_of(found: census.Census, quota: Quota, doomed: Doomed | None = None) -> View:
    """Return what cells depend on beside their process."""
    return View(
        quota.binding.bytes if quota.binding else None,
        os.geteuid() if on_terminal() else None,
        doomed=doomed.all if doomed else (),
        host=quota.host.total,
        total=total_of(quota),
        boot=found.boot,
        now=found.now,
        level=quota.level_path,
    )


def amounts(args: argparse.Namespace, quota: Quota) -> summaries.Amounts:
    """Return how sizes are to be written."""
    host = quota.host
    unit = "K" if args.kib else ""
    return summaries.Amounts(unit, args.percent, host.total, host.swap_total)


def notes(seen: Seen, fields: Sequence[Field]) -> list[str]:
    """Return in sentences what is not known, of whom, and what would grant it."""
    grant = ""
    if seen.unread or asked.needs(fields):  # then it is imported already, else it need not be
        from memtui.services.depth import NEEDS

        grant = NEEDS
    said = summaries.unknowns(seen.shown, fields, grant)
    if seen.unread and not any(f.key == "maps" for f in fields):
        who = summaries.named(seen.unread)
        said.append(f"mappings of {len(seen.unread)} not known: {who}; {grant}")
    hidden = census.hidden(seen.roots, seen.all)
    return [*said, hidden] if hidden else said


# -- output


def on_terminal() -> bool:
    """Whether a terminal reads what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def finish(lines: Sequence[Line], said: Sequence[str], tell: bool) -> None:
    """Write the lines; what is said besides stands below them, or goes to stderr."""
    below: list[Line] = [[(note, "muted")] for note in said] if tell else []
    depth = ansi.depth(dict(os.environ)) if on_terminal() else ansi.NO_COLOR
    if depth == ansi.NO_COLOR:
        text = "".join(plain(line).rstrip() + "\n" for line in (*lines, *below))
    else:
        painter = ansi.Painter(palette.DARK, depth)
        text = "".join(painter.line(stripped(line)) + "\n" for line in (*lines, *below))
    put(text)
    if not tell:
        complain_of(said)


def complain_of(said: Sequence[str]) -> None:
    """Say on stderr what rows alone do not tell."""
    for note in said:
        complain(note)


def stripped(line: Line) -> Line:
    """Return the line without the last blank: beyond the last cell it would begin a new line."""
    if line and line[-1][0].endswith(" "):
        text, role = line[-1]
        return [*line[:-1], (text[:-1], role)]
    return line
