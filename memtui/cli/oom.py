"""`memtui oom`: who was killed by the OOM killer, from the kernel log or a saved one."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time as clock
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from memtui.cli.common import FAILED, OK, Failure, UsageError, put, terminal_width
from memtui.cli.since import parse_since
from memtui.kernel.errors import KernelError
from memtui.kernel.kmsg import read_boot_time
from memtui.kernel.logtime import with_year
from memtui.kernel.oomlog import LogKill, OomLog, OtherKill
from memtui.kernel.probe import in_first_namespace
from memtui.model.ownkills import Known, as_event, merge, uncounted
from memtui.render import ansi, killlist, palette
from memtui.render.killlist import Found, rss_of
from memtui.render.postmortem import postmortem
from memtui.render.spans import Line, plain
from memtui.services.kernellog import KernelLog, NoLog, open_kernel_log, wait
from memtui.services.logfile import STDIN, LogFile, NotALog
from memtui.services.store import KillLog
from memtui.text import decode, safe
from memtui.units import duration

SCHEMA = "memtui.oom/1"
_PAGE = 100  # cells, where no terminal says
_BURST_S = 0.02  # the lines of one kill come within microseconds, those of a group within this


class Collected(NamedTuple):
    """What was found, and what is to be said of the finding."""

    found: list[Found]
    notes: list[str]
    status: int = OK


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui oom`."""
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="a saved log in place of the kernel's: dmesg, journalctl, syslog, /dev/kmsg or a "
        "serial console, of any age, also compressed; - is stdin",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="kills from then on: 2h, 13h ago, 2026-05-01 14:30, boot"
    )
    parser.add_argument("--follow", action="store_true", help="print new kills as they come")
    parser.add_argument(
        "--show",
        type=int,
        metavar="N",
        help="the post-mortem of one kill: 1 is the newest, 2 the one before",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON document, schema memtui.oom/1"
    )


def main(args: argparse.Namespace) -> int:
    """Print the kills; return the exit status. Raises UsageError, Failure."""
    now = clock.time()
    since = None
    if args.since is not None:
        since = parse_since(args.since, now, read_boot_time())
    if args.show is not None and (args.follow or args.json or args.show < 1):
        raise UsageError("--show takes a number from 1 on, and neither --follow nor --json")
    if args.follow:
        return _follow(args, since)
    collected = collect(args.log, since, records=args.show is not None)
    for note in collected.notes:
        _say(note)
    if args.show is not None:
        return _show(collected, args.show)
    if args.json:
        put(json.dumps(document(collected.found)) + "\n")
    elif collected.found:
        put("\n".join(_painted(killlist.kill_lines(collected.found))) + "\n")
    elif collected.status == OK:
        put(f"no OOM kill in {_where(args)}\n")
    return collected.status


def collect(path: str | None, since: float | None, records: bool = False) -> Collected:
    """Return all kills since a moment, from a saved log or from what this machine knows.

    That is the kernel log and memtui's own record. `records` keeps the log's own lines.
    Raises UsageError, Failure.
    """
    return _from_machine(since, records) if path is None else _from_file(path, since, records)


def _from_machine(since: float | None, records: bool) -> Collected:
    log = KillLog()
    own = [e for e in log.read() if since is None or e.time >= since]
    try:
        told = _from_kernel(since, records)
    except Failure as e:
        if not own:
            raise
        told = Collected([], [str(e)])
    notes = [*told.notes, *([log.directory.problem] if log.directory.problem else [])]
    if unnamed := uncounted(own):
        notes.append(f"{unnamed} more were counted by memtui; who they were is not known")
    if log.skipped:
        notes.append(f"{log.skipped} lines of memtui's own record make no sense")
    known = merge([each.kill for each in told.found], own)
    return Collected([Found(k.kill, k.evidence, k.event) for k in known], notes)


def _show(collected: Collected, number: int) -> int:
    """Print a post-mortem. Raises Failure where there are not so many kills."""
    count = len(collected.found)
    if number > count:
        known = f"only {count} known" if count else "no kill is known"
        raise Failure(f"--show {number}: {known}")
    found = collected.found[-number]
    tty = sys.stdout is not None and sys.stdout.isatty()
    page = postmortem(as_event(Known(*found)), max(40, terminal_width()) if tty else _PAGE)
    put("\n".join(line.rstrip() for line in _painted(page)) + "\n")
    return collected.status


def _where(args: argparse.Namespace) -> str:
    place = "the kernel log of this boot, nor in memtui's own record"
    if args.log is not None:
        place = "stdin" if args.log == STDIN else repr(safe(args.log))
    return place if args.since is None else f"{place} since {safe(args.since)}"


def _say(note: str) -> None:
    sys.stderr.write(f"memtui: {safe(note)}\n")


def _from_kernel(since: float | None, records: bool) -> Collected:
    log = open_kernel_log(read_boot_time() - 1 if since is None else since, False, records=records)
    if isinstance(log, NoLog):
        raise Failure(_no_log(log))
    kills: dict[int, LogKill] = {}
    with closing(log):
        for told in _told(log):
            kills[told.id] = told
        return Collected([Found(kill) for kill in kills.values()], _doubts(log, since))


def _no_log(log: NoLog) -> str:
    grant = f"; what would grant it: {log.grant}" if log.grant else ""
    return f"the kernel log cannot be read: {log.why}{grant}"


