"""A guest of QEMU's: what user-mode-linux has not (PSI, tracefs, the proc connector, several CPUs).

Every instruction is emulated: about twelve times slower, and 4 s for each start of Python. So this
is asked for, not always run. As a program it installs what that needs, as root, with apt: QEMU as
packages; the kernel, which nothing here is to boot by itself, unpacked into a directory of its own.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

QEMU = "qemu-system-x86_64"
# Debian 12 has it in qemu-system-common, a C program; later ones have a package, written in Rust.
# cache=always: to ask about each file again would double the time of a start of Python.
_VIRTIOFSD = {
    "/usr/lib/qemu/virtiofsd": ["-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=always"],
    "/usr/libexec/virtiofsd": ["--shared-dir=/", "--sandbox=none", "--cache=always"],
}
_TAG = "machine"
_APT = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=120"]
_CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
KEPT = Path(os.environ.get("MEMTUI_QEMU_KERNEL") or f"{_CACHE}/memtui-tests/kernel")
_IMAGE = re.compile(r"linux-image-([0-9].*-cloud-amd64)")


class Kernel(NamedTuple):
    """One that can be booted: virtio-fs and what it needs is built in, overlay is a module."""

    image: Path
    overlay: Path


def _numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"[0-9]+", text)]


def _usable(image: Path) -> Kernel | None:
    release = image.name.removeprefix("vmlinuz-")
    modules = image.parents[1] / "lib/modules"
    if not modules.is_dir():
        modules = image.parents[1] / "usr/lib/modules"
    try:
        config = (image.parent / f"config-{release}").read_text()
    except OSError:
        return None
    found = sorted((modules / release / "kernel/fs/overlayfs").glob("overlay.ko*"))
    return Kernel(image, found[0]) if found and "CONFIG_VIRTIO_FS=y" in config else None


def kernel() -> Kernel | None:
    """The newest of Debian's cloud kernels here that can be booted (6.12 and later can)."""
    images = [p for d in (KEPT, Path("/")) for p in (d / "boot").glob("vmlinuz-*-cloud-amd64")]
    newest = sorted(images, key=lambda p: _numbers(p.name), reverse=True)
    return next(filter(None, map(_usable, newest)), None)


def _virtiofsd() -> list[str] | None:
    return next(([p, *more] for p, more in _VIRTIOFSD.items() if os.access(p, os.X_OK)), None)


def missing() -> str | None:
    """Say why no such guest can be had here, or None."""
    if platform.machine() != "x86_64":
        return "the kernel for QEMU is one for x86-64"
    if not shutil.which(QEMU) or _virtiofsd() is None:
        return "QEMU is not installed (python -m tests.kernels.qemu does it)"
    if os.geteuid() != 0:
        return "QEMU's guest needs root, to share this machine's files"
    return None if kernel() else "no kernel with virtio-fs is unpacked for QEMU"


def write_overlay(to: Path) -> None:
    """Write the module that lets the guest write without a trace here."""
    found = kernel()
    assert found is not None
    data = found.overlay.read_bytes()
    to.write_bytes(lzma.decompress(data) if found.overlay.suffix == ".xz" else data)


def _line(memory: str, control: Path) -> list[str]:
    found = kernel()
    assert found is not None
    # cx16=off: the emulation of cmpxchg16b by QEMU 7.2 breaks the kernel's slab allocator
    line = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max,cx16=off", "-M", "q35"]
    line += ["-smp", str(os.cpu_count() or 1), "-m", memory, "-nodefaults", "-no-user-config"]
    line += ["-display", "none", "-no-reboot", "-serial", f"file:{control}/console"]
    line += ["-object", f"memory-backend-memfd,id=memory,size={memory},share=on"]
    line += ["-numa", "node,memdev=memory", "-chardev", f"socket,id=files,path={control}/files"]
    line += ["-device", f"vhost-user-fs-pci,chardev=files,tag={_TAG}"]
    given = f"root={_TAG} rootfstype=virtiofs rw console=ttyS0 quiet psi=1 panic=-1 nokaslr"
    given += f" mitigations=off init={control}/init"
    return [*line, "-kernel", str(found.image), "-append", given]


@contextlib.contextmanager
def _started(line: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(log, "ab") as out:
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(socket: Path, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while not socket.exists() and server.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


@contextlib.contextmanager
def booted(memory: str, control: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running guest; when this ends, nothing of it is left."""
    sharing = _virtiofsd()
    assert sharing is not None
    console = control / "console"  # QEMU replaces the file, so its own words are beside it
    line = [*sharing, f"--socket-path={control}/files"]
    with _started(line, control / "virtiofsd") as server:
        _await(control / "files", server)
        with _started(_line(memory, control), control / "qemu") as process:
            console.touch()
            yield process


def _offered(names: str) -> str | None:
    """The newest kernel among the lines of `apt-cache search`."""
    found = [m[0] for line in names.splitlines() if (m := _IMAGE.match(line))]
    return max(found, key=_numbers, default=None)


def _get_kernel() -> None:
    search = ["apt-cache", "search", "--names-only", "^linux-image-[0-9].*-cloud-amd64$"]
    package = _offered(subprocess.run(search, capture_output=True, text=True, check=True).stdout)
    if package is None:
        raise SystemExit("apt offers no linux-image-*-cloud-amd64")
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([*_APT, "download", package], cwd=name, check=True)
        file = next(Path(name).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(file), str(KEPT)], check=True)


def _install() -> None:
    subprocess.run([*_APT, "update"], check=True)
    wanted = ["qemu-system-x86", "busybox-static"]
    has = ["apt-cache", "show", "virtiofsd"]
    if subprocess.run(has, capture_output=True, check=False).returncode == 0:
        wanted.append("virtiofsd")
    line = [*_APT, "install", "-y", "--no-install-recommends", *wanted]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(line, env=environment, check=True)
    if kernel() is None:
        _get_kernel()


def main() -> int:
    """Install what is missing, but with `--check`; say what still is."""
    if missing() is not None and "--check" not in sys.argv[1:]:
        try:
            _install()
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"not installed: {e}", file=sys.stderr)
            return 1
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
