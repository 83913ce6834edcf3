"""The kernel log, from whichever source may be read: /dev/kmsg, else the journal, else none.

No threads: a log has a descriptor to poll, and `read` never waits.
"""

from __future__ import annotations

import os
import select
import subprocess
import time as clock
from typing import NamedTuple, Protocol

from memtui.kernel.errors import KernelError
from memtui.kernel.kmsg import BootClock, Kmsg, Refused, read_clock
from memtui.kernel.oomlog import LogKill, OomLog, OtherKill
from memtui.kernel.probe import KMSG

Told = LogKill | OtherKill
_PROBE_S = 10.0
_CHUNK = 1 << 16
_JOURNAL = ("journalctl", "--no-pager", "--quiet", "--boot", "--output=json")
_OTHERS = ("systemd-oomd", "earlyoom", "nohang", "nohang-desktop", "slurmstepd")
_MATCHES = ("_TRANSPORT=kernel", *(w for who in _OTHERS for w in ("+", f"SYSLOG_IDENTIFIER={who}")))


class NoLog(NamedTuple):
    """No kernel log can be read here."""

    why: str
    grant: str | None


class KernelLog(Protocol):
    """An open kernel log of this boot."""

    name: str
    """Where it comes from, in words."""
    error_s: float
    """How much earlier than told a kill of the past may have been, in seconds."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to read."""

    def read(self) -> list[Told]:
        """Return the kills that were told since the last call, oldest first; does not wait.

        A kill that is told again, under the same id, is better known. Raises a KernelError.
        """

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more: history was asked for, and was read."""

    @property
    def lost(self) -> int:
        """How many records were overwritten before they were read."""

    @property
    def begins(self) -> float | None:
        """When the oldest record is from, where older ones of this boot were overwritten."""

    def close(self) -> None:
        """Stop reading."""


def open_kernel_log(
    since: float | None = None, follow: bool = True, records: bool = True, kmsg_path: str = KMSG
) -> KernelLog | NoLog:
    """Open the best kernel log that can be read.

    `since` (seconds since the epoch) asks for the records of this boot from then on; None for new
    ones only. `records` keeps tables and raw lines. Returns NoLog, which says why, where there
    is none.
    """
    try:
        return _KmsgLog(Kmsg(kmsg_path), since, follow, records)
    except Refused as e:
        kmsg = NoLog(f"{e.path}: {e.why}", e.grant)
    except KernelError as e:
        kmsg = NoLog(str(e), None)
    journal = _probe_journal()
    if journal is None:
        return _JournalLog(since, follow, records)
    grants = [log.grant for log in (kmsg, journal) if log.grant]
    return NoLog(f"{kmsg.why}; {journal.why}", ", or ".join(grants) or "running on the host itself")


def follow_kmsg() -> KernelLog | NoLog:
    """Follow /dev/kmsg from now on, and nothing else: it costs a descriptor, and no child."""
    try:
        return _KmsgLog(Kmsg(), None, True, True)
    except Refused as e:
        return NoLog(f"{e.path}: {e.why}", e.grant)
    except KernelError as e:
        return NoLog(str(e), None)


def read_kmsg() -> list[Told]:
    """Return the kills that /dev/kmsg still has, oldest first; none where it may not be read."""
    try:
        log = _KmsgLog(Kmsg(), 0.0, False, True)
    except KernelError:
        return []
    try:
        return log.read()
    except KernelError:
        return []
    finally:
        log.close()


def ask_journal(since: float) -> KernelLog | None:
    """Ask the journal for the records from `since` on (seconds since the epoch), by a child.

    It has `ended` when all was read; that is nothing where the journal is not readable for us.
    None where there is no journalctl.
    """
    try:
        return _JournalLog(since, False, True)
    except OSError:
        return None


class _KmsgLog:
    """/dev/kmsg."""

    name = "/dev/kmsg"

    def __init__(self, kmsg: Kmsg, since: float | None, follow: bool, records: bool) -> None:
        self._kmsg = kmsg
        self._log = OomLog(records)
        self._since = since
        self._follow = follow
        self.ended = False
        self.error_s = read_clock().error_s
        if since is None:
            kmsg.seek_end()

    @property
    def lost(self) -> int:
        return self._kmsg.lost

    @property
    def begins(self) -> float | None:
        number, monotonic = self._kmsg.oldest or (0, 0.0)
        return read_clock().epoch(monotonic, clock.time()) if number and self._since else None

    def fileno(self) -> int:
        return self._kmsg.fileno()

    def read(self) -> list[Told]:
        kills = self._log.feed_data(b"".join(self._kmsg.read()))
        kills += self._log.flush()
        self.ended = not self._follow
        others, self._log.others = self._log.others, []
        if not kills and not others:
            return []
        boot, now = read_clock(), clock.time()
        told: list[Told] = [_dated(kill, boot, now) for kill in kills]
        told += [_dated(other, boot, now) for other in others]
        return _since(told, self._since)

    def close(self) -> None:
        self._kmsg.close()


def _dated(told: Told, boot: BootClock, now: float) -> Told:
    if told.monotonic is None:
        return told
    return told._replace(time=boot.epoch(told.monotonic, now))


def _since(told: list[Told], since: float | None) -> list[Told]:
    if since is None:
        return told
    return [kill for kill in told if kill.time is None or kill.time >= since]


class _JournalLog:
    """journalctl as a child."""

    name = "the journal"
    lost = 0
    error_s = 0.0
    begins = None

    def __init__(self, since: float | None, follow: bool, records: bool) -> None:
        argv = [*_JOURNAL, *(["--follow"] if follow else [])]
        argv.append("--lines=0" if since is None else "--no-tail")
        if since is not None:
            argv.append(f"--since=@{max(0, int(since))}")
        self._log = OomLog(records)
        self._since = since
        self.ended = False
        self._child = subprocess.Popen(
            [*argv, *_MATCHES],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        assert self._child.stdout is not None
        return self._child.stdout.fileno()

    def read(self) -> list[Told]:
        told: list[Told] = []
        while not self.ended:
            try:
                data = os.read(self.fileno(), _CHUNK)
            except BlockingIOError:
                break
            self.ended = not data
            told += self._log.feed_data(data) if data else self._log.finish()
        told += self._log.flush()
        told += self._log.others
        self._log.others = []
        return _since(told, self._since)

    def close(self) -> None:
        with self._child:
            self._child.terminate()
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()


def _probe_journal() -> NoLog | None:
    """Return None where the journal has kernel messages for us, else why it has not."""
    argv = [*_JOURNAL, "--lines=1", "_TRANSPORT=kernel"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False
        )
    except FileNotFoundError:
        return NoLog("there is no journalctl here", None)
    except (OSError, subprocess.TimeoutExpired):
        return NoLog("journalctl cannot be run", None)
    if b'"MESSAGE"' in done.stdout:
        return None
    said = done.stderr.lower()
    if b"permission" in said or b"not seeing messages" in said or b"insufficient" in said:
        grant = "membership in the group systemd-journal or adm"
        return NoLog("the system journal is not readable for us", grant)
    return NoLog("the journal has no kernel messages of this boot", None)


def wait(log: KernelLog, timeout_s: float | None = None) -> bool:
    """Wait until the log has something to read; return whether it has."""
    poll = select.poll()
    poll.register(log.fileno(), select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