def _told(log: KernelLog) -> Iterator[LogKill]:
    """Yield the kills that the log tells until it ends. Raises Failure."""
    while True:
        try:
            yield from (told for told in log.read() if isinstance(told, LogKill))
        except KernelError as e:
            raise Failure(f"cannot read the kernel log: {e}") from e
        if log.ended:
            return
        wait(log)
        clock.sleep(_BURST_S)


def _doubts(log: KernelLog, since: float | None) -> list[str]:
    notes = []
    if log.begins is not None and (since is None or since < log.begins):
        oldest = clock.strftime("%Y-%m-%d %H:%M:%S", clock.localtime(log.begins))
        notes.append(f"older records were overwritten: {log.name} begins at {oldest}")
    if log.error_s >= 1:
        slept = duration(log.error_s)
        notes.append(f"the machine slept {slept} since its start: earlier times may be off by that")
    if in_first_namespace("pid") is False:
        notes.append("PIDs of the kernel log are the host's, not those seen here")
    if log.lost:
        notes.append(f"{log.lost} records of the kernel log were overwritten before they were read")
    return notes


def _open(path: str) -> LogFile:
    try:
        return LogFile(path)
    except NotALog as e:
        raise UsageError(f"--log {path!r} {e}") from None
    except (FileNotFoundError, IsADirectoryError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise UsageError(f"--log {path!r}: {reason}") from None
    except OSError as e:
        raise Failure(f"cannot read {path!r}: {e.strerror}") from e


def _parsed(file: LogFile, path: str, log: OomLog) -> Iterator[LogKill]:
    """Yield the kills of a saved log as they are read. Raises Failure."""
    try:
        for data in file.chunks():
            yield from log.feed_data(data)
            yield from log.flush() if path == STDIN else ()
    except (OSError, EOFError, ValueError) as e:
        raise Failure(f"cannot read {path!r} to its end: {e}") from e
    yield from log.finish()


def _from_file(path: str, since: float | None, records: bool) -> Collected:
    kills: dict[int, LogKill] = {}
    notes, status = [], OK
    log = OomLog(records=records)
    with _open(path) as file:
        written = file.written or clock.time()
        try:
            for kill in _parsed(file, path, log):
                kills[kill.id] = kill
        except Failure as e:  # what was read counts
            notes, status = [str(e)], FAILED
    found = [Found(kill) for kill in kills.values() if _is_since(kill, since, written) is not False]
    unsure = sum(_is_since(each.kill, since, written) is None for each in found)
    if unsure:
        notes.append(f"{unsure} of these have no date in the log: they may be older")
    return Collected(found, notes + _others(log.others), status)


def _others(others: list[OtherKill]) -> list[str]:
    """Say which programs killed, beside the kernel."""
    counts = Counter(other.who for other in others if not other.by_kernel)
    said = ", ".join(f"{who} {count}" for who, count in counts.items())
    return [f"kills by other programs than the kernel are not listed: {said}"] if said else []


def _is_since(kill: LogKill, since: float | None, written: float) -> bool | None:
    """Whether the kill was since then, in a log that was written until `written`; None: unknown."""
    if since is None:
        return True
    at = kill.time
    if at is None and kill.log_time is not None:
        at = with_year(kill.log_time, written)
    return None if at is None else at >= since


def _follow(args: argparse.Namespace, since: float | None) -> int:
    """Print kills as they come, until interrupted. Raises UsageError, Failure."""
    if args.log == STDIN:
        with _open(args.log) as file:
            kills = _parsed(file, args.log, OomLog(records=False))
            now = clock.time()
            _print_each((k for k in kills if _is_since(k, since, now) is not False), args.json)
        return OK
    if args.log is not None:
        raise UsageError(
            "--follow watches the kernel log: tail -f FILE | memtui oom --follow --log -"
        )
    log = open_kernel_log(since, follow=True, records=False)
    if isinstance(log, NoLog):
        raise Failure(_no_log(log))
    with closing(log):
        _say(f"watching {log.name}; Ctrl-C ends")
        _print_each(_told(log), args.json)
    return OK


def _print_each(kills: Iterable[LogKill], as_json: bool) -> None:
    if not as_json:
        _put_line(killlist.row(killlist.TITLES, killlist.FIXED, "bold"))
    for kill in kills:
        found = Found(kill)
        if as_json:
            put(json.dumps(document([found])) + "\n")
        else:
            _put_line(killlist.row(killlist.cells_of(found), killlist.FIXED))


def _put_line(line: Line) -> None:
    put(_painted([line])[0] + "\n")


def _painted(lines: list[Line]) -> list[str]:
    tty = sys.stdout is not None and sys.stdout.isatty()
    depth = ansi.depth(dict(os.environ)) if tty else ansi.NO_COLOR
    if depth == ansi.NO_COLOR:
        return [plain(line) for line in lines]
    return list(map(ansi.Painter(palette.DARK, depth).line, lines))


def document(found: list[Found]) -> dict[str, object]:
    """Return the JSON document: DESIGN's keys, then our own."""
    return {"schema": SCHEMA, "kills": [_as_json(each) for each in found]}


def _as_json(found: Found) -> dict[str, object]:
    told = found.kill._asdict()
    told = {key: decode(v) if isinstance(v, bytes) else v for key, v in told.items()}
    for key in ("id", "table", "record"):
        del told[key]
    limits = [limit._asdict() for limit in found.kill.limits]
    return {**told, "evidence": found.evidence, "rss": rss_of(found), "limits": limits}
