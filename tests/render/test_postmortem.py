"""What a post-mortem says, and never says, for each way in which somebody can die."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.model.victims import OomEvent
from memtui.render.eventlist import list_header, list_row
from memtui.render.events import event_at, event_line, events_panel
from memtui.render.palette import DARK, looks
from memtui.render.postmortem import as_text, postmortem, wrap
from memtui.render.spans import Line, plain, width_of
from memtui.text import cells
from tests.support.kills import AT, FILE, GROUP, by, event, quota, scene, victim
from tests.support.made import MIB, proc

ELSEWHERE = event(scope="elsewhere")
EARLIER = event(before_start=True, count=2, victims=(), others=(), cause="", scene=None)
UNNAMED = event(victims=(), others=(), evidence="none", count=2)
PERSON = by("exit-status", kind="sigkill", cause="", limit_cgroup=None, limit_bytes=None)
EARLYOOM = by("kernel-log", kind="sigkill", killer="earlyoom", cause="", limit_cgroup=None)
KINDS = {
    "probably": event(),
    "log": by("kernel-log", record="Memory cgroup out of memory: Killed process 4821 (python3)"),
    "status": by("exit-status"),
    "unnamed": UNNAMED,
    "person": PERSON,
    "earlyoom": EARLYOOM,
    "host": by("exit-status", cause="host", limit_cgroup=None, limit_bytes=None),
    "above": by("exit-status", cause="above", limit_cgroup=None, limit_bytes=None),
    "unknown": by("exit-status", cause="", limit_cgroup=None, limit_bytes=None),
    "bare": event(scene=None),
    "gone": event(cgroup=None, scope="gone", cause=""),
    "earlier": EARLIER,
    "elsewhere": ELSEWHERE,
    "many": event(count=40, victims=tuple(victim(pid=n, start=n) for n in range(40))),
}


def said(made: OomEvent, width: int = 100) -> str:
    """The page as one paragraph: a sentence may be wrapped anywhere."""
    return " ".join(as_text(made, width).split())


def red(lines: list[Line]) -> str:
    return "".join(text for line in lines for text, role in line if role == "crit")


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_wider_than_asked_for_and_every_role_is_known(kind: str) -> None:
    known = looks(DARK)
    for width in range(20, 220):
        for line in postmortem(KINDS[kind], width):
            assert width_of(line) <= width, (width, plain(line))
            assert {role for _, role in line} <= set(known)


texts = st.text(st.characters() | st.sampled_from("\x1b[]/中\u202e\n\t\x9b"), max_size=60)


@given(texts, texts, st.integers(20, 200))
def test_hostile_text_stays_inside(name: str, group: str, width: int) -> None:
    hostile = victim(name=name, command=name, user=name, parent=name, cgroup=group)
    made = event(
        victims=(hostile,), others=(hostile,), cgroup=group, limit_cgroup=group, killer=name,
        record=name, scene=scene(),
    )  # fmt: skip
    for shape in (made, made._replace(kind="sigkill"), made._replace(before_start=True)):
        for line in postmortem(shape, width):
            assert width_of(line) <= width
            assert plain(line).isprintable()
        assert plain(event_line(shape, width)).isprintable()


@given(texts, st.integers(1, 60))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    rows = wrap(text, width)
    assert all(cells(row) <= max(2, width) for row in rows)
    assert "".join(rows).replace(" ", "") == wrap(text, 1 << 20)[0].replace(" ", "")


def test_the_answer_comes_first() -> None:
    head = " ".join(plain(line) for line in postmortem(event(), 80)[:3])
    for fact in ("OOM kill", "Probably python3 4821", "alice", "58.0 MiB", GROUP, "64.0 MiB"):
        assert fact in head


def test_what_is_inferred_says_so_everywhere() -> None:
    text = said(event())
    assert "Probably python3 4821" in text
    assert f"probably: it vanished from {GROUP} in that window, the biggest of 2" in text
    assert "■ killed, probably" in text
    assert "certain:" not in text
    assert "The kernel log would say for certain" in text


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ("kernel-log", "certain: the kernel log says so"),
        ("exit-status", "all but certain: its exit status was signal 9 while the OOM counter"),
    ],
)
def test_what_is_sure_says_on_what_evidence(evidence: str, words: str) -> None:
    text = said(by(evidence))
    assert words in text
    assert "robably" not in text


def test_a_pid_of_the_log_alone_is_called_the_host_s() -> None:
    alone = victim(evidence="kernel-log", start=None, last_seen=None, user="", swap=None)
    text = said(event(victims=(alone,), evidence="kernel-log"))
    assert "the PID there is the host's" in text
    assert "never seen alive here" in text
    assert "swap ?" in text


def test_a_count_without_names_names_nobody() -> None:
    text = said(UNNAMED)
    assert "2 processes were killed by the OOM killer" in text
    assert "not known: only the count is known" in text
    assert "--delay" in text
    assert red(postmortem(UNNAMED, 100)).count("4821") == 0


def test_fewer_names_than_kills_says_how_many_are_missing() -> None:
    text = said(event(count=3))
    assert "3 processes (probably python3 4821 and 2 more)" in text
    assert "who else: 2 more were counted" in text


@pytest.mark.parametrize(
    ("made", "who"), [(PERSON, "a person or a program"), (EARLYOOM, "earlyoom")]
)
def test_a_kill_that_the_kernel_did_not_choose_is_told_apart(made: OomEvent, who: str) -> None:
    lines = postmortem(made, 100)
    text = said(made)
    assert "not an OOM kill" in plain(lines[0])
    assert who in text
    assert "Raise the limit" not in text
    assert "not an OOM kill" not in red(lines)


@pytest.mark.parametrize(
    ("cause", "why", "what"),
    [
        ("limit", f"because the limit of {GROUP} was hit: 64.0 MiB", f"Raise the limit of {GROUP}"),
        ("above", "at the limit of a cgroup that is not visible", "only whoever set it can raise"),
        ("host", "because the machine ran out of memory", "would not help"),
        ("", "which limit was hit is not known", "`memtui quota` lists every limit"),
    ],
)
def test_the_cause_and_what_to_do_about_it(cause: str, why: str, what: str) -> None:
    text = said(event(cause=cause))
    assert why in text
    assert what in text


def test_the_limit_is_named_with_its_file_and_its_exact_bytes() -> None:
    text = said(event())
    assert "64.0 MiB (67108864 bytes)" in text
    assert FILE in text
    assert "60.0 MiB when last sampled" in text


def test_a_limit_of_a_group_that_was_not_sampled_has_no_file() -> None:
    assert "file ?" in said(event(limit_cgroup="/elsewhere"))


def test_a_restarted_kernel_is_told() -> None:
    text = said(event(victims=(victim(restarted=5000),)))
    assert "the Jupyter kernel 5000 took its place" in text


def test_a_group_kill_is_explained() -> None:
    assert "memory.oom.group is set" in said(event(group_kill=True))
    assert "memory.oom.group" not in said(event())


def test_a_victim_that_was_not_the_biggest_is_explained_by_its_weight() -> None:
    rival = proc(5, 61, GROUP, name="serve.py")
    there = scene()
    there.procs = (rival, *there.procs)
    text = said(event(victims=(victim(adj=500),), scene=there))
    assert "It was not the biggest: serve.py 5 held 61.0 MiB" in text
    assert "oom_score_adj of 500 weighed like 500/1000" in text
    assert "not the biggest" not in said(event(victims=(victim(adj=500),)))
    assert "not the biggest" not in said(event(victims=(victim(adj=None),), scene=there))


def test_the_kill_is_marked_at_the_right_edge_of_the_graph() -> None:
    lines = [plain(line) for line in postmortem(event(), 80)]
    top = next(i for i, line in enumerate(lines) if "limit 64.0M ┄" in line)
    drawn = lines[top + 1 : top + 7]
    assert all(line.endswith("│") for line in drawn)
    assert all("\u2800" < line[-2] < "\u2900" for line in drawn[2:])
    assert "killed" in lines[top + 7]
    assert "2 min" in lines[top + 7]


def test_without_samples_there_is_no_graph() -> None:
    there = scene()
    there.points = ((AT - 1, None),)
    assert "two minutes" not in said(event(scene=there))


def test_the_table_marks_the_victim_and_who_was_not_in_question() -> None:
    rows = [plain(line) for line in postmortem(event(), 100)]
    assert any(row.startswith("■") and "4821" in row and "59.0M" in row for row in rows)
    assert any(row.startswith("·") and "nginx" in row and "?" in row for row in rows)
    assert any("the 3 biggest of 120" in row for row in rows)


def test_a_reused_pid_is_not_marked() -> None:
    made = event(victims=(victim(start=1),))
    assert "train.py" not in red(postmortem(made, 100))
    assert "■ killed" not in said(made), "no row has that mark"


def test_the_log_is_there_in_full() -> None:
    record = "\n".join(f"[ 1{n:03}] " + "x" * 130 for n in range(80))
    text = as_text(event(record=record), 80)
    assert text.replace("\n  ", "").count("x" * 130) == 80


def test_kills_since_the_last_look_say_since_when() -> None:
    made = EARLIER._replace(last_looked=AT - 13 * 3600 - 60)
    assert "2 kills since you last looked, 13 h ago" in plain(event_line(made, 80))
    assert f"2 processes were killed by the OOM killer in {GROUP} since you last" in said(made)
    assert "before memtui started" in said(EARLIER)


@pytest.mark.parametrize(
    ("made", "words", "danger"),
    [
        (event(), "1 killed: probably", True),
        (by("kernel-log"), "1 killed: python3", True),
        (by("exit-status"), "1 killed: python3", True),
        (UNNAMED, "2 killed, names not known", True),
        (PERSON, "killed by SIGKILL, not by the OOM killer", False),
        (EARLYOOM, "killed by earlyoom, not by the OOM killer", False),
        (ELSEWHERE, "1 killed elsewhere: probably", False),
    ],
)
def test_one_line_says_on_what_evidence(made: OomEvent, words: str, danger: bool) -> None:
    line = event_line(made, 120)
    assert words in plain(line)
    assert bool(red([line])) is danger


@pytest.mark.parametrize("events", [[], [PERSON], [EARLIER], [ELSEWHERE], [event(id=5), PERSON]])
def test_a_line_of_the_panel_is_the_event_it_shows(events: list[OomEvent]) -> None:
    lines = events_panel(events, quota(), 0, 100, 7)
    for y, line in enumerate(lines):
        found = event_at(events, quota(), y)
        assert (found is not None) == (found in events and line == event_line(found, 100))
    assert event_at(events, quota(), 40) is None


def test_a_kill_of_an_earlier_run_has_its_day_and_is_no_news() -> None:
    old = by("kernel-log", id=-1)
    line = event_line(old, 100)
    day = time.strftime("%b %d %H:%M", time.localtime(AT))
    assert f"{day} 1 killed: python3" in plain(line)
    assert red([line]) == ""
    panel = "\n".join(plain(line) for line in events_panel([old], quota(), 0, 100, 7))
    assert "No OOM kill since memtui started." in panel
    for width, form in ((160, "%Y-%m-%d %H:%M:%S"), (80, "%b %d")):
        row = plain(list_row(old, width))
        assert time.strftime(form, time.localtime(AT)) in row


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_the_list_is_exactly_as_wide(kind: str) -> None:
    for width in range(20, 220):
        assert width_of(list_row(KINDS[kind], width)) == width
        assert width_of(list_header(width)) == width


def test_a_sigkill_alone_is_no_oom_kill() -> None:
    text = "\n".join(plain(line) for line in events_panel([PERSON], quota(), 0, 100, 7))
    assert "No OOM kill since memtui started" in text
    assert str(58 * MIB) not in text


def test_kills_elsewhere_are_shown_and_told_from_ours() -> None:
    text = "\n".join(plain(line) for line in events_panel([ELSEWHERE], quota(), 0, 100, 7))
    assert "No OOM kill since memtui started that concerns us." in text
    assert "1 killed elsewhere" in text
