"""Levels, swap and namespaces of real groups, on the screen."""

from __future__ import annotations

import re

import pytest

from tests.support.cgroups import MIB, Group, place
from tests.support.limited import unshared
from tests.support.programs import running
from tests.tui.reading import amount, point_at, start


def test_every_level_and_what_its_process_holds(memory_group: Group) -> None:
    memory_group.set_limit(256 * MIB)
    middle = memory_group.child("middle", 96 * MIB)
    inner = middle.child("inner")
    with (
        running("hog", inner, mib=60) as program,
        start("--cgroup", inner.cgroup, "--delay", "0.2", rows=50) as term,
    ):
        held = program.wait_for("done")
        term.wait_for(re.compile(r"memory .* 6\d\.\dM / +96\.0M +[67]\d%"))
        row = point_at(term, program.pid)
        assert held <= amount(row.cells["RES"]) < held + 24 * MIB
        term.send("i")
        lines = "\n".join(term.wait_for(re.compile(r"of 256M +2\d%")))
        for group, limit in ((inner, "no limit"), (middle, "of 96.0M"), (memory_group, "of 256M")):
            shown = rf"6\d\.\dM {limit} .*\n +\S*{group.cgroup}/{group.limit_file.name}"
            assert re.search(shown, lines)


@pytest.mark.swap
def test_swap_of_the_group_has_a_bar(memory_group: Group) -> None:
    memory_group.set_limit(12 * MIB, swap=16 * MIB)
    with (
        running("hog", memory_group, mib=18) as program,
        start("--cgroup", memory_group.cgroup, "--delay", "0.2") as term,
    ):
        program.wait_for("done")
        term.wait_for(re.compile(r"memory .* / +12\.0M"))
        term.wait_for(re.compile(r"swap .* 1?\d\.\d+M / +16\.0M"))


@pytest.mark.namespaces
def test_a_namespace_hides_no_limit_and_no_mount_is_said(memory_group: Group) -> None:
    found = place()
    assert found is not None
    memory_group.set_limit(256 * MIB)
    enter = ["/bin/sh", "-c", 'echo 0 >"$0" && exec "$@"', str(memory_group.dir / "cgroup.procs")]
    with start("--delay", "0.2", prefix=[*enter, *unshared("--cgroup")]) as term:
        term.wait_for(re.compile(r"memory .*/ +256M"))
    gone = unshared("--mount", first=f"umount -l {found.top}")
    with start("--delay", "0.2", prefix=[*enter, *gone]) as term:
        term.wait_for("none with a memory controller is visible from here")
        assert "no limit" not in term.text()
