"""oom_score_adj is raised and lowered back, as far as the user may, and never of a stranger."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memtui.kernel import oomscore
from memtui.kernel.errors import Denied, Gone
from memtui.kernel.roots import LIVE
from memtui.services.actions import Actions
from memtui.services.adjust import STEP, Adjuster
from tests.support.procs import require, row, run_python, sleeper

pytestmark = pytest.mark.world
GIB = 1 << 30
PAGE = os.sysconf("SC_PAGE_SIZE")


def adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def write(pid: int, value: int) -> None:
    with open(f"/proc/{pid}/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"%d" % value)


def privileged() -> bool:
    """Whether we have CAP_SYS_RESOURCE (24)."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) >> 24 & 1)


def test_raised_and_lowered_back_and_said() -> None:
    with sleeper() as process:
        proc, adjuster, before = row(process.pid), Adjuster(Actions()), adj(process.pid)
        up = adjuster.shift([proc], STEP, GIB)
        assert (up.kind, adj(process.pid)) == ("sent", before + 100)
        assert up.text.startswith(
            f"python3 {process.pid}: oom_score_adj {before} -> {before + 100}"
        )
        assert up.text.endswith("; F7 undoes it")
        down = adjuster.shift([proc], -STEP, GIB)
        assert (down.kind, adj(process.pid)) == ("sent", before)
        assert down.text.endswith("; as it was")


def test_what_it_means_is_said_in_bytes() -> None:
    with sleeper() as process:
        proc, adjuster = row(process.pid), Adjuster(Actions())
        write(process.pid, 400)
        # 100 more points of 1000, of a limit of 1 GiB, are about half of it
        text = adjuster.shift([proc], STEP, GIB).text
        assert "400 -> 500: killed sooner, as if it held 512M more" in text
        assert "killed sooner; F7" in adjuster.shift([proc], STEP, None).text


def test_the_end_of_the_scale_is_the_end_and_undone_exactly() -> None:
    with sleeper() as process:
        proc, adjuster = row(process.pid), Adjuster(Actions())
        write(process.pid, 950)
        assert "950 -> 1000: killed first; F7" in adjuster.shift([proc], STEP, GIB).text
        again = adjuster.shift([proc], STEP, GIB)
        assert (again.kind, adj(process.pid)) == ("error", 1000)
        assert "is 1000 already: killed first" in again.text
        assert "1000 -> 950" in adjuster.shift([proc], -STEP, GIB).text


def test_what_somebody_else_wrote_meanwhile_is_not_undone() -> None:
    with sleeper() as process:
        proc, adjuster = row(process.pid), Adjuster(Actions())
        write(process.pid, 250)
        adjuster.shift([proc], STEP, GIB)
        write(process.pid, 700)
        assert "700 -> 600" in adjuster.shift([proc], -STEP, GIB).text


def test_it_goes_down_as_far_as_may_be() -> None:
    if privileged():
        pytest.skip("we have CAP_SYS_RESOURCE")
    with sleeper() as process:
        proc, adjuster, least = row(process.pid), Adjuster(Actions()), adj(process.pid)
        write(process.pid, least + 30)  # the least that may be is what it was born with
        first = adjuster.shift([proc], -STEP, GIB)
        assert (first.kind, adj(process.pid)) == ("sent", least)
        assert "lower needs CAP_SYS_RESOURCE" in first.text
        second = adjuster.shift([proc], -STEP, GIB)
        assert (second.kind, adj(process.pid)) == ("denied", least)
        assert "oom_score_adj stays: to go lower needs CAP_SYS_RESOURCE" in second.text


def test_who_may_goes_below_zero_and_back() -> None:
    if not privileged():
        pytest.skip("we have no CAP_SYS_RESOURCE")
    with sleeper() as process:
        proc, adjuster, before = row(process.pid), Adjuster(Actions()), adj(process.pid)
        assert "killed later" in adjuster.shift([proc], -STEP, GIB).text
        assert adj(process.pid) == before - 100
        assert "as it was" in adjuster.shift([proc], STEP, GIB).text
        assert adj(process.pid) == before


