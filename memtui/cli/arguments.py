"""The parser of every command line: wrong use is one sentence, as everywhere in memtui."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from memtui.cli.common import UsageError, put

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class Parser(argparse.ArgumentParser):
    """argparse without the usage lines before an error."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; what the locale's encoding cannot show is a `?`."""
        if file is None:
            put(self.format_help())
        else:
            super().print_help(file)


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add --root, for those that read a kernel's files once."""
    parser.add_argument("--root", default="", metavar="DIR", help="read DIR/proc and DIR/sys")
