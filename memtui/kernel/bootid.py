"""Which boot this is: /proc/sys/kernel/random/boot_id, drawn anew at each start of the kernel."""

from __future__ import annotations

from memtui.kernel.roots import Roots, read_optional

_LENGTHS = [8, 4, 4, 4, 12]
_HEX = frozenset(b"0123456789abcdef")


def parse_boot_id(data: bytes) -> str | None:
    """Return the UUID in lower case, or None where `data` is none."""
    words = data.strip().lower().split(b"-")
    if [len(w) for w in words] != _LENGTHS or not _HEX.issuperset(b"".join(words)):
        return None
    return b"-".join(words).decode("ascii")


def read_boot_id(roots: Roots) -> str | None:
    """Return the id of the boot, the host's inside a container too; None where not told."""
    return parse_boot_id(read_optional(roots.proc + "/sys/kernel/random/boot_id") or b"")
