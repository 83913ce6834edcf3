"""What memtui says of its own group where a namespace or a mount hides or shows more than usual."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.cgroups import MIB, Group, place
from tests.support.limited import MEMTUI, unshared

pytestmark = pytest.mark.namespaces
LIMIT = 96 * MIB


@pytest.fixture
def inner(memory_group: Group) -> Group:
    """A group without a limit below one that has one."""
    memory_group.set_limit(LIMIT)
    return memory_group.child("in ner")


def said_in(group: Group, prefix: list[str], move: Group | None = None) -> dict[str, Any]:
    """What `memtui quota --json` says inside of the group and the namespaces.

    With `move` it is moved to another group when the namespaces are made.
    """
    ready = ["sh", "-c", 'echo; read -r go; exec "$@"', "sh"] if move else []
    line = [*prefix, *ready, *MEMTUI, "quota", "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with group.start(line, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if move:
            assert process.stdout.readline() == b"\n"
            (move.dir / "cgroup.procs").write_text(str(process.pid))
        out, _ = process.communicate(b"\n", timeout=30)
    assert process.returncode == 0
    document: dict[str, Any] = json.loads(out)
    return document


def top() -> str:
    found = place()
    assert found is not None
    return str(found.top)


def mounted(group: Group) -> str:
    """Words that mount the groups anew, as a container's starter does."""
    kind = "cgroup2" if group.version == 2 else "cgroup -o memory"
    return f"umount -l {top()} && mount -t {kind} none {top()}"


def test_a_new_namespace_alone_hides_no_limit(inner: Group) -> None:
    """All groups are mounted still, but by names that do not fit ours: `/../..`."""
    said = said_in(inner, unshared("--cgroup"))
    assert said["limit"]["bytes"] == LIMIT
    assert said["limit"]["path"] == f"{inner.dir.parent}/{inner.limit_file.name}"
    own, above = said["levels"][:2]
    assert own["path"].endswith(f"/{inner.dir.parent.name}/in ner")
    assert (own["limit"], above["limit"]) == (None, LIMIT)
    assert MIB < own["usage"] <= above["usage"] < LIMIT


def test_a_namespace_with_its_own_mount_shows_no_other_group_s_numbers(inner: Group) -> None:
    said = said_in(inner, unshared("--cgroup", "--mount", first=mounted(inner)))
    assert (said["cgroup"], [lv["path"] for lv in said["levels"]]) == ("/", ["/"])
    assert MIB < said["levels"][0]["usage"] < LIMIT
    if inner.version == 1:  # tells of limits above
        assert said["limit"]["bytes"] == LIMIT
        assert said["limit"]["path"].endswith("/memory.stat")
    else:
        assert said["limit"]["path"] == "/proc/meminfo"


def test_outside_of_its_namespace_nothing_is_called_its_own(inner: Group) -> None:
    other = Group(inner.dir.parent).child("other", 64 * MIB)
    said = said_in(inner, unshared("--cgroup"), move=other)
    assert (said["levels"], said["cgroup"]) == ([], None)
    assert said["limit"]["path"] == "/proc/meminfo"


def test_a_read_only_mount_shows_all_of_it(inner: Group) -> None:
    said = said_in(inner, unshared("--mount", first=f"mount -o remount,bind,ro {top()}"))
    assert (said["cgroup"], said["limit"]["bytes"]) == (inner.cgroup, LIMIT)
    assert MIB < said["levels"][0]["usage"] < LIMIT


def test_without_a_cgroup_file_system_no_limit_is_made_up(inner: Group) -> None:
    prefix = unshared("--mount", first=f"umount -l {top()}")
    said = said_in(inner, prefix)
    assert (said["cgroup"], said["cgroup_version"], said["levels"]) == (None, None, [])
    assert set(said["events"].values()) == {None}
    assert (said["limit"]["path"], said["peak"]) == ("/proc/meminfo", None)
    text = subprocess.run([*prefix, *MEMTUI, "quota"], capture_output=True, text=True, check=True)
    assert "no limit is visible: host memory" in text.stdout
