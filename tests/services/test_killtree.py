"""A whole tree gets a signal, and nobody who is born meanwhile escapes; a stranger gets none."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from memtui.kernel import killgroup, proctree
from memtui.services.actions import Actions
from memtui.services.killtree import Herd, Sent, now_ticks, send_all, send_tree
from memtui.services.target import Target
from memtui.services.watch import CrowdWatch
from tests.support.cgroups import V2, Group
from tests.support.procs import require, row, sleeper, state_of, tree_of, until
from tests.support.programs import line, running

pytestmark = pytest.mark.world
STOP, CONT, TERM, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM, signal.SIGKILL
PIDS = Path("/sys/fs/cgroup/pids")
HANDLER = """
import os, signal, sys
if os.fork() == 0:
    signal.pause()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""


class Family:
    """A program and all that it forked, known by a word in their environment."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str) -> None:
        self.process = process
        self._mark = f"MEMTUI_TEST={mark}".encode()

    @property
    def pid(self) -> int:
        return self.process.pid

    def living(self) -> set[int]:
        return set(proctree.read_marked(self._mark))

    def end(self) -> None:
        for _ in range(500):
            if not (left := self.living()):
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, KILL)
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def fewer_pids(most: int) -> Iterator[Path | None]:
    """A cgroup with a limit of processes, where one can be made: should the program run wild."""
    if not os.access(PIDS / "cgroup.procs", os.W_OK) or os.geteuid():
        yield None
        return
    made = PIDS / f"memtui-test-{secrets.token_hex(4)}"
    made.mkdir()
    try:
        (made / "pids.max").write_text(str(most))
        yield made
    finally:
        until(lambda: not (made / "cgroup.procs").read_text())
        made.rmdir()


@contextlib.contextmanager
def family(
    argv: Sequence[str], group: Path | None = None, session: bool = True
) -> Iterator[Family]:
    """Run a program, in a session of its own or not; whatever it forks is gone afterwards."""
    mark = secrets.token_hex(8)
    enter = 'test -z "$1" || echo 0 >"$1/cgroup.procs" || exit 125; shift; exec "$@"'
    process = subprocess.Popen(
        ["/bin/sh", "-c", enter, "sh", str(group or ""), *argv],
        stdout=subprocess.PIPE,
        env={**os.environ, "MEMTUI_TEST": mark},
        start_new_session=session,
    )
    made = Family(process, mark)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready")
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def opened(pids: Sequence[int]) -> Iterator[list[Target]]:
    targets = [Target.open(row(pid)) for pid in pids]
    try:
        yield targets
    finally:
        for target in targets:
            target.close()


def close(sent: Sent) -> None:
    for target in sent.targets:
        target.close()


def tree(pid: int) -> list[int]:
    return tree_of(pid)


@pytest.mark.parametrize("way", ["brood", "flight"])
def test_nobody_survives_who_is_born_while_the_tree_is_killed(way: str) -> None:
    brood = way == "brood"  # without a session of its own: nothing leads to who is an orphan
    with fewer_pids(64) as group, family(line("breeds", way=way), group, not brood) as made:
        until(lambda: len(made.living()) > (9 if brood else 1))
        with opened([made.pid]) as shown:
            sent = send_tree(Actions(), shown, KILL, now_ticks() - 100)
        assert sent.sent, sent.text
        assert made.process.wait(20) == -KILL
        until(lambda: not made.living())
        assert "born meanwhile" in sent.text
        close(sent)


def test_sigterm_reaches_a_tree_that_forks_and_lets_it_act() -> None:
    with fewer_pids(64) as group, family(line("breeds"), group) as made:
        until(lambda: len(made.living()) > 6)
        with opened([made.pid]) as shown:
            sent = send_tree(Actions(), shown, TERM, now_ticks())
        assert sent.sent, sent.text
        assert made.process.wait(20) == -TERM
        until(lambda: not made.living())
        close(sent)


def test_who_handles_sigterm_is_not_left_stopped() -> None:
    with family([sys.executable, "-S", "-c", HANDLER]) as made:
        until(lambda: len(made.living()) == 2)
        with opened(tree(made.pid)) as shown:
            sent = send_tree(Actions(), shown, TERM, now_ticks())
            assert sent.text.startswith(f"SIGTERM sent to 2 processes (python3 {made.pid} and 1")
            assert made.process.wait(20) == 7
            until(lambda: not made.living())


def test_a_signal_that_ends_nothing_halts_nobody_for_long() -> None:
    with family([sys.executable, "-S", "-c", HANDLER]) as made:
        until(lambda: len(made.living()) == 2)
        kin = tree(made.pid)
        os.kill(kin[1], STOP)
        until(lambda: state_of(kin[1]) == "T")
        with opened(kin) as shown:
            assert send_tree(Actions(), shown, signal.SIGWINCH, now_ticks()).sent
            until(lambda: state_of(kin[0]) == "S")
            assert state_of(kin[1]) == "T", "who was stopped before stays so"


def test_a_tree_is_paused_and_goes_on() -> None:
    with running("forks", width=3, depth=1) as made:
        made.wait_for("process", 4)
        kin = tree(made.pid)
        with opened(kin) as shown:
            assert send_tree(Actions(), shown, STOP, now_ticks()).sent
            until(lambda: {state_of(p) for p in kin} == {"T"})
            watch = CrowdWatch(shown, STOP)
            assert watch.check().text.startswith("4 processes are paused; they keep ")
            assert send_tree(Actions(), shown, CONT, now_ticks()).sent
            until(lambda: {state_of(p) for p in kin} == {"S"})
            assert CrowdWatch(shown, CONT).check().text == "4 processes go on after SIGCONT"


def test_brothers_and_strangers_live_on() -> None:
    with running("forks", width=3, depth=1) as made, sleeper() as stranger:
        made.wait_for("process", 4)
        first, second, third = tree(made.pid)[1:]
        with opened([first]) as shown:
            sent = send_tree(Actions(), shown, KILL, now_ticks())
            assert sent.text == f"SIGKILL sent to python3 {first}"
            until(shown[0].ended)
        until(lambda: {state_of(p) for p in (made.pid, second, third)} == {"S"})
        assert stranger.poll() is None


def test_an_orphan_that_was_there_before_is_not_meant() -> None:
    code = """
