"""Signals reach the process that was shown, or nowhere; every answer is words."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from memtui.services.actions import Actions, ancestors, needs_confirmation
from memtui.services.signals import parse_signal, signals
from memtui.services.target import Target
from memtui.services.watch import Watch
from tests.support.procs import (
    HANDLING,
    IGNORING,
    NO_PIDFD,
    require,
    row,
    run_python,
    sleeper,
    state_of,
    until,
)

TERM, KILL = signal.SIGTERM, signal.SIGKILL
MIB = 1 << 20


class Clock:
    """Time that passes only when told, so that patience takes no time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_shown_process_gets_the_signal() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        assert target.refusal is None
        assert target.held
        outcome = Actions().send(target, TERM)
        assert outcome.sent
        assert outcome.text == f"SIGTERM sent to python3 {process.pid}"
        assert process.wait() == -TERM


def test_after_the_end_it_is_already_gone() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        process.kill()
        process.wait()
        outcome = Actions().send(target, TERM)
        assert (outcome.kind, outcome.sent) == ("gone", False)
        assert outcome.text == f"python3 {process.pid} is already gone"


def test_a_row_that_ended_before_the_dialog_opened_is_already_gone() -> None:
    with sleeper() as process:
        proc = row(process.pid)
        process.kill()
        process.wait()
        with Target.open(proc) as target:
            assert Actions().send(target, KILL).kind == "gone"


def test_another_start_time_is_another_process_and_stays_unharmed() -> None:
    with sleeper() as process:
        shown = row(process.pid, start=row(process.pid).start - 1)
        with Target.open(shown) as target:
            outcome = Actions().send(target, KILL)
            assert outcome.kind == "reused"
            assert outcome.text == f"PID {process.pid} is another process now: not sent"
        assert process.poll() is None


REUSE = """
import os, signal, sys, time
from memtui.services.actions import Actions
from memtui.services.target import Target
from tests.support.procs import row
def child():
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid
def again(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0.05)
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write(str(pid - 1))
    return child()
first = child()
proc = row(first)
target = Target.open(proc)
assert target.held == (sys.argv[1] == "held"), target.held
second = again(first)
assert first == second, (first, second)
print(Actions().send(target, signal.SIGKILL).text.endswith(" is another process now: not sent"))
print(Actions().send(Target.open(proc), signal.SIGKILL).kind)
print(os.waitpid(second, os.WNOHANG) == (0, 0))
print(Actions().send(Target.open(row(second)), signal.SIGKILL).kind)
print(os.waitpid(second, 0)[1])
"""


@pytest.mark.parametrize("held", ["held", "by-number"])
def test_a_reused_pid_is_never_hit(held: str) -> None:
    line = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    usable = shutil.which("unshare") and not subprocess.run([*line, "true"]).returncode
    require(bool(usable), "needs root and unshare, for a PID namespace")
    code = REUSE if held == "held" else NO_PIDFD + REUSE
    done = subprocess.run(
        [*line, sys.executable, "-c", code, held], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["True", "reused", "True", "sent", "9"], done.stderr


def test_without_pidfds_the_number_is_checked_and_used() -> None:
    code = """
import subprocess, sys, time
from memtui.services.actions import Actions
from memtui.services.target import Target
from tests.support.procs import row
p = subprocess.Popen(["sleep", "60"])
t = Target.open(row(p.pid))
w = Actions().watch(t, 15)
print(t.held, w.check().state, Actions().send(t, 15).kind, p.wait(), w.check().state)
print(Actions().send(t, 15).kind)
"""
    assert run_python(NO_PIDFD + code) == "False waiting sent -15 ended\ngone\n"


NOBODY = """
import os, sys
from memtui.services.actions import Actions
from memtui.services.target import Target
from tests.support.procs import row
os.setgid(65534)
os.setuid(65534)
with Target.open(row(int(sys.argv[1]))) as target:
    print(Actions().send(target, 15).text)
"""


def test_another_users_process_is_refused_with_who_could() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with sleeper() as process:
        text = run_python(NOBODY, str(process.pid))
        who = f"python3 {process.pid}"
        assert text == f"{who}: not permitted: owned by root (run memtui as root)\n"
        assert process.poll() is None


def test_read_only_refuses_at_the_action() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        outcome = Actions(readonly=True).send(target, KILL, confirmed=True)
        assert (outcome.kind, outcome.sent) == ("readonly", False)
        assert process.poll() is None
        recording = Actions(readonly=True, why="this is a recording")
        assert recording.send(target, KILL).text == "this is a recording: nothing was sent"


def test_memtui_itself_and_what_started_it_need_a_second_yes() -> None:
    for pid in (os.getpid(), os.getppid(), 1):
        with Target.open(row(pid)) as target:
            assert needs_confirmation(target)
            outcome = Actions().send(target, signal.SIGCONT)  # harmless, were it sent
            assert outcome.kind == "unconfirmed"
            assert outcome.text == needs_confirmation(target)
    assert os.getppid() in ancestors(os.getpid())


def test_a_confirmed_signal_reaches_even_memtui_itself() -> None:
    with Target.open(row(os.getpid())) as target:
        assert Actions().send(target, signal.SIGCONT, confirmed=True).sent


def test_a_child_needs_no_confirmation() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        assert needs_confirmation(target) is None


def test_a_kernel_thread_takes_no_signals() -> None:
    if not os.path.exists("/proc/2/stat") or not row(2).kernel_thread:
        pytest.skip("no kernel thread is visible from here")
    with Target.open(row(2)) as target:
        assert Actions().send(target, signal.SIGCONT).kind == "kernel-thread"


def test_a_typed_pid_is_bound_and_described() -> None:
    with sleeper() as process, Target.open_pid(process.pid) as target:
        assert target.refusal is None
        assert (target.pid, target.start) == row(process.pid).identity
        assert target.name.startswith("python")
        assert "-S -c" in target.command
        assert target.uid == os.getuid()
        assert target.rss > MIB
        assert Actions().send(target, TERM).sent
        assert process.wait() == -TERM


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**31 - 1, 2**40])
def test_a_typed_number_that_is_no_process_is_words(pid: int) -> None:
    with Target.open_pid(pid) as target:
        outcome = Actions().send(target, TERM, confirmed=True)
        assert not outcome.sent
        assert str(pid) in outcome.text


