"""An event survives being written down; a document of somebody else's does no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.record import from_record, to_record
from memtui.model.victims import OomEvent
from memtui.render.postmortem import as_text, postmortem
from memtui.render.spans import plain
from tests.support.kills import AT, GROUP, by, event, victim

KINDS = [
    event(),
    by("kernel-log", record="line 1\nline 2", group_kill=True),
    by("exit-status", kind="sigkill", killer="earlyoom", cause=""),
    event(victims=(), others=(), evidence="none", scene=None, cgroup=None, scope="gone"),
    event(before_start=True, last_looked=AT - 5, scene=None),
    event(victims=(victim(start=None, rss=None, last_seen=None, adj=-500, restarted=7),)),
    event(cgroup="/bytes\udcff", limit_cgroup="/bytes\udcff"),
]


def again(made: OomEvent) -> OomEvent:
    """The event after a day in a file."""
    return from_record(json.loads(json.dumps(to_record(made))))


@pytest.mark.parametrize("made", KINDS, ids=range(len(KINDS)))
def test_the_same_post_mortem_is_shown_after_a_day_in_a_file(made: OomEvent) -> None:
    back = again(made)
    assert as_text(back, 100) == as_text(made, 100)
    assert as_text(back, 160) == as_text(made, 160)
    assert back._replace(scene=None) == made._replace(scene=None)


def test_victims_have_the_keys_of_the_design_and_unknown_is_null() -> None:
    doc = to_record(event())["victims"][0]
    promised = [
        "time", "log_time", "pid", "comm", "uid", "scope", "constraint", "oom_memcg", "task_memcg",
        "invoked_by", "total_vm", "anon_rss", "file_rss", "shmem_rss", "pgtables", "oom_score_adj",
        "group_kill", "evidence",
    ]  # fmt: skip
    assert list(doc)[: len(promised)] == promised
    assert (doc["pid"], doc["comm"], doc["scope"], doc["oom_memcg"]) == (
        4821, "python3", "memcg", GROUP,
    )  # fmt: skip
    assert doc["anon_rss"] is None
    assert doc["evidence"] == "vanished"


def test_a_record_is_bounded_whatever_the_event_is() -> None:
    worst = victim(name="x" * 9999, command="\U0001f600" * 9999)
    made = event(victims=(worst,) * 500, others=(worst,) * 500, record="y" * 999_999)
    assert len(json.dumps(to_record(made))) < 2_000_000


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def places(doc: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    found = [path] if path else []
    inner = (
        doc.items() if isinstance(doc, dict) else enumerate(doc) if isinstance(doc, list) else ()
    )
    for key, value in inner:
        found += places(value, (*path, key))
    return found


PLACES = places(to_record(by("kernel-log")))


@given(st.sampled_from(PLACES), junk)
def test_any_value_changed_is_either_harmless_or_refused(path: tuple[Any, ...], value: Any) -> None:
    doc = to_record(by("kernel-log"))
    inside: Any = doc
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    try:
        made = from_record(doc)
    except ValueError:
        return
    for line in postmortem(made, 100):
        assert plain(line).isprintable()


@pytest.mark.parametrize("doc", [None, 5, [], {}, {"schema": "memtui.kill/2"}, "x"])
def test_what_is_no_record_is_refused(doc: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_record(doc)


@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), -1, True])
def test_numbers_out_of_any_range_are_refused(number: float) -> None:
    for key in ("time", "count"):
        with pytest.raises(ValueError, match=key):
            from_record({**to_record(event()), key: number})
