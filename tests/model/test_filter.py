"""The filter language: what it lets through, and where it says that a text is wrong."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.fields import FIELDS
from memtui.model.filter import FilterError, fields_help, parse_filter, quoted
from memtui.model.known import COMPILER, KERNEL, Known
from memtui.model.snapshot import ROLLUP, Proc
from tests.support.made import MIB, proc

BOOT = 1_700_000_000
NOW = BOOT + 7200


class Around(NamedTuple):
    limit: int | None = 1000 * MIB
    level: str | None = None
    host: int | None = 4000 * MIB
    total: int | None = 1000 * MIB
    boot: int | None = BOOT
    now: int | None = NOW


def kept(text: str, *procs: Proc, around: Around = Around()) -> list[int]:  # noqa: B008
    chosen = parse_filter(text)
    return [p.pid for p in procs if chosen.matches(p, around)]


ANN = proc(
    1, 600, user="ann", uid=1000, command="/usr/bin/jupyter lab --port=1", name="jupyter-lab",
    cgroup="/user.slice/ann", state="S", pss=100 * MIB, growth=20.0 * MIB, cpu_pct=12.0,
    adj=300, badness=250 * MIB, start=(7200 - 600) * 100, cpu_time=65.0,
)  # fmt: skip
BOB = proc(
    2, 40, user="bob", uid=1001, command="python train.py 'a b'", name="python",
    cgroup="/user.slice/bob/docker", state="Z", growth=-1.0 * MIB, cpu_pct=0.0, adj=0, start=0,
    cpu_time=7200.0,
)  # fmt: skip
TWO = (ANN, BOB)


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("", [1, 2]),
        ("   ", [1, 2]),
        ("|", [1, 2]),
        ("JUPYTER", [1]),
        ("jupyter-lab", [1]),
        ("jupyter|train", [1, 2]),
        ("jupyter|", [1]),
        ("nothing", []),
        ("mem>500m jupyter|train", [1]),
        ("mem>500m | jupyter|train", [1, 2]),
        ("jupyter| train", [1, 2]),
        ("user=ann|bob", [1, 2]),
        ("user=ann|carl", [1]),
        ("user!=ann|carl", [2]),
        ("!user=ann|bob", []),
        ("!jupyter|train", []),
        ("jupyter|!train", [1]),
        ("state=D|Z", [2]),
        ("cmd~jupyter|mem<50m", [1, 2]),
        ("pid=1|2 mem<50m", [2]),
        ("!jupyter", [2]),
        ("!!jupyter", [1]),
        ("python train", [2]),
        ("train python", [2]),
        ("jupyter train", []),
        ('"python train"', [2]),
        ('"train python"', []),
        ("mem>500m", [1]),
        ("res<=40m", [2]),
        ("RES>=600M", [1]),
        ("rss=40MiB", [2]),
        ("%quota>5", [1]),
        ("quota>5%", [1]),
        ("host<2", [2]),
        ("user=ann", [1]),
        ("USER=ANN", [1]),
        ("user=1001", [2]),
        ("uid=1001", [2]),
        ("user!=ann", [2]),
        ("user~n", [1]),
        ("user!~n", [2]),
        ("state=Z", [2]),
        ("s=z", [2]),
        ("cgroup~/docker", [2]),
        ("in=/user.slice", [1, 2]),
        ("in=user.slice/bob/", [2]),
        ("in=/user", []),
        ("in!=/user.slice/ann", [2]),
        ("cmd~jupyter", [1]),
        ("cmd~\"'a b'\"", [2]),
        ('cmd~"train.py"', [2]),
        ("name=python", [2]),
        ("growth>10m/min", [1]),
        ("growth>10m", [1]),
        ("growth>1g/h", [1]),
        ("growth<0", [2]),
        ("growth<-500k/min", [2]),
        ("pid=2", [2]),
        ("pid>1 pid!=2", []),
        ("cpu>=12", [1]),
        ("cpu<1%", [2]),
        ("time>1m", [1, 2]),
        ("time+>=2h", [2]),
        ("age<2h", [1]),
        ("age>=10m age<11m", [1]),
        ("adj>0", [1]),
        ("oom>=250", [1]),
        ("pss>50m", [1]),
        ("!pss>50m", [2]),
        ("pss>50m | user=bob", [1, 2]),
        ("--port=1", [1]),
        ("/usr/bin", [1]),
    ],
)
def test_lets_through(text: str, pids: list[int]) -> None:
    assert kept(text, *TWO) == pids


@pytest.mark.parametrize("sign", ["=", "!=", ">", ">=", "<", "<="])
@pytest.mark.parametrize("field", ["pss", "swap", "growth", "adj", "oom", "limit", "tree", "peak"])
def test_what_is_unknown_matches_no_comparison(field: str, sign: str) -> None:
    assert kept(f"{field}{sign}1", proc(1)) == []


@pytest.mark.parametrize("text", ["%quota>=0", "%host>=0", "oom>=0", "age>=0", "start<23:59"])
def test_without_what_is_around_it_shares_and_ages_are_unknown(text: str) -> None:
    assert kept(text, ANN, around=Around(None, None, None, None, None)) == []


def test_a_cgroup_that_was_not_read_is_unknown() -> None:
    for text in ("cgroup=/a", "cgroup!=/a", "cgroup~a", "in=/", "in!=/a"):
        assert kept(text, proc(1, cgroup=None)) == []


def test_start_compares_to_the_minute_in_local_time() -> None:
    began = time.localtime(BOOT + 6600)
    clock = time.strftime("%H:%M", began)
    assert kept(f"start={clock}", *TWO) == [1]
    day = time.strftime("%Y-%m-%d", began)
    assert kept(f"start>={day}", ANN) == [1]


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("mem>", 4, "nothing after mem>"),
        ("pid=1|x", 6, "not a whole number"),
        ("user=ann|mme=3", 9, "no field 'mme'"),
        ("mem> 500m", 4, "nothing after mem>"),
        ("user=ann mem>5x", 13, "'5x' is not a size"),
        ("mme>5", 0, "no field 'mme'"),
        ("a b=c", 2, "no field 'b'"),
        ("pid~3", 3, "pid is a number"),
        ("user>ann", 4, "user is text"),
        ("in~a", 2, "in is text: use = !="),
        ("!", 0, "nothing after !"),
        ("a !| b", 2, "nothing after !"),
        ('cmd~"a b', 4, "not closed"),
        ("'", 0, "not closed"),
        ("age<soon", 4, "not a span of time"),
        ("cpu>much", 4, "not a percentage"),
        ("growth>1m/fortnight", 7, "not a rate"),
        ("pid=1.5", 4, "not a whole number"),
        ("pid=１", 4, "not a whole number"),
        ("start>noon", 6, "is no time"),
        ("mem>" + "9" * 400 + ".5", 4, "too long"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_wrong(text: str, position: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert caught.value.position == position
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("key", [f.key for f in FIELDS])
def test_every_column_is_a_field_by_key_and_by_title(key: str) -> None:
    field = next(f for f in FIELDS if f.key == key)
    value = {"start": "14:30"}.get(key, "1")
    for name in (field.key, field.title, field.title.lower(), field.title.strip("%+")):
        parse_filter(f"{name}={value}").matches(ANN, Around())


def test_it_says_what_has_to_be_read() -> None:
    assert parse_filter("pss>1m mem>1m").needs == ROLLUP
    assert parse_filter("mem>1m cmd~x name=y in=/").needs == 0
    assert parse_filter("jupyter").needs == 0


def test_the_examples_of_the_help_are_understood() -> None:
    for example, _ in fields_help():
        assert parse_filter(example).alternatives


pieces = st.sampled_from(
    [*"|!=<>~\"'% /", "mem", "user", "cmd", ">=", "!~", "500m", "10m/min", "2h", "start", "\0", "ß"]
)
noise = st.lists(pieces | st.text(max_size=3), max_size=25).map("".join)


def position_of(text: str) -> int | None:
    """Where the text is wrong, or None where it is a filter."""
    try:
        chosen = parse_filter(text)
    except FilterError as e:
        return e.position if e.message else -1
    assert all(chosen.matches(one, Around()) in (True, False) for one in TWO)
    return None


@given(text=noise)
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    where = position_of(text)
    assert where is None or 0 <= where <= len(text)


@given(value=st.text(max_size=12))
def test_a_quoted_value_means_itself(value: str) -> None:
    same = proc(1, name=value, command="x")
    assert kept(f"name={quoted(value)}", same, proc(2, name=value + "!")) == [1]


def test_a_long_text_takes_time_in_proportion() -> None:
    """What grew with the square would not end here."""
    for text in ("a|" * 100_000, "!" * 200_000 + "a", '"' * 200_000, "mem>1m " * 30_000):
        parse_filter(text)
    with pytest.raises(FilterError):
        parse_filter("!" * 200_000)


def test_a_notebook_s_filter_takes_its_kernel_and_all_below_it() -> None:
    kernel = Known(KERNEL, "a b.ipynb", "x", root=(5, 50), notebook="/home/u/sub/a b.ipynb")
    child = kernel._replace(kind=COMPILER, label="C++ compiler")
    procs = (
        proc(5, who=kernel), proc(6, who=child), proc(7), proc(8, who=Known(COMPILER, "x", "x")),
    )  # fmt: skip
    assert kept("notebook~sub/a", *procs) == [5, 6]
    assert kept("notebook='a b.ipynb'", *procs) == [5, 6]
    assert kept("'a b.ipynb'", *procs) == [5, 6]
    assert kept("!notebook~ipynb", *procs) == [7, 8]
    assert kept("class=compiler", *procs) == [6, 8]
    assert kept("class~kernel", *procs) == [5]


def test_a_class_that_there_is_not_is_no_filter() -> None:
    with pytest.raises(FilterError, match="no class 'kernel': use class~kernel, or one of"):
        parse_filter("class=kernel")
    assert kept("class~kernel class!=compiler", ANN) == []
