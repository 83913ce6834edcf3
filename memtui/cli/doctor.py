"""`memtui doctor`: what memtui can see here, and a captured tree for a bug report."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys

from memtui.cli.arguments import add_root
from memtui.cli.common import (
    OK,
    Failure,
    UsageError,
    check_root,
    drop_stdout,
    put,
    terminal_width,
)
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.render import ansi, palette
from memtui.render.doctor import doctor_lines, origin
from memtui.render.spans import Line, plain
from memtui.services import capture, doctor
from memtui.text import safe
from memtui.units import size_long

_WIDE = 10_000  # where nobody looks, a finding is one line


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memtui doctor`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--json", action="store_true", help="one JSON document, schema memtui.doctor/1"
    )
    what.add_argument(
        "--capture",
        metavar="FILE",
        help="write a tar (compressed if FILE ends in .gz) with what memtui reads from /proc and "
        "/sys/fs/cgroup, for --root elsewhere; no environment, no arguments; - is stdout",
    )
    parser.add_argument(
        "--with-arguments",
        action="store_true",
        help="with --capture: command lines too, which may hold secrets",
    )
    add_root(parser)


def main(args: argparse.Namespace) -> int:
    """Print the findings or write the tar; return the exit status. Raises UsageError, Failure."""
    roots = Roots(check_root(args.root))
    if args.capture is not None:
        return _capture(args.capture, roots, args.with_arguments)
    if args.with_arguments:
        raise UsageError("--with-arguments goes with --capture FILE")
    seen = doctor.look(roots)
    findings = doctor.examine(seen)
    if args.json:
        put(json.dumps(doctor.as_json(seen, findings)) + "\n")
        return OK
    tty = sys.stdout is not None and sys.stdout.isatty()
    width = terminal_width() if tty else _WIDE
    lines = doctor_lines(
        findings, origin(seen.live, seen.marker, os.geteuid()), width, _ascii_only()
    )
    put("\n".join(_painted(lines, tty)) + "\n")
    return OK


def _ascii_only() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "") != "utf8"


def _painted(lines: list[Line], tty: bool) -> list[str]:
    depth = ansi.depth(dict(os.environ)) if tty else ansi.NO_COLOR
    if depth == ansi.NO_COLOR:
        return [plain(line).rstrip() for line in lines]
    return list(map(ansi.Painter(palette.DARK, depth).line, lines))


def _capture(path: str, roots: Roots, arguments: bool) -> int:
    try:
        made = (
            _to_stdout(roots, arguments) if path == "-" else capture.capture(path, roots, arguments)
        )
    except capture.Exists:
        raise UsageError(f"--capture {path!r} is there already, and is not overwritten") from None
    except BrokenPipeError:
        drop_stdout()
        raise
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else str(e)
        raise Failure(f"cannot write {path!r}: {reason}") from e
    _tell(path, made, arguments)
    return OK


def _to_stdout(roots: Roots, arguments: bool) -> capture.Captured:
    if sys.stdout is None:
        raise Failure("stdout is closed")
    if sys.stdout.isatty():
        raise UsageError("--capture - writes a tar, which is not for a terminal: redirect it")
    made = capture.write_tar(sys.stdout.buffer, roots, arguments)
    sys.stdout.buffer.flush()
    return made


def _tell(path: str, made: capture.Captured, arguments: bool) -> None:
    """Say on stderr what is in the tar, what is not, and how to read it."""
    file = "FILE" if path == "-" else safe(shlex.quote(path))
    argv = "command lines, names of" if arguments else "names (comm) of"
    lines = [
        f"wrote {made.processes} processes and {made.groups} cgroups, "
        f"{size_long(made.bytes)} before compression",
        f"in it: {argv} processes and cgroups, users as numbers; not in it: environments, "
        + ("" if arguments else "arguments, ")
        + "the host name, boot_id",
        *(f"left out for its size: {what}" for what in made.left_out),
        f"read it with: mkdir DIR && tar -xf {file} -C DIR",
        "              memtui quota --root DIR; memtui ps --root DIR; memtui --root DIR",
    ]
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(f"memtui: {line}\n" for line in lines))
        sys.stderr.flush()
