"""What the kernel and the user under test can do: the features that tests declare by markers.

The same suite runs on this machine and in booted kernels, as root and as ordinary users; each such
place is a world. A test that needs what a world lacks is skipped there with a sentence.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.support import cgroups

_PIDFD_GET_INFO, _PIDFD_INFO_EXIT = 0xC040FF0B, 8


class Feature(NamedTuple):
    """One thing that a world has or has not."""

    needs: str  # as in "needs ..."
    missing: Callable[[], str | None]  # why it is not there


def _unless(condition: Callable[[], bool], why: str) -> Callable[[], str | None]:
    return lambda: None if condition() else why


def _in_delegated_group() -> bool:
    group = cgroups.place()
    return group is not None and group.version == 2 and not cgroups.missing() and not is_root()


def is_root() -> bool:
    return os.geteuid() == 0


def _has_user_manager() -> bool:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return os.path.exists(f"{runtime}/systemd/private") and bool(shutil.which("systemd-run"))


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _tells_exit() -> bool:
    """Whether a pidfd still tells, after the process was reaped, how it ended (Linux 6.15)."""
    with subprocess.Popen(["/bin/true"]) as child:
        fd = os.pidfd_open(child.pid)
    answer = bytearray(struct.pack("=Q56x", _PIDFD_INFO_EXIT))
    try:
        fcntl.ioctl(fd, _PIDFD_GET_INFO, answer)
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(answer[0] & _PIDFD_INFO_EXIT)


def _reads(path: str) -> bool:
    """Whether there is something to be read: with PSI off the file is there, and refuses."""
    try:
        return bool(Path(path).read_bytes())
    except OSError:
        return False


def _has_swap() -> bool:
    return len(Path("/proc/swaps").read_text().splitlines()) > 1


def _makes_namespaces() -> bool:
    line = ["unshare", "--mount", "--cgroup", "true"]
    if not is_root() or not shutil.which(line[0]):
        return False
    return subprocess.run(line, stderr=subprocess.DEVNULL).returncode == 0


FEATURES = {
    "memory_v1": Feature(
        "groups of ours on cgroup v1, whose memory controller is there", lambda: cgroups.missing(1)
    ),
    "memory_v2": Feature(
        "groups of ours on cgroup v2, whose memory controller is there", lambda: cgroups.missing(2)
    ),
    "delegated": Feature(
        "an ordinary user in a cgroup v2 subtree of their own",
        _unless(_in_delegated_group, "no ordinary user in a delegated subtree"),
    ),
    "systemd_user": Feature(
        "a user manager of systemd's", _unless(_has_user_manager, "no systemd user manager")
    ),
    "swap": Feature("swap", _unless(_has_swap, "this machine has no swap")),
    "namespaces": Feature(
        "root, for namespaces of our own",
        _unless(_makes_namespaces, "no mount and cgroup namespaces can be made"),
    ),
    "psi": Feature(
        "pressure stall information",
        _unless(lambda: _reads("/proc/pressure/memory"), "no pressure stall information"),
    ),
    "kmsg": Feature(
        "the right to read the kernel log",
        _unless(lambda: _opens("/dev/kmsg"), "the kernel log may not be read"),
    ),
    "pidfd_exit": Feature(
        "exit information of pidfds (Linux 6.15)",
        _unless(_tells_exit, "pidfds do not tell how a process ended"),
    ),
    "unprivileged": Feature("an ordinary user", _unless(lambda: not is_root(), "we are root")),
}


@cache
def missing(feature: str) -> str | None:
    """Say why a feature is not there, or None where it is."""
    return FEATURES[feature].missing()


def present() -> list[str]:
    """The features of this world."""
    return [name for name in FEATURES if missing(name) is None]


def name() -> str:
    """What this world is called; empty where nobody named it."""
    return os.environ.get("MEMTUI_WORLD", "")
