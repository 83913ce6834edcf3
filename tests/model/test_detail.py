"""What a snapshot tells of one process: its rank, its family, its memory of before."""

from __future__ import annotations

from memtui.kernel.levels import Hierarchy, Level
from memtui.kernel.procmore import OpenFile, Rlimit
from memtui.model import detail
from memtui.model.badness import Doomed, Weight
from memtui.model.detail import Memory, Tracks, memory_of, near, outline, parents, rank
from memtui.model.quota import resolve_quota
from memtui.model.series import Series
from memtui.model.snapshot import Host, Identity, Proc, Snapshot
from tests.support.made import MIB, proc


def snapshot(
    procs: list[Proc],
    at: float = 1.0,
    doomed: Doomed | None = None,
    weights: dict[Identity, Weight] | None = None,
) -> Snapshot:
    level = Level("/a", "/sys/fs/cgroup/a", limit=1000 * MIB, usage=100 * MIB)
    quota = resolve_quota(Hierarchy(2, False, "/a", (level,)), Host())
    return Snapshot(at, at, procs, len(procs), quota, 0.0, 1.0, doomed, weights, boot=1000)


def weighed(procs: list[Proc], adjs: dict[int, int]) -> Snapshot:
    """A snapshot of processes that were weighed; the first of them dies next."""
    weights = {p.identity: Weight(adjs.get(p.pid, 0), 0, 0) for p in procs}
    doomed = Doomed(procs[0].identity, total=1000 * MIB)
    return snapshot(procs, doomed=doomed, weights=weights)


def test_the_rank_counts_who_would_be_taken_before() -> None:
    big, small, blamed = (
        proc(1, 50, "/a", virt=1),
        proc(2, 10, "/a", virt=1),
        proc(3, 5, "/a", virt=1),
    )
    made = weighed([big, small, blamed], {3: 20})
    places = {p.pid: rank(p, made).place for p in made.procs}
    assert places == {1: 1, 2: 3, 3: 2}
    assert rank(big, made).next
    assert not rank(blamed, made).next
    assert rank(small, made).badness == 10 * MIB
    assert rank(small, made).of == 3


def test_who_is_never_taken_has_no_rank_but_a_reason() -> None:
    spared = proc(2, 10, "/a", virt=1)
    told = rank(spared, weighed([proc(1, 1, "/a", virt=1), spared], {2: -1000}))
    assert told.place is None
    assert "never" in told.reason


def test_who_is_elsewhere_is_said_to_be() -> None:
    made = weighed([proc(1, 1, "/a", virt=1)], {})
    assert "not in the cgroup" in rank(proc(7, 1, "/other", virt=1), made).reason
    assert rank(proc(7, 0, "/a"), made).reason == "it has no memory to free"
    assert rank(proc(7), snapshot([])).reason == "not known yet"


def test_parents_end_where_nobody_is_seen_and_never_go_round() -> None:
    rows = [proc(5, ppid=4), proc(4, ppid=3), proc(3, ppid=99)]
    assert [p.pid for p in parents(rows[0], rows)] == [4, 3]
    circle = [proc(5, ppid=4), proc(4, ppid=5)]
    assert [p.pid for p in parents(circle[0], circle)] == [4, 5]


def test_the_outline_needs_nothing_but_the_snapshot() -> None:
    rows = [proc(5, 2, ppid=1), proc(6, 3, ppid=5), proc(7, 4, ppid=6)]
    told = outline(rows[0], snapshot(rows))
    assert (told.below, told.below_rss) == (2, 7 * MIB)
    assert told.memory is None, "not read yet is not 0"
    assert told.began == 1000 + rows[0].start / 100
    assert told.binding == "/a"


def test_limits_are_compared_with_what_they_limit() -> None:
    limits = {
        "Max address space": Rlimit(100 * MIB, None),
        "Max open files": Rlimit(10, 20),
        "Max data size": Rlimit(None, None),
    }
    told = {n.name: n for n in near(limits, Memory(virt=25 * MIB), None)}
    assert told["AS"].share == 25.0
    assert told["NOFILE"].used is None
    assert told["NOFILE"].share is None, "unknown is not 0 %"
    assert told["DATA"].share is None
    assert "STACK" not in told


def test_memory_is_unknown_where_a_file_does_not_say() -> None:
    told = memory_of({"RssAnon": 5, "VmPTE": 2, "VmPMD": 1}, None)
    assert (told.anon, told.page_tables, told.file, told.pss, told.uss) == (5, 3, None, None, None)
    told = memory_of({}, {"Pss": 9, "Private_Clean": 1, "Private_Dirty": 2, "Private_Hugetlb": 4})
    assert (told.pss, told.uss, told.pss_anon) == (9, 7, None)


def test_files_in_memory_and_deleted_ones_come_biggest_first() -> None:
    files = (
        OpenFile(1, b"/plain", 9, 9),
        OpenFile(2, b"/gone", 5, 5, deleted=True),
        OpenFile(3, b"/dev/shm/x", 8, 8, memory=True),
        OpenFile(4, b"pipe:[1]"),
        OpenFile(5, b"/far", deleted=True, why="not asked"),
    )
    told = outline(proc(1), snapshot([]))._replace(files=files)
    assert [f.fd for f in told.in_memory] == [3, 2, 5]


def test_a_track_begins_with_what_the_series_knows() -> None:
    series, tracks = Series(), Tracks()
    for at in range(1, 6):
        series.add(snapshot([proc(1, at)], float(at)))
    tracks.follow(proc(1).identity, series)
    tracks.add(snapshot([proc(1, 9), proc(2, 1)], 6.0))
    values = [v for v in tracks.grid(proc(1).identity, 300) if v is not None]
    assert values[0] == MIB
    assert values[-1] == 9 * MIB
    assert tracks.grid(proc(2).identity, 10) == [], "nobody looked at it"


def test_tracks_are_bounded_and_forget_who_was_looked_at_longest_ago() -> None:
    tracks, series = Tracks(), Series()
    for pid in range(1, 3 * detail._TRACKS):
        tracks.follow(proc(pid).identity, series)
        tracks.follow(proc(1).identity, series)
    rows = [proc(pid) for pid in range(1, 3 * detail._TRACKS)]
    tracks.add(snapshot(rows, 5.0))
    known = [p.pid for p in rows if tracks.grid(p.identity, 4)]
    assert len(known) == detail._TRACKS
    assert known[0] == 1
    assert 2 not in known


def test_a_reused_pid_is_another_process() -> None:
    tracks = Tracks()
    tracks.follow((1, 10), Series())
    tracks.add(snapshot([proc(1, 5, start=11)], 2.0))
    assert tracks.grid((1, 10), 4) == []
