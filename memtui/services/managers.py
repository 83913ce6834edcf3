"""Where a systemd that works for us may answer."""

from __future__ import annotations

import os


def sockets() -> list[tuple[str, bool]]:
    """Return where our systemd may answer, and whether that is a bus: the system's for root."""
    if os.geteuid() == 0:
        return [("/run/systemd/private", False), ("/run/dbus/system_bus_socket", True)]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return [(f"{runtime}/systemd/private", False), (f"{runtime}/bus", True)]


def is_there() -> bool:
    """Whether a systemd of ours seems to run."""
    return any(os.path.exists(path) for path, bus in sockets() if not bus)
