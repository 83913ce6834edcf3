"""What killing frees: bounds that hold, exact where nobody outside holds a page too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from memtui.services.target import Target
from memtui.services.worth import Worth, price
from tests.support.procs import require, row, run_python, sleeper, tree_of, until
from tests.support.programs import Program, running

pytestmark = pytest.mark.world
MIB = 1 << 20
SLACK = 8 * MIB  # the interpreter's own


@pytest.fixture
def forks() -> Iterator[Program]:
    """A parent and 3 children with 48 MiB in common and 8 of each's own."""
    with running("forks", width=3, depth=1, mib=8, shared=48) as made:
        made.wait_for("process", 4)
        yield made


def opened(pids: list[int]) -> list[Target]:
    return [Target.open(row(pid)) for pid in pids]


def test_what_a_tree_shares_counts_once(forks: Program) -> None:
    targets = opened(tree_of(forks.pid))
    each, total = price(targets)
    assert total.unread == 0
    assert total.most is not None
    assert 80 * MIB <= total.most <= 80 * MIB + 4 * SLACK
    assert total.least == total.most, "nobody outside shares with them"
    assert all(w.most is not None and 20 * MIB <= w.most < 40 * MIB for w in each)
    for target in targets:
        target.close()


def test_one_of_a_family_frees_no_more_than_its_share(forks: Program) -> None:
    child = tree_of(forks.pid)[1]
    targets = opened([child])
    _, total = price(targets)
    assert total.most is not None
    assert total.least < total.most, "others hold most of it, too"
    assert total.text.startswith("at ")
    before = sum(price(opened([p]))[1].most or 0 for p in tree_of(forks.pid))
    targets[0].deliver(9)
    until(targets[0].ended)
    after = sum(price(opened([p]))[1].most or 0 for p in tree_of(forks.pid))
    assert total.least - MIB <= before - after <= total.most + MIB


def test_who_shares_nothing_frees_exactly_what_is_theirs() -> None:
    with sleeper(f"held = bytearray(b'x') * {40 * MIB}") as process:
        _, total = price(opened([process.pid]))
        assert total.most is not None
        assert total.least == total.most
        assert 40 * MIB <= total.most <= 40 * MIB + SLACK


def test_without_time_the_most_is_told_from_status() -> None:
    with sleeper(f"held = bytearray(b'x') * {40 * MIB}") as process:
        each, total = price(opened([process.pid]), budget_s=-1.0)
        assert (total.least, total.unread, total.why) == (0, 1, "not read in time")
        assert total.most is not None
        assert total.most >= 40 * MIB
        assert total.text.startswith("at most ")
        assert each == [total]


UNPRIVILEGED = """
import os, sys
from memtui.services.target import Target
from memtui.services.worth import price
from tests.support.procs import row
os.setgid(65534)
os.setuid(65534)
each, total = price([Target.open(row(int(sys.argv[1])))])
print(total.least, total.most >= 40 << 20, total.unread, total.why)
"""


def test_what_a_user_may_not_read_is_at_most_and_why() -> None:
    require(os.geteuid() == 0, "needs root, to become another user")
    with sleeper(f"held = bytearray(b'x') * {40 * MIB}") as process:
        said = run_python(UNPRIVILEGED, str(process.pid))
        need = "needs its user and a dumpable process, or CAP_SYS_PTRACE"
        assert said == f"0 True 1 {need}\n"


def test_who_is_gone_frees_nothing() -> None:
    with sleeper() as process:
        targets = opened([process.pid])
        process.kill()
        process.wait()
        assert price(targets) == ([Worth()], Worth(0, 0))


@pytest.mark.parametrize(
    ("worth", "text"),
    [
        (Worth(5 * MIB, 5 * MIB), "5.00M"),
        (Worth(0, 5 * MIB), "at most 5.00M"),
        (Worth(MIB, 5 * MIB), "at least 1.00M, at most 5.00M"),
        (Worth(MIB, 50 * MIB), "at most 50.0M"),
        (Worth(0, None, 1), "?"),
        (Worth(MIB, None, 1), "at least 1.00M"),
    ],
)
def test_bounds_are_told_in_words(worth: Worth, text: str) -> None:
    assert worth.text == text
