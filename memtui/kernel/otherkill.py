"""Lines of programs that kill for memory's sake, or tell of it: not the kernel's own record.

systemd-oomd (src/oom/oomd-manager.c), earlyoom (kill.c), nohang, Slurm's slurmstepd. These are
known by their tag, earlyoom, nohang and slurmstepd also without one (their own log, a job's
stderr).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from memtui.kernel.logentry import LogLine

_OOMD = re.compile(rb"(?:Killed|Marked) (/\S.{0,4096}?) (?:for killing )?due to ")
_UNIT = re.compile(rb"(\S{1,256}): systemd-oomd killed (?:some|\d+) process")
_EARLYOOM = re.compile(
    rb'sending (SIG[A-Z]{3,5}) to process (\d{1,10})(?: uid \d{1,10})? "([^"]*)"'
    rb'|killing process (\d{1,10}) "([^"]*)" with signal (\d{1,2})'
    rb"|Killing process '([^']*)' with signal (\d{1,2}), pid: (\d{1,10})"
)
_NOHANG = re.compile(rb"\s*Send(?:ing)? (SIG[A-Z]{3,5}) to the victim")
_NOHANG_VICTIM = re.compile(rb"\s*PID: (\d{1,10}), [Nn]ame: (.{0,64}?), badness")
_SLURM = re.compile(
    rb"(?:error: )?Detected \d+ oom[-_]kill event"
    rb"|(?:error: )?(?:Step|Job|StepId=)\S* ?\S* exceeded memory limit .{0,100}being killed"
    rb"|(?:error: )?Exceeded (?:job|step) memory limit"
)
_SIGNALS = {b"9": b"SIGKILL", b"15": b"SIGTERM"}
_TAGGED = re.compile(rb"(?:\S+ )?(earlyoom|nohang(?:-desktop)?|slurmstepd)(?:\[\d{1,10}\])?: ")
HINTS = (b"earlyoom", b"nohang", b"systemd-oomd", b"slurmstepd", b"sending SIG", b" with signal ")
"""One of these is in every line that is of interest here."""


class OtherKill(NamedTuple):
    """A program says that it kills for memory's sake, or that somebody was killed for it."""

    who: str  # "systemd-oomd", "earlyoom", "nohang", "slurm"
    time: float | None  # seconds since the epoch
    monotonic: float | None
    log_time: bytes | None
    pid: int | None
    comm: bytes | None
    cgroup: bytes | None  # as told: a path, or a systemd unit
    signal: str | None  # "SIGTERM", "SIGKILL"
    by_kernel: bool  # it only tells of the kernel's own kill
    line: bytes  # without its prefix


class OtherKills:
    """Reads lines that are not the kernel's; remembers whom nohang spoke of last."""

    def __init__(self) -> None:
        self._victim: tuple[int, bytes] | None = None

    def read(self, entry: LogLine) -> OtherKill | None:
        """Return what the line tells of a kill, or None."""
        tag, text = entry.tag, entry.text
        if not tag or tag == b"kernel":
            found = _TAGGED.match(text)
            tag, text = (found[1], text[found.end() :]) if found else (b"", text)
        return self._of(tag, entry, text)

    def _of(self, tag: bytes, entry: LogLine, text: bytes) -> OtherKill | None:
        if tag == b"systemd-oomd" and (found := _OOMD.match(text)):
            return _kill("systemd-oomd", entry, text, cgroup=found[1], signal="SIGKILL")
        if tag == b"systemd" and (found := _UNIT.match(text)):
            return _kill("systemd-oomd", entry, text, cgroup=found[1], signal="SIGKILL")
        if tag in (b"earlyoom", b"") and (found := _EARLYOOM.match(text)):
            told = int(found[2] or found[4] or found[9]), found[3] or found[5] or found[7] or b""
            signal = found[1] or _SIGNALS.get(found[6] or found[8], b"")
            return _kill("earlyoom", entry, text, told, signal=signal.decode() or None)
        if tag == b"slurmstepd" and _SLURM.match(text):
            return _kill("slurm", entry, text, by_kernel=b"xceeded" not in text)
        return self._nohang(entry, text) if tag.startswith(b"nohang") else None

    def _nohang(self, entry: LogLine, text: bytes) -> OtherKill | None:
        if found := _NOHANG_VICTIM.match(text):
            self._victim = int(found[1]), found[2]
        if found := _NOHANG.match(text):
            victim, self._victim = self._victim, None
            return _kill("nohang", entry, text, victim, signal=found[1].decode())
        return None


def _kill(
    who: str,
    entry: LogLine,
    text: bytes,
    victim: tuple[int, bytes] | None = None,
    cgroup: bytes | None = None,
    signal: str | None = None,
    by_kernel: bool = False,
) -> OtherKill:
    pid, comm = victim or (None, None)
    when = entry.time, entry.monotonic, entry.log_time
    return OtherKill(who, *when, pid, comm, cgroup, signal, by_kernel, text[:1024])
