"""The table of columns."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtui.model.fields import BY_KEY, FIELDS, find
from memtui.model.filter import parse_filter
from memtui.model.snapshot import NO_LIMIT
from memtui.render.rows import View
from memtui.text import cells
from tests.support.made import MIB, proc


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: str(f.key))
def test_a_column_is_found_by_key_and_title(field: object) -> None:
    made = next(f for f in FIELDS if f is field)
    for name in (made.key, made.title, made.title.lower(), f" {made.key.upper()} "):
        assert find(name) is made
    assert made.help
    assert made.title


@pytest.mark.parametrize(
    ("name", "key"), [("mem", "rss"), ("M", "rss"), ("cpu%", "cpu"), ("TIME", "time")]
)
def test_people_say_it_in_other_words(name: str, key: str) -> None:
    assert find(name) is BY_KEY[key]


@pytest.mark.parametrize("name", ["", "nope", "%", "\x1b[31m"])
def test_no_such_column_is_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=r"^no column [^\n\x1b]+: choose from pid, ppid, [^\n]+$"):
        find(name)


def test_only_one_column_takes_what_is_left() -> None:
    assert [f.key for f in FIELDS if not f.width] == ["command"]
    assert len({f.keep for f in FIELDS}) == len(FIELDS)


UNREAD = [
    "anon", "shmem", "swap", "pss", "uss", "peak", "growth", "majflt", "cpu", "oom", "adj",
    "limit", "tree", "prio",
]  # fmt: skip
sizes = st.none() | st.integers(0, 2**62)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    amounts=st.lists(sizes, min_size=9, max_size=9),
    cpu=st.none() | st.floats(0, 1e6),
    rate=st.none() | st.floats(0, 1e12),
    growth=st.none() | st.floats(-1e18, 1e18),
    time=st.floats(0, 8.6e8),
    around=st.lists(st.none() | st.integers(0, 2**62), min_size=3, max_size=3),
    pid=st.integers(1, 4_194_304),
    small=st.integers(-1000, 1000),
    start=st.integers(0, 2**40),
    now=st.none() | st.integers(0, 2**33),
    whole=st.booleans(),
)
def test_numbers_fit_their_columns(
    amounts: list[int | None], cpu: float | None, rate: float | None, growth: float | None,
    time: float, around: list[int | None], pid: int, small: int, start: int, now: int | None,
    whole: bool,
) -> None:  # fmt: skip
    rss, anon, shmem, swap, pss, uss, peak, limit, tree = amounts
    made = proc(pid)._replace(
        rss=rss or 0, virt=rss or 0, shr=anon or 0, cpu_pct=cpu, cpu_time=time, anon=anon,
        shmem=shmem, swap=swap, pss=pss, uss=uss, peak=peak, limit=limit, tree=tree,
        tree_whole=whole, majflt_per_s=rate, growth=growth, adj=small, badness=rss, start=start,
        prio=small, nice=small // 50, threads=pid, uid=pid * 1000, ppid=pid,
    )  # fmt: skip
    view = View(around[0], host=around[1], total=around[2], boot=now, now=now)
    for field in FIELDS:
        if field.right:
            assert cells(field.text(made, view)) <= field.width, field.key


def test_unknown_is_a_question_mark_and_never_0() -> None:
    made = proc(1)
    for key in UNREAD:
        assert BY_KEY[key].text(made, View(total=100)) == "?", key
        assert BY_KEY[key].sort(made) is None, key
    for key in ("quota", "host", "start", "age"):
        assert BY_KEY[key].text(made, View()) == "?", key
    assert BY_KEY["quota"].text(made, View(0)) == "?", "a limit of 0 has no share"
    assert BY_KEY["quota"].text(proc(1, 10), View(40 * MIB)) == "25.0"
    assert BY_KEY["host"].text(proc(1, 10), View(None, host=40 * MIB)) == "25.0"


def test_kernel_threads_have_no_memory_to_speak_of() -> None:
    thread = proc(2, 0, kernel_thread=True)
    keys = ("rss", "virt", "shr", "quota", "priv", "pss", "uss", "swap", "peak", "tree", "growth")
    assert {BY_KEY[k].text(thread, View(100)) for k in keys} == {"·"}


def test_what_is_small_is_told_apart_from_what_is_not_there() -> None:
    made = proc(1, swap=0, growth=0.0, limit=NO_LIMIT, adj=-1000, badness=None, majflt_per_s=0.0)
    said = {k: BY_KEY[k].text(made, View(total=100)) for k in ("swap", "growth", "limit", "oom")}
    assert said == {"swap": "0", "growth": "·", "limit": "·", "oom": "·"}
    grown = proc(1, growth=-1.5 * MIB, limit=MIB, badness=500, tree=MIB, tree_whole=False)
    said = {k: BY_KEY[k].text(grown, View(total=1000)) for k in ("growth", "limit", "oom", "tree")}
    assert said == {"growth": "-1.50M", "limit": "1.00M", "oom": "500", "tree": "≤1.00M"}


def test_the_start_is_told_as_a_time_a_day_or_a_year() -> None:
    now = 1_700_000_000
    assert BY_KEY["age"].text(proc(1, start=0), View(boot=now - 65, now=now)) == "1m05s"
    assert BY_KEY["start"].text(proc(1, start=0), View(boot=86400 * 365)) == "1971"


def test_a_share_of_a_limit_is_only_theirs_who_are_under_it() -> None:
    field = next(f for f in FIELDS if f.key == "quota")
    group = View(100 * MIB, level="/a")
    for cgroup, text in (("/a", "50.0"), ("/a/b", "50.0"), (None, "50.0"), ("/ab", "·")):
        assert field.text(proc(1, 50, cgroup), group) == text
    assert field.text(proc(1, 50, "/ab"), View(100 * MIB)) == "50.0", "the machine's limit"


def test_a_filter_by_that_share_finds_nobody_else() -> None:
    chosen = parse_filter("quota>10")
    inside, outside = proc(1, 50, "/a"), proc(2, 50, "/ab")
    found = [p for p in (inside, outside) if chosen.matches(p, View(100 * MIB, level="/a"))]
    assert found == [inside]
