"""A limit in a scope of systemd's: where groups are systemd's, and none can be made by hand.

A scope lives as long as its last process, and its counters with it. So a small keeper is its
first one: it waits for a pipe of ours to close, in a leaf of its own, which also lets a group
with a limit be made beside it. When memtui is killed the keeper ends by itself, and systemd
removes the scope after the command. The scope's own properties tell too little (its peak is
absent before systemd 253), so the limit is one of ours, read back as everywhere.
"""

from __future__ import annotations

import contextlib
import os
import time

from memtui.kernel import cgroupmake, cgroupset
from memtui.kernel.cgroupset import write
from memtui.kernel.errors import KernelError, classify
from memtui.model.limits import SYSTEMD, Limits
from memtui.services import dbus
from memtui.services.cgrouplimit import CgroupLimiter, next_name, wanted
from memtui.services.limiter import PATIENCE_S, Unavailable
from memtui.services.managers import is_there, sockets
from memtui.text import safe

_PATIENCE_S = 5.0
_PAUSE_S = 0.002
_SYSTEMD, _MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
_OURS: dict[str, dbus.Value] = {"Delegate": True, "MemoryAccounting": True}
_PATH = "/org/freedesktop/systemd1"


def connect() -> dbus.Connection:
    """Return a connection to it. Raises Unavailable."""
    whose = "system" if os.geteuid() == 0 else "user"
    why = f"no systemd {whose} manager answers at {safe(sockets()[0][0])}"
    for path, bus in sockets():
        if os.path.exists(path):
            try:
                return dbus.Connection(path, bus)
            except (OSError, dbus.Refused) as e:
                why = f"systemd does not answer at {safe(path)}: {safe(str(e))}"
    remedy = "" if whose == "system" else "log in, or have root run: loginctl enable-linger"
    raise Unavailable(why, remedy)


def call(connection: dbus.Connection, member: str, signature: str, body: dbus.Writer) -> None:
    """Call a method of the manager. Raises Unavailable."""
    asked = dbus.Call(_SYSTEMD, _PATH, _MANAGER, member, signature, bytes(body.data))
    try:
        connection.call(asked)
    except (OSError, dbus.Refused) as e:
        raise Unavailable(f"systemd refuses {member}: {safe(str(e))}") from e


def start_scope(
    connection: dbus.Connection, unit: str, pids: list[int], more: dict[str, dbus.Value]
) -> None:
    """Have a scope made around `pids`; an OOM kill in it is never made the end of all."""
    properties: dict[str, dbus.Value] = {
        "Description": "under a memory limit by memtui",
        "CollectMode": "inactive-or-failed",
        "PIDs": pids,
        **more,
    }
    try:
        _start(connection, unit, {**properties, "OOMPolicy": "continue"})
    except Unavailable:  # before systemd 252; a delegated scope goes on there anyway
        _start(connection, unit, properties)


def _await_scope(unit: str, pid: int) -> str:
    """Return the scope's directory, once `pid` is in it. Raises Unavailable."""
    end = time.monotonic() + _PATIENCE_S
    while (found := cgroupmake.read_directory(pid)) is None or not found.endswith("/" + unit):
        if time.monotonic() > end:
            raise Unavailable(f"systemd did not make {unit} in {_PATIENCE_S:.0f} s")
        time.sleep(_PAUSE_S)
    return found


def scope_around(unit: str, pids: list[int], limit: int) -> cgroupset.Group:
    """Have processes that run moved into a scope with a limit; return it as read back.

    Delegated, so that the limit can be changed and lifted by hand. Raises Unavailable.
    """
    connection = connect()
    try:
        start_scope(connection, unit, pids, _OURS)
        directory = _await_scope(unit, pids[0])
        return cgroupset.set_limits(2, directory, cgroupset.Wanted(limit))
    except KernelError as e:
        raise Unavailable(str(e)) from e
    finally:
        connection.close()


