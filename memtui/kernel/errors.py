"""Why a kernel file could not be read: three answers that lead to three sentences."""

from __future__ import annotations

import errno


class KernelError(OSError):
    """A kernel file that cannot be read; `path` names it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class Gone(KernelError):
    """The process or cgroup ended while it was looked at, or never was (ENOENT, ESRCH, ENODEV)."""


class Denied(KernelError):
    """The kernel will not tell us (EACCES, EPERM)."""


class Malformed(KernelError):
    """The file does not say what the kernel's documentation promises."""


def classify(error: OSError, path: str) -> KernelError:
    """Return the KernelError that `error`, met at `path`, amounts to."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.ENOTDIR):
        return Gone(path, reason)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Denied(path, reason)
    other = KernelError(path, reason)
    other.errno = error.errno
    return other
