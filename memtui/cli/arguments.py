"""The parser of every command line: wrong use is one sentence, as everywhere in memtui."""

from __future__ import annotations

import argparse
from typing import NoReturn

from memtui import __version__
from memtui.cli.common import UsageError


class Parser(argparse.ArgumentParser):
    """argparse without the usage lines before an error."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add --root, for those that read a kernel's files once."""
    parser.add_argument("--root", default="", metavar="DIR", help="read DIR/proc and DIR/sys")


def screen_parser(subcommands: dict[str, str]) -> Parser:
    """Return the parser of `memtui` without a subcommand."""
    listing = "\n".join(f"  memtui {name:<8}{text}" for name, text in subcommands.items())
    parser = Parser(
        prog="memtui",
        description="How near the memory limit is, what uses it, what was killed, what to do.",
        epilog=f"subcommands (each has --help):\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"memtui {__version__}")
    delay = "seconds between refreshes (default 1)"
    add("--delay", "-d", type=float, default=1.0, metavar="S", help=delay)
    add("--sort", "-s", default="rss", metavar="FIELD", help="column to sort by (default rss)")
    theme = "memtui-dark, memtui-light, or a theme of Textual"
    add("--theme", default="", metavar="NAME", help=theme)
    add("--cgroup", metavar="PATH", help="look at this cgroup instead of our own")
    root = "read DIR/proc and DIR/sys instead of /proc and /sys"
    add("--root", default="", metavar="DIR", help=root)
    readonly = "never send a signal, never run a command"
    add("--readonly", action="store_true", help=readonly)
    return parser