import os, signal
if os.fork() == 0:
    if os.fork():
        os._exit(0)
    signal.alarm(30)
    signal.pause()
os.wait()
print("ready", flush=True)
signal.pause()
"""
    with family([sys.executable, "-S", "-c", code]) as made:
        until(lambda: len(made.living()) == 2)
        (orphan,) = made.living() - {made.pid}
        time.sleep(0.02)  # start times count in hundredths of a second
        with opened([made.pid]) as shown:
            send_tree(Actions(), shown, KILL, now_ticks())
        made.process.wait(20)
        assert state_of(orphan) == "S"


def test_descendants_are_found_and_held() -> None:
    with running("forks", width=2, depth=2) as made:
        made.wait_for("process", 7)
        with opened([made.pid]) as shown:
            herd = Herd(shown, now_ticks())
            assert len(herd.find_below()) == 6
            found = herd.find_born()
            assert {t.pid for t in found} == set(tree(made.pid)) - {made.pid}
            assert herd.find_below() == set()
            for target in found:
                target.close()


def test_read_only_halts_nobody() -> None:
    with running("forks", width=2, depth=1) as made:
        made.wait_for("process", 3)
        kin = tree(made.pid)
        with opened(kin) as shown:
            sent = send_tree(Actions(readonly=True), shown, KILL, now_ticks(), confirmed=True)
            assert not sent.targets
            assert "read-only: nothing was sent" in sent.text
            assert not {state_of(p) for p in kin} & {"T", "Z"}


def test_what_memtui_runs_inside_asks_first() -> None:
    with sleeper() as other, opened([os.getppid(), os.getpid(), other.pid]) as shown:
        sent = send_tree(Actions(), shown, signal.SIGWINCH, now_ticks())
        assert not sent.targets
        assert "memtui" in sent.text
        assert state_of(os.getpid()) == "R"


def test_who_was_refused_is_told() -> None:
    with sleeper() as one, sleeper() as other, opened([one.pid, other.pid]) as shown:
        other.kill()
        other.wait()
        sent = send_all(Actions(), shown, TERM)
        assert sent.text == (
            f"SIGTERM sent to python3 {one.pid}; 1 not sent: python3 {other.pid} is already gone"
        )
        assert (len(sent.targets), sent.sent) == (1, False)


# -- a whole cgroup


@pytest.fixture
def unified() -> Iterator[Group]:
    """A v2 cgroup with `cgroup.kill`, whether or not it has the memory controller."""
    top = next((d for d in (V2, V2 / "unified") if (d / "cgroup.controllers").exists()), None)
    require(
        top is not None and os.access(top / "cgroup.procs", os.W_OK), "needs root and cgroup v2"
    )
    assert top is not None
    path = top / f"memtui-test-{secrets.token_hex(4)}"
    path.mkdir()
    group = Group(path)
    try:
        require((path / "cgroup.kill").exists(), "needs cgroup.kill (Linux 5.14)")
        yield group
    finally:
        group.remove()


def test_a_whole_cgroup_is_killed_at_once(unified: Group) -> None:
    with running("forks", unified, width=3, depth=1) as made:
        made.wait_for("process", 4)
        with opened(tree(made.pid)) as shown:
            actions = Actions()
            sent = send_tree(actions, shown, KILL, now_ticks())
            assert sent.text.startswith(
                f"SIGKILL sent to all of cgroup /{unified.dir.name}: 4 proc"
            )
            assert actions.killed == {t.identity for t in shown}
            until(lambda: all(t.ended() for t in shown))


def test_a_cgroup_with_a_stranger_in_it_is_not_killed(unified: Group) -> None:
    with running("forks", unified, width=3, depth=1) as made, sleeper() as stranger:
        made.wait_for("process", 4)
        (unified.dir / "cgroup.procs").write_text(str(stranger.pid))
        with opened(tree(made.pid)) as shown:
            sent = send_tree(Actions(), shown, KILL, now_ticks())
            assert sent.text.startswith("SIGKILL sent to 4 processes")
            until(lambda: all(t.ended() for t in shown))
        assert stranger.poll() is None


def test_the_root_cgroup_is_no_whole() -> None:
    assert killgroup.find_whole({os.getpid(), 1}) is None
