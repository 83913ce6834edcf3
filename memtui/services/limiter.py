"""What every way to hold a command to a memory limit has to answer.

A `Limiter` is used once, in this order: probe, prepare, enter (or shell_enter), confirm, then
usage, peak and members while it runs, then finish, evidence, and close whatever happened.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from memtui.kernel.cgroupset import Group
from memtui.model.limits import Limits
from memtui.services.peaks import Peaks

PATIENCE_S = 5.0
"""How long killed processes may take to be gone."""


class Unavailable(Exception):
    """A method cannot be had here. `remedy` says what would grant it, or is empty."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason} ({remedy})" if remedy else reason)
        self.reason = reason
        self.remedy = remedy


class Evidence(NamedTuple):
    """What the method knows of the end; None where it cannot know."""

    oom_kills: int | None = None
    own: bool | None = None
    nearest: int = 0  # bytes


class Limiter(Protocol):
    """One way to hold a command to a limit. Sizes are bytes."""

    method: str
    per_process: bool  # the limit, usage and peak are of one process: the largest
    peak_of: str  # what `peak` counts, in words
    unmet: list[str]  # what is asked for and not had by this method, in words, after `prepare`
    mark: int | None  # memtui itself acts when `weigh` reaches it; None: the kernel does it all

    @property
    def cgroup(self) -> Group | None:
        """The group that holds the command's processes alone, once there is one."""

    def probe(self) -> Unavailable | None:
        """Say why it cannot be had here, without changing anything; None: try it."""

    def prepare(self, limits: Limits) -> None:
        """Make what the limit needs. Raises Unavailable, and then leaves nothing behind."""

    def gather(self) -> None:
        """See to it that daemons stay with us, in a process that runs nothing but the command."""

    def enter(self) -> None:
        """Put the calling process, forked for the command, under the limit. Raises OSError."""

    def shell_enter(self) -> tuple[str, str]:
        """Return the same as a shell command, and the argument that it calls "$1"."""

    def adopt(self, pid: int) -> None:
        """Bring `pid` under the limit where it cannot enter by itself. Raises Unavailable."""

    def environment(self) -> dict[str, str]:
        """Return what to add to the environment of a command in the background."""

    def confirm(self, pid: int) -> int:
        """Return the limit in force on `pid`, read from the kernel. Raises Unavailable."""

    def change(self, pid: int, session: bool, limit: int) -> int:
        """Set another limit while the command runs; return it as read back.

        Raises Unavailable or a KernelError, and then the old one holds.
        """

    def describe(self) -> str:
        """Say what is in force: `cgroup v2 /a/memtui-run-1-0: memory.max 64.0 MiB, swap 0`."""

    def members(self, pid: int, session: bool) -> set[int]:
        """Return the command's living processes; `session`: `pid` leads a session of its own."""

    def usage(self, pid: int, session: bool) -> int | None:
        """Return the memory that they have now, of what is limited."""

    def weigh(self, pid: int, session: bool) -> int | None:
        """Return what is held against `mark`: what the command cannot give back."""

    def tend(self) -> None:
        """Do what the kernel leaves undone, as `--oom-group` on v1; called now and then."""

    def peak(self, peaks: Peaks) -> int | None:
        """Return the most they had of it; `peaks` is what was seen from outside."""

    def release(self) -> None:
        """Let the limit itself do all from now on: who was stopped near it has been let go on."""

    def finish(self, pid: int, session: bool) -> int:
        """Kill what the command left behind, unless asked to leave it; return how many it is."""

    def evidence(self, peaks: Peaks) -> Evidence:
        """Return what can be known of the end, once all processes are gone."""

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Remove what `prepare` made, with who is in it unless it is left. Raises KernelError."""
