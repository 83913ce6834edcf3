"""mountinfo and /proc/PID/cgroup as real machines write them, and as none ever should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.kernel.levels import at_or_below
from memtui.kernel.mounts import (
    Mount,
    chain,
    choose,
    memory_cgroup,
    memory_mounts,
    parse_cgroup,
    parse_mountinfo,
    relative,
    unescape,
)

HYBRID = b"""\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
junk = st.lists(
    st.sampled_from(
        [b"4:memory:/a", b"0::/", b" - ", b"cgroup2", b"\\04", b"\n", b":", b" ", b"/.."]
    )
    | st.binary(max_size=20)
).map(b"".join)


def test_hybrid_has_memory_on_v1() -> None:
    mounts = parse_mountinfo(HYBRID, b"cgroup", b"cgroup2")
    assert [m.point for m in memory_mounts(mounts, 1)] == ["/sys/fs/cgroup/memory"]
    assert [m.point for m in memory_mounts(mounts, 2)] == ["/sys/fs/cgroup/unified"]
    assert len(mounts) == 3
    assert len(parse_mountinfo(HYBRID)) == 4


def test_optional_fields_and_blanks_in_paths() -> None:
    line = rb"36 35 98:0 /a\040b /mnt/x\011y\134z rw shared:1 master:2 - cgroup2 none rw,a" + b"\n"
    assert parse_mountinfo(line) == [Mount("/a b", "/mnt/x\ty\\z", "cgroup2", ("rw", "a"), "98:0")]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb"a\040b", b"a b"),
        (rb"\134040", rb"\040"),
        (rb"\9", rb"\9"),
        (rb"\777", rb"\777"),
        (rb"\\", rb"\\"),
    ],
)
def test_unescape(raw: bytes, text: bytes) -> None:
    assert unescape(raw) == text


def test_the_last_mount_at_a_point_is_what_is_seen() -> None:
    over = HYBRID + b"50 31 0:40 /x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    assert [m.root for m in memory_mounts(parse_mountinfo(over), 1)] == ["/x"]


def test_unit_names_hold_colons() -> None:
    data = b"0::/system.slice/dbus-:1.2-org.x@0.service\n"
    assert parse_cgroup(data)[0].path == "/system.slice/dbus-:1.2-org.x@0.service"
    assert memory_cgroup(data) == "/system.slice/dbus-:1.2-org.x@0.service"


def test_memory_on_v1_goes_before_v2() -> None:
    assert memory_cgroup(b"4:cpu,memory:/a/b\n0::/c\n") == "/a/b"
    assert memory_cgroup(b"4:cpu:/a/b\n0::/c\n") == "/c"
    assert memory_cgroup(b"4:cpu:/a/b\n") is None
    assert memory_cgroup(b"0::/\xff\n") == "/\udcff"


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/a/b", "/", "/a/b"),
        ("/", "/", ""),
        ("/docker/x", "/docker/x", ""),
        ("/docker/x/y", "/docker/x", "/y"),
        ("/docker/xy", "/docker/x", None),
        ("/../../x", "/", None),
        ("/", "/../..", None),
        ("/../../x", "/../..", "/x"),
        ("/../x", "/../..", None),
        ("/../../../x", "/../..", None),
    ],
)
def test_relative(path: str, root: str, rest: str | None) -> None:
    assert relative(path, root) == rest


def test_chain_goes_up_to_the_mount_point() -> None:
    mount = Mount("/docker", "/cg", "cgroup2", ())
    assert chain(mount, "/docker/x/y") == [
        ("/docker/x/y", "/cg/x/y"),
        ("/docker/x", "/cg/x"),
        ("/docker", "/cg"),
    ]
    assert chain(mount, "/elsewhere") == [("/docker", "/cg")]
    assert chain(Mount("/", "/cg", "cgroup2", ()), "/../x") == [("/", "/cg")]


def test_the_mount_that_shows_most_is_chosen() -> None:
    whole, part, other = (Mount(r, "/m" + r, "cgroup2", ()) for r in ("/", "/a/b", "/z"))
    assert choose([part, whole, other], "/a/b/c") == whole
    assert choose([other, part], "/a/b/c") == part
    assert choose([other], "/a") == other
    assert choose([], "/a") is None


def test_at_or_below() -> None:
    assert at_or_below("/a", "/a")
    assert at_or_below("/a/b", "/a")
    assert not at_or_below("/ab", "/a")
    assert at_or_below("/a", "/")
    assert not at_or_below("/../a", "/")


@given(junk)
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    for mount in parse_mountinfo(data):
        for line in parse_cgroup(data):
            assert chain(mount, line.path)
    memory_cgroup(data)
