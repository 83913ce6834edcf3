"""The table of columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.fields import BY_KEY, FIELDS, find
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
    with pytest.raises(ValueError, match=r"^no column [^\n\x1b]+: choose from pid, user, [^\n]+$"):
        find(name)


def test_only_one_column_takes_what_is_left() -> None:
    assert [f.key for f in FIELDS if not f.width] == ["command"]
    assert len({f.keep for f in FIELDS}) == len(FIELDS)


@given(
    rss=st.integers(0, 2**62),
    cpu=st.none() | st.floats(0, 1e6),
    time=st.floats(0, 8.6e8),
    limit=st.none() | st.integers(0, 2**62),
    pid=st.integers(1, 4_194_304),
)
def test_numbers_fit_their_columns(
    rss: int, cpu: float | None, time: float, limit: int | None, pid: int
) -> None:
    made = proc(pid)._replace(rss=rss, virt=rss, shr=rss, cpu_pct=cpu, cpu_time=time)
    for field in FIELDS:
        if field.right:
            assert cells(field.text(made, limit)) <= field.width, field.key


def test_unknown_is_a_question_mark_and_never_0() -> None:
    made = proc(1)
    assert BY_KEY["cpu"].text(made, None) == "?"
    assert BY_KEY["quota"].text(made, None) == "?"
    assert BY_KEY["quota"].text(made, 0) == "?", "a limit of 0 has no share"
    assert BY_KEY["quota"].text(proc(1, 10), 40 * MIB) == "25.0"


def test_kernel_threads_have_no_memory_to_speak_of() -> None:
    thread = proc(2, 0, kernel_thread=True)
    assert {BY_KEY[k].text(thread, 100) for k in ("rss", "virt", "shr", "quota")} == {"·"}
