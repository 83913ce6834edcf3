"""The parser of every command line: wrong use is one sentence, as everywhere in memtui."""

from __future__ import annotations

import argparse
from typing import NoReturn

from memtui.cli.common import UsageError


class Parser(argparse.ArgumentParser):
    """argparse without the usage lines before an error."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add --root, for those that read a kernel's files once."""
    parser.add_argument("--root", default="", metavar="DIR", help="read DIR/proc and DIR/sys")
