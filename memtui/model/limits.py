"""What a limited run may have: the methods, what is asked for, and sizes as people write them.

Pure; sizes are bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memtui.units import parse_size

if TYPE_CHECKING:
    from memtui.model.snapshot import Limit

MIN_LIMIT = 1 << 20
"""Below this nothing starts: 128 KiB kills even `true` before it runs, and ld.so needs more."""
MAX_LIMIT = 1 << 50

CGROUP, SYSTEMD, WATCH, DATA, AS = "cgroup", "systemd", "watch", "data", "as"
METHODS = ("auto", CGROUP, SYSTEMD, WATCH, DATA, AS)
KERNEL_GROUPS = (CGROUP, SYSTEMD)
"""Methods that hold all processes together by a cgroup: exact, and OOM kills are counted."""
COUNTED = {DATA: "private memory", AS: "address space"}
"""What an rlimit counts, for each process by itself."""

_RESERVES = {
    **dict.fromkeys(("node", "nodejs", "deno", "bun"), "node"),
    **dict.fromkeys(("java", "javac", "julia", "go"), ""),
}


def reserving(program: str) -> str | None:
    """Return what is known to reserve far more address space than it uses, by its path; or None."""
    name = program.rpartition("/")[2]
    return _RESERVES[name] or name if name in _RESERVES else None


KILL, TERM, STOP, THROTTLE = "kill", "term", "stop", "throttle"
ON_LIMIT = (KILL, TERM, STOP, THROTTLE)

_EXAMPLES = "500M, 2G, 50% or free-10%"


class Limits(NamedTuple):
    """What is asked for. None: not asked for, so left as it is."""

    limit: int
    high: int | None = None  # from here on the kernel slows it down and reclaims (cgroup v2)
    swap: int = 0  # beyond the limit
    oom_group: bool = False  # an OOM kill takes all of its processes
    adj: int | None = None  # oom_score_adj of the command
    time_s: float | None = None  # wall clock
    grace_s: float = 5.0  # from SIGTERM to SIGKILL
    nice: int | None = None
    on_limit: str = KILL  # one of ON_LIMIT
    leave: bool = False  # what the command leaves behind goes on


class Room(NamedTuple):
    """What shares are of; None where it is not known."""

    quota: int | None = None  # the limit that binds, as the quota bar shows
    free: int | None = None  # what may still be used now of it: reclaimable cache counts as free


def derive_room(binding: Limit | None) -> Room:
    """Return what shares are of, where `binding` is the limit that binds."""
    if binding is None:
        return Room()
    used = binding.usage if binding.hard is None else binding.hard
    return Room(binding.bytes, None if used is None else max(0, binding.bytes - used))


def _percentage(text: str) -> float:
    number = text[:-1].strip()
    plain = number.replace(".", "", 1)
    if not plain.isdecimal() or not plain.isascii() or len(plain) > 9:
        raise ValueError(f"{text!r} is not a share of the quota: write it as 50%")
    share = float(number)
    if share > 100:
        raise ValueError(f"{text} is more than the whole quota")
    return share


def _of_quota(text: str, quota: int | None) -> int:
    share = _percentage(text)
    if quota is None:
        raise ValueError("the quota is not known here: write a size, as 500M or 2G")
    return int(quota * share / 100)


def _of_free(word: str, free: int | None) -> int:
    """Return what `free`, `free-10%` (of what is free) or `free-500M` leaves."""
    less = word[len("free") :].strip()
    if less and not less.startswith("-"):
        raise ValueError(f"{word!r} is not a size: write free, free-10% or free-500M")
    if free is None:
        raise ValueError("what is free is not known here: write a size, as 500M or 2G")
    if not less:
        return free
    less = less[1:].strip()
    if less.endswith("%"):
        return free - int(free * _percentage(less) / 100)
    return free - parse_size(less)


def is_share(text: str) -> bool:
    """Whether a size is written as a share, which needs a `Room`."""
    return text.strip().endswith("%") or text.strip().lower().startswith("free")


def parse_amount(text: str, quota: int | None = None, free: int | None = None) -> int:
    """Return the bytes that `500M`, `50%` (of `quota`) or `free-10%` (of `free`) means, 0 too.

    Raises ValueError with one sentence for the user: no size, over 1 PiB (a slip), or a share
    of what is not known.
    """
    word = text.strip()
    if not word:
        raise ValueError(f"write a size, as {_EXAMPLES}")
    if len(word) > 30:
        raise ValueError(f"this is too long for a size: write it as {_EXAMPLES}")
    if word.lower().startswith("free"):
        amount = _of_free(word.lower(), free)
    else:
        amount = _of_quota(word, quota) if word.endswith("%") else parse_size(word)
    if amount > MAX_LIMIT:
        raise ValueError(f"{word} is more than any machine has")
    return amount


def parse_limit(text: str, quota: int | None = None, free: int | None = None) -> int:
    """Return the same for a limit, which is at least 1 MiB: nothing starts in less."""
    if not text.strip():
        raise ValueError(f"write a limit, as {_EXAMPLES}")
    limit, word = parse_amount(text, quota, free), text.strip()
    if limit <= 0:
        raise ValueError(f"a limit of {word} leaves nothing to run in: write one as 500M")
    if limit < MIN_LIMIT:
        raise ValueError(f"{word} is too small: no program starts in less than 1M")
    return limit
