"""What memtui keeps: whole after a crash, shared by several, bounded, and dispensable."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memtui.render.postmortem import as_text
from memtui.services import store
from memtui.services.store import Baseline, Baselines, KillLog, StateDir, state_directory
from tests.support.kills import AT, by, event, victim

BOOT, OLDER = "0ab35f4e-0000-4000-8000-000000000001", "0ab35f4e-0000-4000-8000-000000000002"
SEEN = Baseline(2, 1000.0)
WRITER = """
import sys
from memtui.services.store import Baseline, Baselines, KillLog, StateDir
from tests.support.kills import event
place, who, turns = StateDir(sys.argv[1]), sys.argv[2], int(sys.argv[3])
base, log = Baselines(place), KillLog(place)
print("ready", flush=True)
for i in range(turns):
    base.save("boot", {(f"/{who}/{i % 50}", i % 50 + 1): Baseline(i, float(i))})
    log.append(event(id=i, time=1e9 + i, killer=who))
print(place.problem)
"""


@pytest.fixture
def place(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state" / "memtui"))


def at(place: StateDir, name: str) -> Path:
    assert place.path is not None
    return Path(place.path, name)


def writer(place: StateDir, who: str, turns: int) -> subprocess.Popen[str]:
    """A process that writes; ready when this returns."""
    argv = [sys.executable, "-c", WRITER, str(place.path), who, str(turns)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# -- where


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/s/", "HOME": "/h"}, "/s/memtui"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h/"}, "/h/.local/state/memtui"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/memtui"),
        ({"HOME": "h"}, None),
        ({}, None),
    ],
)
def test_the_directory(environ: dict[str, str], expected: str | None) -> None:
    assert state_directory(environ) == expected


def test_it_is_for_the_user_alone(place: StateDir) -> None:
    old = os.umask(0)
    try:
        assert Baselines(place).save(BOOT, {("/a", 1): SEEN})
        assert KillLog(place).append(event())
    finally:
        os.umask(old)
    assert stat.S_IMODE(at(place, "").stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in at(place, "").iterdir()}
    assert modes == {"baselines.json": 0o600, "kills.jsonl": 0o600, "lock": 0o600}


def test_a_directory_that_was_open_to_all_is_closed(place: StateDir) -> None:
    at(place, "").mkdir(parents=True, mode=0o755)
    assert KillLog(place).append(event())
    assert stat.S_IMODE(at(place, "").stat().st_mode) == 0o700


def test_looking_makes_nothing(place: StateDir) -> None:
    assert Baselines(place).load(BOOT) == {}
    assert KillLog(place).read() == []
    assert not at(place, "").exists()
    assert place.problem == ""


# -- counters


def test_what_was_seen_is_known_again(place: StateDir) -> None:
    groups = {("/a/b", 77): SEEN, ("/bytes\udcff/[/b]", 1): Baseline(0, 5.5)}
    assert Baselines(place).save(BOOT, groups)
    assert Baselines(place).load(BOOT) == groups
    assert Baselines(place).load(OLDER) == {}


def test_of_one_group_the_newest_look_counts(place: StateDir) -> None:
    one, other = Baselines(place), Baselines(place)
    one.save(BOOT, {("/a", 1): Baseline(5, 20.0), ("/b", 2): SEEN})
    other.save(BOOT, {("/a", 1): Baseline(3, 10.0), ("/c", 3): SEEN})
    assert one.load(BOOT) == {("/a", 1): Baseline(5, 20.0), ("/b", 2): SEEN, ("/c", 3): SEEN}
    other.save(BOOT, {("/a", 1): Baseline(6, 30.0)})
    assert one.load(BOOT)["/a", 1] == Baseline(6, 30.0)


def test_the_size_is_bounded_and_the_newest_stay(place: StateDir) -> None:
    base = Baselines(place)
    for boot in range(12):
        base.save(f"boot {boot}", {("/a", 1): SEEN})
    assert base.load("boot 11")
    assert base.load("boot 4")
    assert not base.load("boot 3")
    base.save(BOOT, {(f"/{'x' * 200}{i}", i): Baseline(1, float(i)) for i in range(5000)})
    known = base.load(BOOT)
    assert len(known) == 2000
    assert max(seen.looked_at for seen in known.values()) == 4999
    assert at(place, "baselines.json").stat().st_size < store.MOST_BYTES
    assert base.load("boot 11")


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"\xff\x00", b"[]", b'{"schema": "memtui.baselines/1"}', b"[" * 100_000, b" ",
        b'{"schema": "memtui.baselines/1", "boots": [{"boot": "b", "groups": [["/a", 1, -1, 2]]}]}',
        b'{"schema": "memtui.baselines/1", "boots": [{"boot": "b", "groups": [["/a", 1, 2]]}]}',
        b"1" * 10_000,
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_set_aside_and_said_once(
    place: StateDir, data: bytes
) -> None:
    at(place, "").mkdir(parents=True)
    at(place, "baselines.json").write_bytes(data)
    assert Baselines(place).load(BOOT) == {}
    assert "baselines.json makes no sense; it is baselines.json.bad now" in place.problem
    assert at(place, "baselines.json.bad").read_bytes() == data
    again = StateDir(place.path)
    assert Baselines(again).load(BOOT) == {}
    assert again.problem == ""
    assert Baselines(again).save(BOOT, {("/a", 1): SEEN})
    assert Baselines(again).load(BOOT) == {("/a", 1): SEEN}


# -- kills


def test_a_post_mortem_of_an_earlier_run(place: StateDir) -> None:
    made = by("kernel-log", record="Killed process 4821")
    assert KillLog(place).append(made)
    (back,) = KillLog(place).read()
    assert as_text(back) == as_text(made)
    assert back.id < 0, "never the id of an event of this run"


def test_newest_first_and_no_more_than_asked_for(place: StateDir) -> None:
    log = KillLog(place)
    for i, when in enumerate((5.0, 9.0, 7.0)):
        log.append(event(id=i, time=when, scene=None))
    assert [e.time for e in log.read()] == [9.0, 7.0, 5.0]
    assert [e.time for e in log.read(2)] == [9.0, 7.0]
    assert len({e.id for e in log.read()}) == 3


def test_what_is_known_better_later_replaces_what_was_written(place: StateDir) -> None:
    log, other = KillLog(place), KillLog(place)
    log.append(event(victims=(), others=(), evidence="none"))
    other.append(event(time=AT + 1))
    log.append(by("kernel-log"))
    assert [e.evidence for e in log.read()] == ["vanished", "kernel-log"]


def test_each_line_is_one_document(place: StateDir) -> None:
    worst = victim(name="a\nb", command="\u2028\x1b[2J\udcff")
    KillLog(place).append(event(victims=(worst,), cgroup="/a\nb"))
    KillLog(place).append(event())
    lines = at(place, "kills.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["schema"] for line in lines] == ["memtui.kill/1"] * 2


@pytest.mark.parametrize("torn", [b'{"schema": "memtui.k', b"\xff\xfe", b"null", b"[" * 99_999])
def test_a_torn_line_is_skipped_and_never_glued_to_the_next(place: StateDir, torn: bytes) -> None:
    log = KillLog(place)
    log.append(event(time=1.0))
    with at(place, "kills.jsonl").open("ab") as file:
        file.write(torn)
    assert [e.time for e in KillLog(place).read()] == [1.0]
    KillLog(place).append(event(time=2.0))
    reader = KillLog(place)
    assert [e.time for e in reader.read()] == [2.0, 1.0]
    assert reader.skipped == 1


def test_full_files_are_turned_over_and_the_oldest_go(
    place: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 50_000)
    log = KillLog(place)
    for i in range(60):
        assert log.append(event(id=i, time=float(i)))
    sizes = {p.name: p.stat().st_size for p in at(place, "").iterdir() if p.name != "lock"}
    assert set(sizes) == {"kills.jsonl", "kills.jsonl.1"}
    assert all(size <= 50_000 for size in sizes.values())
    times = [e.time for e in log.read()]
    assert times == sorted(times, reverse=True)
    assert times[0] == 59.0
    assert 5 < len(times) < 60
    assert log.skipped == 0


def test_an_enormous_event_is_kept_without_its_scene(place: StateDir) -> None:
    wide = victim(command="\U0001f600" * 512, parent="\U0001f600" * 256)
    made = event(victims=(wide,) * 64, others=(wide,) * 64, count=64, record="\U0001f600" * 32_000)
    assert KillLog(place).append(made)
    (back,) = KillLog(place).read()
    assert (back.count, len(back.victims), back.scene, back.record) == (64, 8, None, "")


# -- others, crashes, full and forbidden places


def test_a_writer_killed_in_the_middle_leaves_whole_files(place: StateDir) -> None:
    for i in range(12):
        process = writer(place, str(i), 100_000)
        time.sleep(random.Random(i).uniform(0.0, 0.05))  # in the middle of something
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        data = (
            at(place, "baselines.json").read_bytes()
            if at(place, "baselines.json").exists()
            else b""
        )
        assert not data or json.loads(data)["schema"] == "memtui.baselines/1"
    assert Baselines(place).save(BOOT, {("/a", 1): SEEN})
    assert KillLog(place).append(event(time=5e9))
    fresh = StateDir(place.path)
    assert Baselines(fresh).load(BOOT) == {("/a", 1): SEEN}
    log = KillLog(fresh)
    assert log.read(1)[0].time == 5e9
    assert log.skipped <= 12
    assert fresh.problem == ""


def test_several_writers_at_once_lose_nothing(place: StateDir) -> None:
    writers = [writer(place, who, 50) for who in "abc"]
    for process in writers:
        out, _ = process.communicate(timeout=120)
        assert out == "\n", "a problem was met"
    known = Baselines(place).load("boot")
    assert {path.split("/")[1] for path, _ in known} == set("abc")
    assert len(known) == 150
    log = KillLog(place)
    events = log.read()
    assert len(events) == 150
    assert log.skipped == 0


def test_a_lock_that_is_never_given_back_stops_nobody(place: StateDir) -> None:
    with place.locked():
        other = StateDir(place.path)
        assert not Baselines(other).save(BOOT, {("/a", 1): SEEN})
        assert "another memtui holds the lock" in other.problem
    assert Baselines(other).save(BOOT, {("/a", 1): SEEN})


def in_mount(options: str, code: str, tmp_path: Path) -> str:
    """Run code with a tmpfs of its own in the folder "m" of its working directory."""
    (tmp_path / "m").mkdir()
    script = f'mount -t tmpfs -o {options} tmpfs m 2>/dev/null || exit 77; exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("needs root, to mount a tmpfs")
    assert done.returncode == 0, done.stderr
    return done.stdout


FULL = """
from pathlib import Path
from memtui.services.store import *
from tests.support.kills import event
place = StateDir(str(Path("m/memtui").resolve()))
base, log = Baselines(place), KillLog(place)
base.save("boot", {("/a", 1): Baseline(1, 1.0)})
n = 0
while log.append(event(id=n)):
    n += 1
    assert n < 1000
