"""Run a command on a real kernel of another kind: cgroup v2 or v1, as root or as a user.

User-mode-linux is an ordinary program: no root, no KVM. QEMU (--qemu) has more, and is slow. The
guest sees this machine's files; what it writes goes to its own memory and vanishes with it, except
below the directories that --write names. stdin is empty, stdout and stderr come out as they are,
and the exit status is the command's: or 124 at the time limit, 125 where the guest could not be
set up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from tests.kernels import qemu

HERE = Path(__file__).resolve().parent
BUSYBOX = "/bin/busybox"
MODULES = Path("/usr/lib/uml/modules")
TIMED_OUT, NOT_SET_UP = 124, 125
LARGE_STATES = {"amx_tile", "apx"}
"""What of /proc/cpuinfo makes a processor's extended state larger than 6.1 was built for."""
_SESSION = ("XDG_", "DBUS_", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "BASH_FUNC_")


class Guest(NamedTuple):
    """What is booted."""

    v1: bool = False  # cgroup v1 in place of v2
    user: str = ""  # with a delegated subtree; with systemd: in a login session
    systemd: bool = False  # as PID 1
    memory: str = "1G"
    timeout: float = 300.0
    write: tuple[str, ...] = ()  # directories of this machine
    qemu: bool = False  # in place of user-mode-linux
    swap: str = ""  # how much swap it has: a sparse file here


class NotSetUp(Exception):
    """No guest can be had, or it did not get as far as the command."""


def kernel() -> str | None:
    """The user-mode-linux program."""
    return shutil.which("linux.uml") or shutil.which("linux")


def overlay() -> Path | None:
    """The module that lets the guest write without a trace here."""
    return next(iter(sorted(MODULES.rglob("overlay.ko"))), None)


def large_state() -> bool:
    """Whether user-mode-linux needs help with this processor's registers (xstate.c)."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not LARGE_STATES.isdisjoint(flags.split())


def _preloaded(control: Path) -> dict[str, str]:
    """Return what makes user-mode-linux run on this processor: nothing, or a library, built now."""
    if not large_state():
        return {}
    library = control / "xstate.so"
    line = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "xstate.c")]
    built = subprocess.run(line, capture_output=True, text=True, check=False)
    if built.returncode:
        raise NotSetUp(f"xstate.c could not be built: {built.stderr.strip()}")
    return {"LD_PRELOAD": str(library)}


def missing(guest: Guest) -> str | None:
    """Say what is not installed here for such a guest, or None."""
    if guest.qemu and (reason := qemu.missing()):
        return reason
    if not guest.qemu and (kernel() is None or overlay() is None):
        return "user-mode-linux is not installed"
    if not guest.qemu and large_state() and not shutil.which("cc"):
        return "cc is not installed, which user-mode-linux needs on this processor"
    if not os.access(BUSYBOX, os.X_OK):
        return "busybox-static is not installed"
    if guest.systemd and not os.path.exists("/lib/systemd/systemd"):
        return "systemd is not installed"
    if guest.systemd and not os.path.exists("/usr/lib/systemd/user/dbus.socket"):
        return "dbus-user-session is not installed"
    if guest.systemd and not any(Path("/lib").glob("*/security/pam_systemd.so")):
        return "libpam-systemd is not installed"
    if guest.systemd and guest.user and not os.access("/etc/shadow", os.R_OK):
        return "a login session needs root, to read /etc/shadow"
    return None


def closed_to_others(paths: Sequence[str]) -> set[str]:
    """The directories above `paths` that another user may not pass through."""
    above = {str(p) for path in paths for p in (Path(path), *Path(path).parents)}
    return {d for d in above if os.path.isdir(d) and os.stat(d).st_mode & 0o5 != 0o5}


def _environment() -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_SESSION)}
    return "".join(f"export {k}={shlex.quote(v)}\n" for k, v in kept.items() if k.isidentifier())


def _settings(guest: Guest, control: Path) -> dict[str, str]:
    prefixes = (sys.prefix, sys.base_prefix, os.path.realpath(sys.executable), os.getcwd())
    return {
        "X": str(control),
        "HERE": str(HERE),
        "QEMU": "1" if guest.qemu else "",
        "CGROUP": "1" if guest.v1 else "2",
        "GUEST_USER": guest.user,
        "SYSTEMD": "1" if guest.systemd else "",
        "LIMIT": str(int(guest.timeout) + 15),
        "SWAP": "1" if guest.swap else "",
        "WRITE": "\n".join(os.path.realpath(d) for d in guest.write),
        "OPEN": "\n".join(sorted(closed_to_others(prefixes))),
        "DIRECTORY": os.getcwd(),
    }


def _prepare(guest: Guest, argv: Sequence[str], control: Path) -> None:
    """Write what the guest reads, and what it writes to."""
    control.chmod(0o755)
    for name in ("out", "err", "status", "failure"):
        (control / name).touch()
        (control / name).chmod(0o666)
    settings = _settings(guest, control).items()
    conf = "".join(f"{k}={shlex.quote(v)}\n" for k, v in settings)
    (control / "conf").write_text(conf)
    (control / "env").write_text(_environment())
    (control / "command").write_text(shlex.join(argv) + "\n")
    init = f'#!{BUSYBOX} sh\n. {shlex.quote(str(control / "conf"))}\n. "$HERE/init.sh"\n'
    (control / "init").write_text(init)
    (control / "init").chmod(0o755)
    if guest.qemu:
        qemu.write_overlay(control / "overlay.ko")
    elif module := overlay():
        shutil.copy(module, control / "overlay.ko")
    if guest.swap:
        with open(control / "swap", "wb") as disk:
            disk.truncate(_bytes(guest.swap))


def _bytes(size: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(size[:-1]) * units[size[-1].upper()]


def _room(memory: str) -> dict[str, str]:
    """Where the guest's memory is: a sparse file, that must fit (it would die of SIGBUS)."""
    wanted = _bytes(memory)
    held = "/dev/shm"
    fits = os.path.isdir(held) and shutil.disk_usage(held).free >= wanted
    return {**os.environ, "TMPDIR": held if fits else tempfile.gettempdir()}


