"""The worlds: where the suite runs, and how it is started there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tests.kernels import boot
from tests.kernels.boot import Guest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
LIMIT_S = 700
QEMU_LIMIT_S = 330
USER = "tester"
SWAP = "256M"


class World(NamedTuple):
    """One kernel and user."""

    name: str
    what: str
    guest: Guest | None = None  # None: this machine
    user: bool = False  # on this machine: as an ordinary user
    must: bool = True  # be there where root runs all of it
    has: tuple[str, ...] = ()  # features that cannot be missing there
    on_request: bool = False  # visited only where somebody names it
    tests: tuple[str, ...] = ()  # what of the suite runs there; all of it where empty

    def missing(self) -> str | None:
        """Say why the suite cannot run there, or None."""
        if self.guest is not None:
            return boot.missing(self.guest)
        if os.geteuid() != 0:
            return None if self.user else "we are not root"
        return "setpriv is not installed" if self.user and not shutil.which("setpriv") else None


# The long ones first: two run at a time.
WORLDS = (
    World("host-root", "this machine as root"),
    World("host-user", "this machine as an ordinary user", user=True, has=("unprivileged",)),
    World(
        "v2-root",
        "cgroup v2 as root, with swap",
        Guest(timeout=LIMIT_S, swap=SWAP),
        has=("memory_v2", "swap", "kmsg", "namespaces"),
    ),
    # Debian's user-mode-linux 6.1 has it, later ones have not.
    World(
        "v1-root",
        "cgroup v1 as root, with swap",
        Guest(v1=True, timeout=LIMIT_S, swap=SWAP),
        must=False,
        has=("memory_v1", "swap", "kmsg", "namespaces"),
    ),
    World(
        "v2-user",
        "cgroup v2, a delegated subtree",
        Guest(user=USER, timeout=LIMIT_S),
        has=("memory_v2", "delegated", "unprivileged"),
    ),
    World(
        "v2-systemd",
        "cgroup v2, a login session under systemd",
        Guest(user=USER, systemd=True, timeout=LIMIT_S),
        has=("systemd_user", "unprivileged"),
    ),
    # Slow, so only what the others have not, and the core: a start of Python takes 2 to 4 s.
    World(
        "qemu-root",
        "cgroup v2 with PSI as root, under QEMU",
        Guest(qemu=True, timeout=QEMU_LIMIT_S),
        has=("memory_v2", "psi", "kmsg"),
        on_request=True,
        tests=(
            "tests/services/test_psi_real.py",
            "tests/services/test_doctor_real.py::test_exits_are_told_where_the_kernel_tells_them",
            "tests/services/test_doctor_real.py::test_the_kernel_log_is_readable_where_it_says_so",
            "tests/services/test_doctor_real.py::test_a_log_that_can_be_read_names_the_victim",
            "tests/services/test_levels_real.py",
            "tests/services/test_quota_v2.py",
            "tests/services/test_peak_real.py",
            "tests/cli/test_run.py::test_hog_in_a_cgroup_is_killed_and_told",
        ),
    ),
)


_OPENED = """
set -e
hold=$(mktemp -d)
while [ "$1" != -- ]; do
    mount --bind "$2" "$hold" && mount -t tmpfs -o mode=755 tmpfs "$1"
    mkdir -p "$2" && mount --move "$hold" "$2"
    shift 2
done
rmdir "$hold"
shift
exec "$@"
"""


def _opening() -> list[str]:
    """What lets an ordinary user reach this Python, in a mount namespace of the suite's own.

    A directory that is closed to others is covered by an empty one, in which only the way to
    Python can be seen; a capability in place of this would change what access(2) says.
    """
    python = Path(os.path.realpath(sys.executable))
    closed = boot.closed_to_others([str(python), sys.prefix, str(ROOT)])
    pairs = [(d, Path(d, python.relative_to(d).parts[0])) for d in closed if d in _above(python)]
    if not pairs:
        return []
    named = [str(part) for pair in sorted(pairs) for part in pair]
    return ["unshare", "--mount", "sh", "-c", _OPENED, "sh", *named, "--"]


def _above(path: Path) -> set[str]:
    return {str(p) for p in path.parents}


def as_nobody() -> list[str]:
    """What a command line begins with to run as nobody; needs root."""
    line = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    return [*_opening(), *line]


def _booted(guest: Guest, write: Path) -> list[str]:
    line = [sys.executable, "-m", "tests.kernels.boot", f"--timeout={guest.timeout}"]
    line += [f"--memory={guest.memory}", f"--write={write}"]
    line += ["--qemu"] if guest.qemu else []
    line += [*(["--v1"] if guest.v1 else []), *(["--systemd"] if guest.systemd else [])]
    line += [f"--swap={guest.swap}"] if guest.swap else []
    return [*line, *([f"--user={guest.user}"] if guest.user else []), "--"]


def command(world: World, results: Path, more: list[str]) -> list[str]:
    """The line that runs the suite there and leaves its results in `results`."""
    suite = [sys.executable, "-m", "pytest", "-m", "world", "-p", "no:cacheprovider"]
    suite += [f"--junit-xml={results}", "-o", f"junit_suite_name={world.name}"]
    suite += [*world.tests, *more]
    if world.guest is not None:
        return [*_booted(world.guest, results.parent), *suite]
    return [*(as_nobody() if world.user and os.geteuid() == 0 else []), *suite]


def environment(world: World) -> dict[str, str]:
    """What skips here may run elsewhere: at the end all has to have run somewhere."""
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_ADDOPTS")}
    kept |= {"MEMTUI_WORLD": world.name, "PYTHONDONTWRITEBYTECODE": "1"}
    if world.guest is not None and world.guest.qemu:
        del kept["PYTHONDONTWRITEBYTECODE"]  # compiling is slow there, and leaves nothing here
    return kept
