"""Real OOM kills in groups that the test makes, each with the truth of who died of what.

The truth is each process's own wait status (its parent reaps it at once) and the kernel's counter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.cgroups import MIB, Group
from tests.support.programs import line

LIMIT = 64 * MIB
_TIMEOUT_S = 40.0


class Child:
    """A test program in a group, reaped the moment it ends."""

    def __init__(self, argv: list[str], group: Group) -> None:
        self.began = time.time()
        self.process = group.start(argv, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.status: int | None = None  # as Popen.returncode
        self.ended = 0.0  # seconds since the epoch: when its parent's wait returned
        self._thread = threading.Thread(target=self._reap, daemon=True)
        self._thread.start()

    def _reap(self) -> None:
        self.status = self.process.wait()
        self.ended = time.time()

    def hear(self, word: str) -> int:
        """Read until the program says `word`; return the number with it."""
        number = self._read(word)
        assert number is not None, f"it ended without having said {word}"
        return number

    def says(self, word: str) -> bool:
        """Read until the program says `word`, or has ended without."""
        return self._read(word) is not None

    def _read(self, word: str) -> int | None:
        out = self.process.stdout
        assert out is not None
        for said in out:
            name, _, number = said.decode().partition(" ")
            if name == word:
                return int(number)
        return None

    def wait(self) -> int:
        """Wait for its end; return its status, negative for a signal."""
        self._thread.join(_TIMEOUT_S)
        assert self.status is not None, "it lives on"
        return self.status

    def end(self) -> None:
        """Kill it where it lives."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._thread.join(_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


class Truth:
    """What happens in one scenario."""

    def __init__(self, group: Group, seen: Callable[[int], None], meet: bool) -> None:
        self.seen = seen  # waits until the watcher has seen a PID, or it has ended
        self.meet = meet  # the watcher has time to see whom it is about
        self.group = group  # the victims'
        self.limit = group  # whose limit it is
        self.oom: set[int] = set()  # killed by the OOM killer
        self.person: set[int] = set()  # by a person
        self.ended: dict[int, float] = {}  # when their parent knew, seconds since the epoch
        self.born: dict[int, float] = {}
        self.all_of_group = False
        self.children: list[Child] = []

    def start(self, name: str, group: Group | None = None, **given: object) -> Child:
        """Start a program of tests/programs."""
        child = Child(line(name, **given), group or self.group)
        self.children.append(child)
        return child

    def hog(self, group: Group | None = None) -> Child:
        """Start what outgrows the limit within half a second or so."""
        child = self.start("hog", group, mib=200, pause=0.01 if self.meet else 0.005)
        if self.meet:
            self.seen(child.pid)
        return child

    def small(self, count: int = 2) -> list[Child]:
        """Start small processes, and wait until they are up."""
        found = [self.start("hog", mib=2) for _ in range(count)]
        for child in found:
            child.hear("done")
        return found

    def took(self, *victims: Child) -> None:
        """The OOM killer took these: wait until it has."""
        for child in victims:
            assert child.wait() == -signal.SIGKILL, child.status
            self._note(child, self.oom)

    def kill(self, child: Child) -> None:
        """Kill it as a person would."""
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        self._note(child, self.person)

    def settle(self) -> None:
        """Count those in, whom the OOM killer took beside; call it before the others end."""
        for child in self.children:
            if child.status == -signal.SIGKILL and child.pid not in self.person:
                self._note(child, self.oom)

    def _note(self, child: Child, among: set[int]) -> None:
        among.add(child.pid)
        self.born[child.pid], self.ended[child.pid] = child.began, child.ended


def one_big(truth: Truth) -> None:
    """One big process among small ones."""
    truth.small(3)
    truth.took(truth.hog())


