"""`memtui` without a subcommand: paint real rows at once, then bring up the TUI."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from typing import Any, NamedTuple

from memtui.cli.common import Failure, UsageError, check_root
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model import fields
from memtui.model.query import Order
from memtui.model.snapshot import Snapshot
from memtui.render import ansi, frame, palette
from memtui.services.sampler import Sampler

_TTY = 2  # Textual draws on stderr, and so does the first frame
_MIN_DELAY, _MAX_DELAY = 0.1, 3600.0
THEMES = {"memtui-dark": palette.DARK, "memtui-light": palette.LIGHT}


class Options(NamedTuple):
    """What the command line asked of the TUI."""

    delay_s: float = 1.0
    order: Order = Order()
    theme: str = ""
    root: str = ""
    cgroup: str | None = None
    readonly: bool = False


def options(args: list[str], subcommands: dict[str, str]) -> Options:
    """Return the options in `args`. Raises UsageError; exits for --help, --version, bad syntax."""
    if not args:
        return Options()
    from memtui.cli.arguments import screen_parser  # argparse costs the first frame 5 ms

    if args[0][:1] != "-":
        names = ", ".join(subcommands)
        raise UsageError(f"no subcommand {args[0]!r}: there are {names}")
    a = screen_parser(subcommands).parse_args(args)
    if not _MIN_DELAY <= a.delay <= _MAX_DELAY:
        allowed = f"between {_MIN_DELAY:g} and {_MAX_DELAY:g} seconds"
        raise UsageError(f"--delay {a.delay:g} is not {allowed}")
    try:
        order = Order(fields.find(a.sort).key)
    except ValueError as e:
        raise UsageError(f"--sort: {e}") from None
    root = check_root(a.root)
    return Options(a.delay, order, a.theme, root, a.cgroup, a.readonly or bool(root))


def main(opts: Options) -> int:
    """Show the TUI until the user quits; return the exit status."""
    if not (os.isatty(0) and os.isatty(_TTY)):
        raise UsageError("needs a terminal on stdin and stderr; `memtui ps` prints one table")
    sampler = Sampler(Roots(opts.root), opts.delay_s, opts.cgroup)
    size = os.get_terminal_size(_TTY)
    first = _look(sampler, opts, size.lines)
    if not sampler.cgroup_found:
        raise UsageError(f"--cgroup {opts.cgroup!r}: no such memory cgroup is visible here")
    with _terminal() as mode:
        if size.columns >= frame.MIN_WIDTH and size.lines >= frame.MIN_HEIGHT:
            _paint(first, opts, size)
        sampler.start()
        from memtui.tui.app import MemtuiApp  # the one place that brings Textual in

        app = MemtuiApp(sampler, first, opts.order, opts.theme, readonly=opts.readonly)
        if opts.theme and opts.theme not in app.available_themes:
            names = ", ".join(sorted(app.available_themes))
            raise UsageError(f"--theme {opts.theme!r}: choose from {names}")
        return app.show(mode)


def _look(sampler: Sampler, opts: Options, rows: int) -> Snapshot:
    """Return the first snapshot; by memory the biggest processes suffice."""
    try:
        return sampler.first_look(rows) if opts.order == Order() else sampler.sample()
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e


def _paint(first: Snapshot, opts: Options, size: os.terminal_size) -> None:
    """Write the first frame, real rows and all."""
    colors = THEMES.get(opts.theme or os.environ.get("TEXTUAL_THEME", ""), palette.DARK)
    depth = ansi.depth(dict(os.environ))
    painter = ansi.Painter(colors._replace(mono=depth == ansi.NO_COLOR), depth, filled=True)
    uid = None if opts.root else os.geteuid()
    lines = frame.first_frame(first, size.columns, size.lines, opts.order, uid)
    text = "\x1b[?1049h\x1b[?25l\x1b[H" + "\r\n".join(map(painter.line, lines))
    os.write(_TTY, text.encode("utf-8", "replace"))


@contextlib.contextmanager
def _terminal() -> Iterator[list[Any]]:
    """Neither echo nor hold back keys typed before the TUI reads them; give the terminal back.

    Yields its mode from before.
    """
    before = termios.tcgetattr(0)
    mode = termios.tcgetattr(0)
    mode[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(0, termios.TCSANOW, mode)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        yield before
    except BaseException:
        sys.stderr.write("\x1b[?1049l\x1b[?25h")
        raise
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)