print(n, len(log.read()), log.skipped, place.problem)
Path("m/fill").write_bytes(b"")
try:
    with open("m/fill", "ab", 0) as f:
        while f.write(b"x" * 512): pass
except OSError:
    pass
many = {(f"/{i}", i + 1): Baseline(1, 2.0) for i in range(1500)}
names = sorted(p.name for p in Path("m/memtui").iterdir())
print(base.save("boot", many), base.load("boot"), names)
"""


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    first, second = in_mount("size=128k", FULL, tmp_path).splitlines()
    written, read, skipped, problem = first.split(" ", 3)
    assert int(written) > 3
    assert (read, skipped) == (written, "0")
    assert "No space left on device" in problem
    assert "kills are not kept in" in problem
    assert second == (
        "False {('/a', 1): Baseline(kills=1, looked_at=1.0)} ['baselines.json', 'kills.jsonl',"
        " 'lock']"
    )


READ_ONLY = """
from pathlib import Path
from memtui.services.store import *
from tests.support.kills import event
place = StateDir(str(Path("m/memtui").resolve()))
print(Baselines(place).load("boot"), KillLog(place).read(), place.problem == "")
print(Baselines(place).save("boot", {("/a", 1): Baseline(1, 1.0)}), place.problem)
print(KillLog(place).append(event()), place.problem)
"""


def test_a_read_only_home_is_said_and_harms_nothing(tmp_path: Path) -> None:
    lines = in_mount("ro", READ_ONLY, tmp_path).splitlines()
    assert lines[0] == "{} [] True"
    assert lines[1].startswith("False OOM counters are not kept in ")
    assert lines[2].startswith("False kills are not kept in ")
    assert all(line.endswith("Read-only file system") for line in lines[1:])


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    place = StateDir()
    assert Baselines(place).load(BOOT) == {}
    assert KillLog(place).read() == []
    assert not Baselines(place).save(BOOT, {("/a", 1): SEEN})
    assert "neither HOME nor XDG_STATE_HOME" in place.problem


@pytest.mark.parametrize(("below", "why"), [("/memtui", "Not a dir"), ("", "it is no dir")])
def test_a_file_in_the_way_is_said_and_left_alone(tmp_path: Path, below: str, why: str) -> None:
    file = tmp_path / "state"
    file.write_text("a file")
    file.chmod(0o644)
    place = StateDir(f"{file}{below}")
    assert not KillLog(place).append(event())
    assert why in place.problem
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("a file", 0o644)


@pytest.mark.parametrize("name", ["kills.jsonl", "lock"])
def test_a_link_is_not_followed(place: StateDir, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    at(place, "").mkdir(parents=True)
    at(place, name).symlink_to(precious)
    assert not KillLog(place).append(event())
    assert place.problem
    assert precious.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_root_leaves_the_home_of_somebody_else_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 1234)
    place = StateDir(str(home / ".local/state/memtui"))
    assert not KillLog(place).append(event())
    assert "belongs to another user" in place.problem
    assert list(home.iterdir()) == []
    (home / "memtui").mkdir()
    os.chown(home / "memtui", 1234, 1234)
    there = StateDir(str(home / "memtui"))
    with contextlib.suppress(OSError):
        assert not KillLog(there).append(event())
    assert "belongs to another user" in there.problem
