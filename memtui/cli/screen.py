"""`memtui` without a subcommand: paint real rows at once, then bring up the TUI."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from typing import Any, NamedTuple

from memtui import __version__
from memtui.cli.common import Failure, UsageError, check_filter, check_root, put
from memtui.kernel.errors import KernelError
from memtui.kernel.roots import Roots
from memtui.model import fields
from memtui.model.query import Order
from memtui.model.snapshot import Snapshot
from memtui.render import ansi, frame, palette
from memtui.services import settings
from memtui.services.sampler import Sampler
from memtui.services.settings import MAX_DELAY_S, MIN_DELAY_S

_TTY = 2  # Textual draws on stderr, and so does the first frame
_LONG = ["help", "version", "delay=", "sort=", "theme=", "cgroup=", "root=", "readonly", "filter="]
_SHORT = {"-h": "--help", "-d": "--delay", "-s": "--sort", "-F": "--filter"}
_USAGE = """\
usage: memtui [--delay S] [--sort FIELD] [--filter TEXT] [--theme NAME] [--cgroup PATH]
              [--root DIR] [--readonly]

How near the memory limit is, what uses it, what was killed, and what to do. F1 shows the keys.

  -d, --delay S     seconds between refreshes (default 1)
  -s, --sort FIELD  column to sort by (default rss)
  -F, --filter TEXT show only these: text, a|b, 'mem>500m user=ann cmd~jupyter' (F1 says more)
  --theme NAME      dark, light, ansi (the terminal's own colours), or a theme of Textual
  --cgroup PATH     look at this cgroup instead of our own
  --root DIR        read DIR/proc and DIR/sys instead of /proc and /sys
  --readonly        never send a signal, run a command or delete a file
  --version         print the version
  -h, --help        print this
"""


class Options(NamedTuple):
    """What the command line asked of the TUI."""

    delay_s: float | None = None  # None: as the settings have it
    order: Order | None = None
    theme: str = ""
    root: str = ""
    cgroup: str | None = None
    readonly: bool = False
    filter: str = ""  # understood already


def options(args: list[str], subcommands: dict[str, str]) -> Options:
    """Return the options in `args`; --help and --version print and exit. Raises UsageError."""
    if not args:
        return Options()
    from getopt import GetoptError, getopt  # argparse would cost the first frame 5 ms

    try:
        pairs, rest = getopt(args, "hd:s:F:", _LONG)
    except GetoptError as e:
        raise UsageError(f"{e}; see memtui --help") from None
    if rest:
        names = ", ".join(subcommands)
        raise UsageError(f"no subcommand {rest[0]!r}: there are {names}")
    given = {_SHORT.get(name, name): value for name, value in pairs}
    if "--help" in given or "--version" in given:
        put(_help(subcommands) if "--help" in given else f"memtui {__version__}\n")
        sys.exit(0)
    return _checked(given)


def _help(subcommands: dict[str, str]) -> str:
    listing = "".join(f"  memtui {name:<10}{text}\n" for name, text in subcommands.items())
    return f"{_USAGE}\nsubcommands (each has --help):\n{listing}"


def _checked(given: dict[str, str]) -> Options:
    """Return the options with their values checked. Raises UsageError."""
    delay = _delay(given["--delay"]) if "--delay" in given else None
    try:
        order = Order(fields.find(given["--sort"]).key) if "--sort" in given else None
    except ValueError as e:
        raise UsageError(f"--sort: {e}") from None
    root = check_root(given.get("--root", ""))
    readonly = "--readonly" in given or bool(root)
    theme, cgroup = given.get("--theme", ""), given.get("--cgroup")
    wanted = given.get("--filter", "").strip()
    if wanted:
        check_filter(wanted)
    return Options(delay, order, theme, root, cgroup, readonly, wanted)


def _delay(word: str) -> float:
    try:
        delay = float(word)
    except ValueError:
        raise UsageError(f"--delay {word!r} is not a number of seconds") from None
    if not MIN_DELAY_S <= delay <= MAX_DELAY_S:
        allowed = f"between {MIN_DELAY_S:g} and {MAX_DELAY_S:g} seconds"
        raise UsageError(f"--delay {word} is not {allowed}")
    return delay


def _settled(opts: Options, kept: settings.Settings) -> Options:
    """Fill from the settings what the command line leaves open."""
    wanted = opts.theme or os.environ.get("TEXTUAL_THEME", "") or kept.theme
    theme = palette.theme_name(wanted, ansi.depth(dict(os.environ)))
    return opts._replace(
        delay_s=kept.delay_s if opts.delay_s is None else opts.delay_s,
        order=opts.order or kept.order,
        theme=theme,
    )


def main(opts: Options) -> int:
    """Show the TUI until the user quits; return the exit status."""
    if not (os.isatty(0) and os.isatty(_TTY)):
        raise UsageError("needs a terminal on stdin and stderr; `memtui ps` prints one table")
    if os.environ.get("TERM") == "dumb":
        raise UsageError("TERM=dumb cannot place a cursor; `memtui ps` prints one table")
    if os.environ.get("NO_COLOR") == "":  # that means colours, but Textual takes it otherwise
        del os.environ["NO_COLOR"]
    if opts.theme and palette.theme_name(opts.theme, 0) not in palette.PALETTES:
        from memtui.tui.theme import names  # Textual's are asked for only then

        if opts.theme not in names():
            raise UsageError(f"--theme {opts.theme!r}: choose from {', '.join(names())}")
    file = settings.path(os.environ)
    kept = settings.load(file)
    opts = _settled(opts, kept)
    order = opts.order or Order()
    sampler = Sampler(Roots(opts.root), opts.delay_s or 1.0, opts.cgroup)
    size = os.get_terminal_size(_TTY)
    chosen = check_filter(opts.filter) if opts.filter else None
    needs = frame.needs(size.columns, order, kept.shown) | (chosen.needs if chosen else 0)
    sampler.want(needs)
    first = _look(sampler, opts, size.lines, kept.shown)
    if not sampler.cgroup_found:
        raise UsageError(f"--cgroup {opts.cgroup!r}: no such memory cgroup is visible here")
    with _terminal() as mode:
        painted = size.columns >= frame.MIN_WIDTH and size.lines >= frame.MIN_HEIGHT
        if painted:
            _paint(first, opts, size, kept.shown)
        sampler.start()
        from memtui.tui.app import MemtuiApp  # the one place that brings Textual in

        app = MemtuiApp(
            sampler, first, order, opts.theme, opts.readonly, painted, kept, file, chosen
        )
        return app.show(mode)


def _look(sampler: Sampler, opts: Options, rows: int, shown: frame.Shown) -> Snapshot:
    """Return the first snapshot; by memory the biggest processes suffice."""
    few = opts.order == Order() and not opts.filter and not shown.tree
    try:
        return sampler.first_look(rows) if few else sampler.sample()
    except KernelError as e:
        raise Failure(f"cannot read the process list: {e}") from e


def _paint(first: Snapshot, opts: Options, size: os.terminal_size, shown: frame.Shown) -> None:
    """Write the first frame, real rows and all."""
    colors = palette.PALETTES.get(opts.theme, palette.DARK)
    depth = ansi.depth(dict(os.environ))
    painter = ansi.Painter(colors._replace(mono=depth == ansi.NO_COLOR), depth, filled=True)
    uid = None if opts.root else os.geteuid()
    order = opts.order or Order()
    wanted = opts.filter
    lines = frame.first_frame(first, size.columns, size.lines, order, uid, shown, wanted)
    text = "\x1b[?1049h\x1b[?25l\x1b[H" + "\r\n".join(map(painter.line, lines))
    os.write(_TTY, text.encode("utf-8", "replace"))


@contextlib.contextmanager
def _terminal() -> Iterator[list[Any]]:
    """Neither echo nor hold back keys typed before the TUI reads them; give the terminal back.

    Yields its mode from before.
    """
    before = termios.tcgetattr(0)
    mode = termios.tcgetattr(0)
    # Ctrl-C stays a key too: as a signal between two steps of the start it could get lost
    mode[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
    termios.tcsetattr(0, termios.TCSANOW, mode)

    def end(number: int, _: object) -> None:
        """End at once: an exception in the midst of Textual's start would not come through."""
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            os.write(_TTY, ansi.RESTORE.encode())
            termios.tcsetattr(0, termios.TCSANOW, before)
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        yield before
    except BaseException:
        sys.stderr.write("\x1b[?1049l\x1b[?25h")
        raise
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