def test_a_let_go_target_takes_nothing_more() -> None:
    with sleeper() as process:
        target = Target.open(row(process.pid))
        target.close()
        target.close()
        assert not Actions().send(target, TERM).sent
        assert process.poll() is None


def test_a_hostile_name_is_shown_safely() -> None:
    rename = "open('/proc/self/comm', 'wb').write(b'\\x1b[2J[/b]\\xff')"
    with sleeper(rename) as process, Target.open_pid(process.pid) as target:
        text = Actions().send(target, TERM).text
        assert text == f"SIGTERM sent to ␛[2J[/b]� {process.pid}"


def test_a_stopped_process_keeps_sigterm_for_later() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        actions = Actions()
        assert actions.send(target, signal.SIGSTOP).sent
        until(lambda: state_of(process.pid) == "T")
        outcome = actions.send(target, TERM)
        assert outcome.text.endswith(": stopped: it will act on SIGTERM when continued")
        clock = Clock()
        watch = Watch(target, TERM, clock=clock)
        clock.now += 6
        verdict = watch.check()
        assert (verdict.state, verdict.offer_kill) == ("alive", True)
        assert "stopped: it will act on SIGTERM when continued" in verdict.text
        assert actions.send(target, signal.SIGCONT).sent
        assert process.wait() == -TERM


def test_what_ignores_sigterm_is_offered_sigkill_after_five_seconds() -> None:
    with sleeper(IGNORING) as process, Target.open(row(process.pid)) as target:
        assert Actions().send(target, TERM).text.endswith(": it ignores SIGTERM")
        clock = Clock()
        watch = Watch(target, TERM, usage=500 * MIB, clock=clock)
        clock.now += 4.9
        assert (watch.check().state, watch.check().offer_kill) == ("waiting", False)
        clock.now += 0.1
        verdict = watch.check()
        assert verdict.offer_kill
        assert verdict.text.endswith("is still there 5 s after SIGTERM: it ignores SIGTERM")
        assert Actions().send(target, KILL).sent
        assert process.wait() == -KILL
        verdict = watch.check(usage=440 * MIB)
        assert (verdict.state, verdict.final, verdict.came_back) == ("ended", True, 60 * MIB)
        assert verdict.text == f"python3 {process.pid} ended after SIGTERM; 60.0M came back"


def test_what_handles_sigterm_is_said_to() -> None:
    with sleeper(HANDLING) as process, Target.open(row(process.pid)) as target:
        clock = Clock()
        watch = Watch(target, TERM, clock=clock)
        clock.now += 7
        assert watch.check().text.endswith("7 s after SIGTERM: it handles the signal itself")


def test_a_signal_that_ends_nothing_offers_no_kill() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        clock = Clock()
        watch = Watch(target, signal.SIGSTOP, clock=clock)
        clock.now += 60
        assert (watch.check().state, watch.check().offer_kill) == ("alive", False)


def test_a_dead_process_whose_parent_does_not_collect_it_has_ended() -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        clock = Clock()
        watch = Watch(target, KILL, clock=clock)
        assert Actions().send(target, KILL).sent
        until(target.ended)
        assert watch.check().state == "waiting"
        clock.now += 1
        verdict = watch.check()
        me = os.getpid()
        assert verdict.state == "uncollected"
        assert f"ended, its parent (PID {me}) has not collected it; it held " in verdict.text
        outcome = Actions().send(target, KILL)
        assert outcome.kind == "gone"
        assert "has not collected it" in outcome.text


@pytest.mark.parametrize(
    ("after", "words"),
    [(None, "it held "), (500, "usage is the same"), (510, "yet usage rose by 10.0M meanwhile")],
)
def test_memory_that_did_not_come_back_is_not_claimed(after: int | None, words: str) -> None:
    with sleeper() as process, Target.open(row(process.pid)) as target:
        watch = Actions().watch(target, KILL, usage=500 * MIB)
        process.kill()
        process.wait()
        assert words in watch.check(None if after is None else after * MIB).text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("KILL", 9),
        ("SIGKILL", 9),
        (" term ", 15),
        ("sigTerm", 15),
        ("RTMIN", int(signal.SIGRTMIN)),
        ("SIGRTMIN+3", int(signal.SIGRTMIN) + 3),
        ("IOT", 6),
    ],
)
def test_a_signal_is_read_as_people_write_it(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "-9", "65", "9" * 20, "SIG", "KILLL", "9.0", "²", "٩"])
def test_what_is_no_signal_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="is not a signal"):
        parse_signal(text)


def test_the_signals_that_people_use_come_first() -> None:
    found = signals()
    assert [s.name for s in found[:3]] == ["SIGTERM", "SIGKILL", "SIGINT"]
    assert len({s.number for s in found}) == len(found) == len(signal.valid_signals())
    assert all(parse_signal(s.name) == parse_signal(str(s.number)) == s.number for s in found)