def _start(connection: dbus.Connection, unit: str, properties: dict[str, dbus.Value]) -> None:
    body = dbus.Writer()
    body.string(unit)
    body.string("fail")
    body.properties(properties)
    body.number(0)
    body.align(8)
    call(connection, "StartTransientUnit", "ssa(sv)a(sa(sv))", body)


def attach(connection: dbus.Connection, unit: str, below: str, pid: int) -> None:
    """Have a process moved into a group below a delegated scope."""
    body = dbus.Writer()
    body.string(unit)
    body.string(below)
    body.numbers([pid])
    call(connection, "AttachProcessesToUnit", "ssau", body)


class Keeper:
    """A process that does nothing but keep a scope: it ends when we do."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        try:
            self.pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", "read -r end"],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reader, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setpgroup=0,
                setsigmask=[],
            )
        except BaseException:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)

    def end(self) -> None:
        """End it, and wait for that."""
        os.close(self._writer)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class SystemdLimiter(CgroupLimiter):
    """A memory cgroup of ours in a delegated scope of systemd's; otherwise as any other."""

    method = SYSTEMD

    def __init__(self) -> None:
        super().__init__()
        self._keeper: Keeper | None = None
        self._scope = ""
        self._unit = ""

    def probe(self) -> Unavailable | None:
        """Say why there is no systemd that could do it, or None."""
        place = cgroupmake.read_place()
        if place is None or place.version != 2:
            return Unavailable("its scopes limit memory on cgroup v2 only")
        self._version, self._top = 2, place.top
        if not is_there():
            return Unavailable(f"no systemd of ours runs: {safe(sockets()[0][0])} is not there")
        return None

    def prepare(self, limits: Limits) -> None:
        """Have the scope made, and in it the group; read its limits back."""
        self._ask(limits)
        connection = connect()
        try:
            self._keeper = Keeper()
            self._unit = f"{next_name()}.scope"
            start_scope(connection, self._unit, [self._keeper.pid], _OURS)
            self._scope = _await_scope(self._unit, self._keeper.pid)
            self._divide(limits, self._keeper.pid)
        except KernelError as e:
            self._undo()
            raise Unavailable(str(e)) from e
        except BaseException:
            self._undo()
            raise
        finally:
            connection.close()
        self._escaped = cgroupmake.read_escaped(self.group.directory)

    def _divide(self, limits: Limits, keeper: int) -> None:
        """Give the keeper a leaf, so that a group beside it may have a limit."""
        leaf = self._scope + "/supervisor"
        try:
            os.mkdir(leaf)
        except OSError as e:
            raise classify(e, leaf) from e
        write(leaf + "/cgroup.procs", str(keeper))
        self._group = cgroupmake.make_group(2, self._scope, "payload", wanted(2, limits))

    def enter(self) -> None:
        """Do nothing: `adopt` brings it in."""

    def shell_enter(self) -> tuple[str, str]:
        """Return a command that does nothing."""
        return ":", ""

    def adopt(self, pid: int) -> None:
        """Move it; from a login session only systemd may."""
        try:
            write(self.group.directory + "/cgroup.procs", str(pid))
        except KernelError:
            connection = connect()
            try:
                attach(connection, self._unit, "/payload", pid)
            finally:
                connection.close()

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Remove the group and let the scope go; who is left keeps it. Raises KernelError."""
        if self._group is not None:
            super().close(patience_s)
            self._group = None
        self._undo()

    def _undo(self) -> None:
        if self._keeper is None:
            return
        self._keeper.end()
        self._keeper = None
        end = time.monotonic() + 1.0
        while self._scope and os.path.isdir(self._scope) and time.monotonic() < end:
            for directory in ("/payload", "/supervisor"):  # the scope itself is systemd's
                with contextlib.suppress(OSError):
                    os.rmdir(self._scope + directory)
            if os.path.isdir(self._scope + "/payload"):
                break  # somebody is left in it, as asked
            time.sleep(_PAUSE_S)