@contextlib.contextmanager
def _booted(guest: Guest, control: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running guest; when this ends, nothing of it is left."""
    program = kernel()
    assert program is not None
    line = [program, f"mem={guest.memory}", "root=none", "rootfstype=hostfs", "rootflags=/", "ro"]
    line += [f"init={control}/init", "con=null", "con0=null,fd:1", "ssl=null", "quiet"]
    line += [f"uml_dir={control}/uml", "umid=guest", "noreboot"]
    line += [f"ubd0={control}/swap"] if guest.swap else []
    preloaded = _preloaded(control)
    with open(control / "console", "wb") as console:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**_room(guest.memory), **preloaded},
            start_new_session=True,  # so that one signal reaches all that the guest consists of
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _machine(
    guest: Guest, control: Path
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return qemu.booted(guest.memory, control) if guest.qemu else _booted(guest, control)


class _Pump:
    """What the guest wrote to a file, carried on to a stream of ours."""

    def __init__(self, path: Path, to: int) -> None:
        self._source = open(path, "rb")  # noqa: SIM115 - closed by close()
        self._to = to

    def carry(self) -> None:
        data = self._source.read()
        while data:
            data = data[os.write(self._to, data) :]

    def close(self) -> None:
        self.carry()
        self._source.close()


def _wait(process: subprocess.Popen[bytes], pumps: Sequence[_Pump], end: float) -> bool:
    """Carry the output until the guest has ended; whether it did in time."""
    while process.poll() is None:
        if time.monotonic() > end:
            return False
        for pump in pumps:
            pump.carry()
        time.sleep(0.05)
    return True


def _verdict(control: Path) -> int:
    status = (control / "status").read_text().strip()
    if status:
        return int(status)
    console = (control / "console").read_text(errors="replace").splitlines()[-20:]
    why = (control / "failure").read_text().strip() or "it said nothing"
    raise NotSetUp("\n".join([f"the guest ended before the command did: {why}", *console]))


def run(guest: Guest, argv: Sequence[str]) -> int:
    """Run `argv` in a guest, in this directory; return its exit status. Raises NotSetUp."""
    if reason := missing(guest):
        raise NotSetUp(reason)
    with tempfile.TemporaryDirectory(prefix="memtui-guest-") as name:
        control = Path(name).resolve()
        _prepare(guest, argv, control)
        pumps = [_Pump(control / "out", 1), _Pump(control / "err", 2)]
        try:
            with _machine(guest, control) as process:
                in_time = _wait(process, pumps, time.monotonic() + guest.timeout)
        finally:
            for pump in pumps:
                pump.close()
        return _verdict(control) if in_time else TIMED_OUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.boot", description=__doc__)
    parser.add_argument("--qemu", action="store_true", help="QEMU in place of user-mode-linux")
    parser.add_argument("--v1", action="store_true", help="cgroup v1 (memory) in place of v2")
    parser.add_argument("--user", default="", help="run as this user, in a delegated subtree")
    parser.add_argument("--systemd", action="store_true", help="systemd as PID 1")
    parser.add_argument("--memory", default="1G", help="memory of the guest (%(default)s)")
    parser.add_argument("--swap", default="", help="swap of the guest (none; not with --qemu)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds (%(default)s)")
    parser.add_argument("--write", action="append", default=[], help="a directory to write to")
    parser.add_argument("command", nargs="+", metavar="-- COMMAND")
    return parser


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> int:
    """Do what the command line says."""
    asked = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    guest = Guest(
        qemu=asked.qemu,
        v1=asked.v1,
        user=asked.user,
        systemd=asked.systemd,
        memory=asked.memory,
        timeout=asked.timeout,
        write=tuple(asked.write),
        swap=asked.swap,
    )
    try:
        return run(guest, asked.command)
    except NotSetUp as e:
        print(f"boot: {e}", file=sys.stderr)
        return NOT_SET_UP


if __name__ == "__main__":
    sys.exit(main())
