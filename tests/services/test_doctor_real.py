"""What `memtui doctor` says of the kernel log and of exits, held to what the kernel really gives.

The truth is found by a program of its own, as the same user, without memtui.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support import worlds
from tests.support.cgroups import MIB, Group
from tests.support.doctor import findings
from tests.support.limited import as_nobody, unshared
from tests.support.programs import line

# Opens a pidfd of a process that is not its child, and says how the pidfd tells of its end:
# PIDFD_GET_INFO of include/uapi/linux/pidfd.h, whose exit_code comes last in the 64 bytes.
WATCH = """
import fcntl, os, select, struct, sys
fd = os.pidfd_open(int(sys.argv[1]))
def ask():
    told = bytearray(struct.pack("=Q56x", 8))
    try:
        fcntl.ioctl(fd, 0xC040FF0B, told)
    except OSError as e:
        sys.exit(print(f"nothing: {e}"))
    return struct.unpack_from("=Q", told)[0] & 8, struct.unpack_from("=i", told, 60)[0]
print("watches", flush=True)
ask()
end = select.poll()
end.register(fd, 0)
end.poll(20000)  # POLLHUP, once it is reaped (Linux 6.9)
ended, code = ask()
print(f"status {code}" if ended else "nothing")
"""

LOG = """
import json, os
made = {"restrict": open("/proc/sys/kernel/dmesg_restrict").read().strip(), "text": None}
try:
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
except OSError as e:
    made["error"] = type(e).__name__
else:
    records = []
    while True:
        try:
            records.append(os.read(fd, 8192).decode(errors="replace"))
        except BrokenPipeError:
            continue
        except BlockingIOError:
            break
    made["text"] = "".join(records)
print(json.dumps(made))
"""


@pytest.fixture(params=["us", "nobody"])
def prefix(request: pytest.FixtureRequest) -> list[str]:
    """Run as ourselves, and as an ordinary user."""
    return as_nobody() if request.param == "nobody" else []


def watched_end(prefix: Sequence[str]) -> str:
    """What somebody's pidfd tells of a process of ours that is killed and reaped."""
    with subprocess.Popen(["sleep", "60"]) as victim:
        watcher = subprocess.Popen(
            [*prefix, sys.executable, "-S", "-c", WATCH, str(victim.pid)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdout is not None
        try:
            assert watcher.stdout.readline() == "watches\n"
        finally:
            victim.kill()
    with watcher:  # its own poll ends within 20 s
        return watcher.stdout.read().strip()


def log(prefix: Sequence[str] = ()) -> dict[str, Any]:
    """The kernel log as that user may read it; `error` where that is refused."""
    argv = [*prefix, sys.executable, "-S", "-c", LOG]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.mark.world
def test_exits_are_told_where_the_kernel_tells_them(prefix: list[str]) -> None:
    found, real = findings(prefix=prefix)["exit_information"], watched_end(prefix)
    assert found["state"] == ("no" if real.startswith("nothing") else "ok"), real
    if found["state"] == "no":
        assert found["grant"] == "Linux 6.15 or newer"
        assert found["why"]
        numbers = os.uname().release.split(".")
        assert (int(numbers[0]), int(numbers[1].split("-")[0])) < (6, 15)


@pytest.mark.pidfd_exit
def test_the_status_that_is_promised_is_the_real_one(prefix: list[str]) -> None:
    assert findings(prefix=prefix)["exit_information"]["state"] == "ok"
    assert watched_end(prefix) == f"status {int(signal.SIGKILL)}"


@pytest.mark.world
def test_the_kernel_log_is_readable_where_it_says_so(prefix: list[str]) -> None:
    found, real = findings(prefix=prefix)["kernel_log"], log(prefix)
    assert (found["state"] == "no") == (real["text"] is None)
    assert found["facts"] == {"dmesg_restrict": int(real["restrict"])}
    if real["text"] is not None:
        assert (found["state"], found["why"], found["grant"]) == ("ok", None, None)
        return
    if real["error"] == "FileNotFoundError":
        assert "is not there" in found["why"]
    else:
        assert f"kernel.dmesg_restrict is {real['restrict']}" in found["why"]
        assert "CAP_SYSLOG" in found["grant"]


@pytest.mark.kmsg
def test_a_log_that_can_be_read_names_the_victim(memory_group: Group) -> None:
    assert findings()["kernel_log"]["state"] == "ok"
    memory_group.set_limit(32 * MIB)
    with memory_group.start(line("hog", mib=100), stdout=subprocess.DEVNULL) as victim:
        assert victim.wait(60) == -signal.SIGKILL
    assert f"Killed process {victim.pid} (" in log()["text"]


@pytest.mark.kmsg
@pytest.mark.namespaces
def test_in_a_pid_namespace_the_log_has_other_numbers() -> None:
    apart = unshared("--pid", "--fork", "--mount-proc")
    assert log(apart)["text"] is not None
    found = findings(prefix=apart)["kernel_log"]
    assert found["state"] == "limited"
    assert "PID namespace" in found["why"]


@pytest.mark.namespaces
def test_a_machine_without_kmsg_is_told_so() -> None:
    null = "mknod -m 666 /dev/null c 1 3"
    bare = unshared("--mount", first=f"mount -t tmpfs none /dev && {null}")
    assert log(bare)["error"] == "FileNotFoundError"
    found = findings(prefix=bare)["kernel_log"]
    assert found["state"] == "no"
    assert "/dev/kmsg is not there" in found["why"]
    assert found["grant"] == "memtui on the host itself"


@pytest.mark.namespaces
def test_root_of_a_container_is_not_told_to_become_root() -> None:
    """In a user namespace we have CAP_SYSLOG, but not the one that the log asks for."""
    inside = ["unshare", "--user", "--map-root-user", "--"]
    if subprocess.run([*inside, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no user namespaces here")
    found, real = findings(prefix=inside)["kernel_log"], log(inside)
    assert (found["state"] == "no") == (real["text"] is None)
    if real["text"] is None:
        assert "although we have CAP_SYSLOG" in found["why"]
        assert found["grant"] == "memtui on the host itself"


@pytest.mark.namespaces
def test_root_without_the_capability_is_told_which_one() -> None:
    less = ["setpriv", "--bounding-set=-syslog", "--inh-caps=-syslog", "--"]
    found, real = findings(prefix=less)["kernel_log"], log(less)
    assert (found["state"] == "no") == (real["text"] is None)
    if real["text"] is None:
        assert "no CAP_SYSLOG" in found["why"]
        assert "CAP_SYSLOG" in found["grant"]


def test_the_features_of_this_world_are_those_that_doctor_finds() -> None:
    """The markers of this suite and memtui agree, where both look as the same user."""
    found = findings()
    assert (found["exit_information"]["state"] == "ok") == (worlds.missing("pidfd_exit") is None)
    assert (found["kernel_log"]["state"] != "no") == (worlds.missing("kmsg") is None)
    assert (found["pressure"]["state"] != "no") == (worlds.missing("psi") is None)