def adjusted(truth: Truth) -> None:
    """The victim is not the biggest: its oom_score_adj is higher."""
    victim = truth.start("hog", mib=24)
    victim.hear("done")
    if truth.meet:
        truth.seen(victim.pid)
    Path(f"/proc/{victim.pid}/oom_score_adj").write_text("1000")
    big = truth.start("hog", mib=42, pause=0.005)  # which has room once the victim is gone
    truth.took(victim)
    # what the dead held comes back some ms late: the kernel may take the other one, too
    assert big.says("done") or big.wait() == -signal.SIGKILL, big.status


def of_a_shell(truth: Truth) -> None:
    """A shell's child."""
    script = '"$@" >/dev/null & echo child $!; wait $!; echo status $?'
    hog = line("hog", mib=200, pause=0.01 if truth.meet else 0.005)
    shell = Child(["/bin/sh", "-c", script, "sh", *hog], truth.group)
    truth.children.append(shell)
    pid = shell.hear("child")
    if truth.meet:
        truth.seen(pid)
    assert shell.hear("status") == 128 + signal.SIGKILL
    truth.oom.add(pid)
    truth.born[pid], truth.ended[pid] = shell.began, time.time()


def nested(truth: Truth) -> None:
    """In a group without a limit of its own, by its parent's limit."""
    truth.group = truth.group.child("in ner")
    truth.small(1)
    truth.took(truth.hog())


def three(truth: Truth) -> None:
    """Three kills within a second or so."""
    truth.took(*[truth.start("hog", mib=200, pause=0.002) for _ in range(3)])


def whole_group(truth: Truth) -> None:
    """A group that is killed as a whole (memory.oom.group)."""
    (truth.group.dir / "memory.oom.group").write_text("1")
    truth.all_of_group = True
    members = truth.small(2)
    truth.took(truth.hog(), *members)


def short_lived(truth: Truth) -> None:
    """A process that lives for about 200 ms, its start included."""
    truth.took(truth.start("hog", mib=200, pause=0.002))


def by_person(truth: Truth) -> None:
    """`kill -9` of a big process by a person: no OOM kill."""
    truth.small(1)
    big = truth.start("hog", mib=48)
    big.hear("done")
    truth.seen(big.pid)
    truth.kill(big)


def person_and_kernel(truth: Truth) -> None:
    """`kill -9` by a person in the same second as an OOM kill, in the same group."""
    bystander = truth.start("hog", mib=24)
    bystander.hear("done")
    hog = truth.hog()
    for _ in range(20):
        hog.hear("anon")
    truth.kill(bystander)
    truth.took(hog)


def lowered(truth: Truth) -> None:
    """A limit that is set below what is used: cgroup v2 kills at once."""
    truth.small(1)
    hog = truth.start("hog", mib=50)
    hog.hear("done")
    truth.group.limit_file.write_text(str(LIMIT // 2))
    truth.took(hog)


class Scenario(NamedTuple):
    """One way to be killed."""

    name: str
    play: Callable[[Truth], None]
    v2: bool = False  # needs cgroup v2
    brief: bool = False  # nobody may have seen the victim
    limit: int = LIMIT


SCENARIOS = {
    s.name: s
    for s in (
        Scenario("one big", one_big),
        Scenario("adjusted", adjusted),
        Scenario("of a shell", of_a_shell),
        Scenario("nested", nested),
        Scenario("three", three, brief=True),
        Scenario("whole group", whole_group, v2=True),
        Scenario("short-lived", short_lived, brief=True),
        Scenario("by a person", by_person, limit=2 * LIMIT),
        Scenario("person and kernel", person_and_kernel),
        Scenario("lowered", lowered, v2=True, limit=2 * LIMIT),
    )
}


@contextlib.contextmanager
def played(
    scenario: Scenario, group: Group, seen: Callable[[int], None], meet: bool = False
) -> Iterator[Truth]:
    """Play it; the small ones and what is left live until this ends."""
    truth = Truth(group, seen, meet)
    try:
        scenario.play(truth)
        yield truth
    finally:
        for child in truth.children:
            child.end()
