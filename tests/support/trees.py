"""Captured trees: another machine's /proc and /sys/fs/cgroup, as files."""

from __future__ import annotations

import shutil
from pathlib import Path

from memtui.kernel.roots import Roots

TREES = Path(__file__).parent.parent / "trees"


def tree(name: str) -> Roots:
    """The tree `name`, to read."""
    return Roots(str(TREES / name))


def copy(name: str, to: Path) -> Path:
    """A copy of the tree `name`, to change."""
    return Path(shutil.copytree(TREES / name, to / name))
