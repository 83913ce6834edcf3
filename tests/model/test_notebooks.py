"""What connection files, environments and servers tell of kernels; all of it may be hostile."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.families import Clocks, Comebacks, families
from memtui.model.known import COCALC_KERNEL, KERNEL, Activity, Known
from memtui.model.notebooks import (
    Environment,
    Session,
    Told,
    activity_of,
    describe,
    parse_connection,
    parse_environment,
    parse_kernels,
    parse_server,
    parse_sessions,
    parse_time,
    spares,
)
from memtui.model.snapshot import Proc
from tests.support.made import proc

BASE = Known(KERNEL, "Python kernel", "its connection file", language="python", file="/r/k.json")
SERVER = {
    "base_url": "/user/ann/", "hostname": "127.0.0.1", "password": False, "pid": 21740,
    "port": 33851, "root_dir": "/home/ann", "secure": False, "sock": "", "token": "secret123",
    "url": "http://127.0.0.1:33851/", "version": "2.21.1",
}  # fmt: skip
SESSION = {
    "id": "3519a585", "path": "sub/a.ipynb", "name": "a.ipynb", "type": "notebook",
    "kernel": {
        "id": "c375439c", "name": "python3", "last_activity": "2026-11-28T11:32:52.135432Z",
        "execution_state": "idle", "connections": 1,
    },
}  # fmt: skip


def encoded(doc: object) -> bytes:
    return json.dumps(doc).encode()


def test_a_connection_file_names_the_notebook_and_its_key_goes_nowhere() -> None:
    data = {"key": "88a32ffb-secret", "kernel_name": "ir", "jupyter_session": "/home/ann/a.ipynb"}
    found = parse_connection(encoded(data))
    assert found.name is not None
    assert (found.name.path, found.language) == ("/home/ann/a.ipynb", "R")
    assert "secret" not in repr(found)


def test_a_server_is_understood_and_one_that_makes_no_sense_is_none() -> None:
    found = parse_server(encoded(SERVER))
    assert found is not None
    assert (found.pid, found.port, found.base, found.folder) == (
        21740, 33851, "/user/ann/", "/home/ann",
    )  # fmt: skip
    for wrong in (
        {"port": 0}, {"port": "80"}, {"port": 70000}, {"pid": None}, {"base_url": "x"},
        {"base_url": "/a b"}, {"base_url": "/\r\nHost: x"}, {"token": "a\r\nX: y"},
        {"token": "\u00e9"},
    ):  # fmt: skip
        assert parse_server(encoded(SERVER | wrong)) is None, wrong
    assert parse_server(encoded(SERVER | {"port": 0, "sock": "/run/j.sock"})) is not None


def test_sessions_tell_the_path_below_the_server_s_folder() -> None:
    found = parse_sessions(encoded([SESSION]), "/home/ann")
    assert found == {"c375439c": Session("/home/ann/sub/a.ipynb", "idle", 1795865572.135432, 1)}
    assert parse_kernels(encoded([SESSION["kernel"]])) == {
        "c375439c": Session("", "idle", 1795865572.135432, 1)
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "kernel", "path", "pid", "port", "token", "notebook", "sock"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=64) | json_values.map(encoded))
def test_no_answer_breaks_the_readers(data: bytes) -> None:
    parse_connection(data)
    parse_server(data)
    parse_kernels(data)
    for session in (parse_sessions(data, "/x") or {}).values():
        assert session.path.isprintable()


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"port": 1' + b"0" * 5000 + b"}", b"", None])
def test_deep_and_huge_documents_are_none(data: bytes | None) -> None:
    assert parse_server(data) is None
    assert parse_sessions(data or b"", "/") is None


def test_control_characters_in_a_path_are_shown_not_sent() -> None:
    hostile = {**SESSION, "path": "a\x1b]0;x\x07\udc80.ipynb"}
    found = parse_sessions(encoded([hostile]), "/home")
    assert found is not None
    assert found["c375439c"].path == "/home/a␛]0;x␇�.ipynb"


def test_an_environment_tells_by_the_first_that_counts() -> None:
    found = parse_environment(
        [b"JPY_SESSION_NAME=/h/a.ipynb", b"JPY_PARENT_PID=12", b"JPY_SESSION_NAME=/other", b"HOME"]
    )
    assert found.name is not None
    assert (found.name.path, found.server, found.cocalc) == ("/h/a.ipynb", 12, False)
    cocalc = parse_environment(
        [
            b"COCALC_JUPYTER_KERNELNAME=python3",
            b"COCALC_JUPYTER_FILENAME=x/b.ipynb",
            b"HOME=/home/u",
        ]
    )
    assert cocalc.name is not None
    assert (cocalc.name.path, cocalc.cocalc) == ("/home/u/x/b.ipynb", True)
    assert parse_environment([b"JPY_PARENT_PID=-1"]).server is None


def test_the_server_s_word_is_newer_than_what_the_kernel_was_started_with() -> None:
    told = Told(env=parse_environment([b"JPY_SESSION_NAME=/h/old.ipynb"]))
    assert describe(BASE, told).label == "old.ipynb"
    told = told._replace(session=Session("/h/new.ipynb", "idle", 5.0, 0))
    found = describe(BASE, told)
    assert (found.label, found.path, found.named_by) == ("new.ipynb", "/h/new.ipynb", "its server")


def test_without_a_name_the_directory_is_told_and_nothing_invented() -> None:
    found = describe(BASE, Told(cwd="/home/u/project"))
    assert (found.label, found.path, found.detail) == ("Python kernel", None, "in /home/u/project")
    assert describe(BASE, Told(env=Environment(cocalc=True))).kind == COCALC_KERNEL


def test_activity_is_the_server_s_word_else_the_cpu_s() -> None:
    by_cpu = Activity(False, 100.0, True, evidence="CPU time")
    assert activity_of(Told(), by_cpu).evidence == "CPU time"
    idle = activity_of(Told(session=Session("", "idle", 50.0, 2)), by_cpu)
    assert (idle.busy, idle.idle_since, idle.at_least, idle.connections) == (False, 50.0, False, 2)
    assert activity_of(Told(session=Session("", "busy", 50.0, 2)), by_cpu).busy is True
    before = Told(session=Session("", "busy", 50.0, 2))
    assert activity_of(before, by_cpu, 60.0).busy is False, "it was killed as it worked"
    assert activity_of(before, by_cpu, 40.0).busy is True
    starting = activity_of(Told(session=Session("", "starting", 50.0, 0)), by_cpu)
    assert (starting.busy, starting.evidence, starting.connections) == (False, "CPU time", 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.500000+00:00", 1.5),
        ("1970-01-01T00:00:01", 1.0),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_understood_or_unknown(text: str, seconds: float | None) -> None:
    assert parse_time(text) == seconds


def test_the_spare_of_the_pool_is_the_newest_that_did_nothing() -> None:
    env = Environment(cocalc=True, home="/home/u")
    pooled = Told(env=env, cwd="/home/u")
    used = Told(env=env, cwd="/home/u/project")
    assert spares({"a": (pooled, 1.0, 10), "b": (pooled, 1.0, 20), "c": (used, 1.0, 30)}) == {"b"}
    assert spares({"a": (pooled, 60.0, 10)}) == set()
    assert spares({"a": (Told(cwd="/home/u"), 1.0, 10)}) == set()


# -- families


def table(*procs: Proc) -> dict[str, Proc]:
    return {str(p.pid): p for p in procs}


def test_a_family_is_the_kernel_and_all_below_it() -> None:
    there = table(
        proc(10, ppid=1, argv=b"server"),
        proc(20, ppid=10, argv=b"python\0-f\0/r/kernel-1.json"),
        proc(21, ppid=20, argv=b"sleep"),
        proc(22, ppid=21, argv=b"sleep"),
        proc(23, ppid=20, argv=b"python\0-f\0/r/kernel-1.json"),  # forked
        proc(30, ppid=10, argv=b"python\0-f\0/r/kernel-2.json"),
    )
    files = {"20": "/r/kernel-1.json", "23": "/r/kernel-1.json", "30": "/r/kernel-2.json"}
    found = families(there, files)
    assert found == {"20": "20", "21": "20", "22": "20", "23": "20", "30": "30"}


def test_a_program_around_a_kernel_is_not_the_kernel() -> None:
    there = table(
        proc(20, ppid=1, argv=b"conda\0run\0-f\0/r/kernel-1.json"),
        proc(21, ppid=20, argv=b"python\0-f\0/r/kernel-1.json"),
    )
    files = {"20": "/r/kernel-1.json", "21": "/r/kernel-1.json"}
    assert families(there, files) == {"21": "21"}


def test_a_circle_of_parents_ends() -> None:
    there = table(proc(2, ppid=3), proc(3, ppid=2), proc(4, ppid=4))
    assert families(there, {"2": "/r/kernel-1.json", "4": "/r/kernel-2.json"}) == {
        "2": "2", "3": "2", "4": "4",
    }  # fmt: skip


def test_cpu_time_tells_who_is_busy_and_since_when_not() -> None:
    clocks, root = Clocks(), (20, 200)
    assert clocks.look(root, [proc(20, cpu_time=1.0)], 1000.0).busy is None
    assert clocks.look(root, [proc(20, cpu_time=1.9)], 1001.0).busy is True
    assert clocks.look(root, [proc(20, cpu_time=1.9)], 1005.0).busy is True
    idle = clocks.look(root, [proc(20, cpu_time=1.95)], 1012.0)
    assert (idle.busy, idle.idle_since, idle.at_least) == (False, 1001.0, False)


def test_who_was_never_seen_busy_is_idle_for_at_least_so_long() -> None:
    clocks, root = Clocks(), (20, 200)
    clocks.look(root, [proc(20, cpu_time=1.0)], 1000.0)
    idle = clocks.look(root, [proc(20, cpu_time=1.0)], 1011.0)
    assert (idle.busy, idle.idle_since, idle.at_least) == (False, 1000.0, True)


def test_a_kernel_that_comes_back_is_seen() -> None:
    seen = Comebacks()
    seen.look({"/r/1": (20, 200)}, 5.0)
    seen.look({}, 6.0)
    assert seen.of("/r/1") == ()
    seen.look({"/r/1": (33, 300)}, 7.0)
    seen.look({"/r/1": (33, 300)}, 8.0)
    assert seen.of("/r/1") == (7.0,)