UNPRIVILEGED = """
import os, signal, sys, time
from memtui.services.actions import Actions
from memtui.services.adjust import STEP, Adjuster
from tests.support.procs import row
os.setgid(65534)
os.setuid(65534)
process = int(sys.argv[1])
adjuster = Adjuster(Actions())
mine = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
end = time.monotonic() + 20
while os.stat(f"/proc/{mine}").st_uid != 65534 and time.monotonic() < end:
    time.sleep(0.01)  # until it runs its own program, it may not be dumped
proc = row(mine)
for by in (STEP, STEP, -STEP, -STEP, -STEP):
    print(adjuster.shift([proc], by, None).text.partition(": ")[2])
os.kill(mine, signal.SIGKILL)
print(adjuster.shift([row(process)], STEP, None).text)
"""


def test_an_ordinary_user_raises_and_lowers_back_their_own_only() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with sleeper() as process:
        before = adj(process.pid)
        said = run_python(UNPRIVILEGED, str(process.pid)).splitlines()
        assert said == [
            f"oom_score_adj {before} -> {before + 100}: killed sooner; F7 undoes it",
            f"oom_score_adj {before + 100} -> {before + 200}: killed sooner; F7 undoes it",
            f"oom_score_adj {before + 200} -> {before + 100}: killed sooner; as it was",
            f"oom_score_adj {before + 100} -> {before}: weighed by its memory alone; as it was",
            "oom_score_adj stays: to go lower needs CAP_SYS_RESOURCE, as root",
            f"python3 {process.pid}: not permitted: owned by root (run memtui as root)",
        ]
        assert adj(process.pid) == before


REUSE = """
import os, signal, time
from memtui.services.actions import Actions
from memtui.services.adjust import STEP, Adjuster
from tests.support.procs import row
def child():
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid
first = child()
proc = row(first)
os.kill(first, signal.SIGKILL)
os.waitpid(first, 0)
time.sleep(0.05)
with open("/proc/sys/kernel/ns_last_pid", "w") as f:
    f.write(str(first - 1))
second = child()
assert first == second
print(Adjuster(Actions()).shift([proc], STEP, None).kind)
files = [f"/proc/{pid}/oom_score_adj" for pid in (second, os.getpid())]
print(len({open(file).read() for file in files}) == 1)
"""


def test_whoever_got_the_pid_meanwhile_is_left_alone() -> None:
    line = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    usable = shutil.which("unshare") and not subprocess.run([*line, "true"]).returncode
    require(bool(usable), "needs root and unshare, for a PID namespace")
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("this kernel does not let a PID be chosen (CONFIG_CHECKPOINT_RESTORE)")
    done = subprocess.run(
        [*line, sys.executable, "-c", REUSE], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["gone", "True"], done.stderr


def test_another_start_time_is_another_process() -> None:
    with sleeper() as process:
        before = adj(process.pid)
        with pytest.raises(Gone):
            oomscore.change_adj(process.pid, row(process.pid).start - 1, 900)
        assert adj(process.pid) == before
        process.kill()
        process.wait()
        with pytest.raises(Gone):
            oomscore.change_adj(process.pid, 0, 900)


def test_read_only_changes_nothing() -> None:
    with sleeper() as process:
        before = adj(process.pid)
        outcome = Adjuster(Actions(readonly=True)).shift([row(process.pid)], STEP, GIB)
        assert outcome.text == "memtui runs read-only: nothing was changed"
        assert adj(process.pid) == before


def test_several_are_changed_and_those_that_are_not_are_told() -> None:
    with sleeper() as one, sleeper() as two, sleeper() as three:
        procs = [row(p.pid) for p in (one, two, three)]
        adjuster = Adjuster(Actions())
        assert adjuster.shift(procs, STEP, GIB).text == (
            "oom_score_adj of 3 processes raised: killed sooner; F7 undoes it"
        )
        two.kill()
        two.wait()
        text = adjuster.shift(procs, -STEP, GIB).text
        assert text.startswith("oom_score_adj of 2 processes lowered: killed later; ")
        assert text.endswith(f"; 1 unchanged: python3 {two.pid} is already gone")


def test_memtui_itself_is_left_alone() -> None:
    outcome = Adjuster(Actions()).shift([row(os.getpid())], STEP, GIB)
    assert "memtui itself" in outcome.text
    assert oomscore.read_adj(LIVE, os.getpid()) == adj(os.getpid())


def test_lower_than_may_be_is_told_apart_from_not_ours() -> None:
    if privileged():
        pytest.skip("we have CAP_SYS_RESOURCE")
    with sleeper() as process:
        proc = row(process.pid)
        with pytest.raises(oomscore.TooLow):
            oomscore.change_adj(*proc.identity, -999)
        assert issubclass(oomscore.TooLow, Denied)
