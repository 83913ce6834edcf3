"""The details of a process in lines: no wider than asked, nothing hostile, nothing made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.kernel.grouptree import GroupUse
from memtui.kernel.procmore import Mapping, OpenFile
from memtui.model.detail import Detail, Environment, Mappings, Memory, Near, Rank
from memtui.model.pools import KINDS
from memtui.render.detail import as_text, nobody, page, short
from memtui.render.detailviews import environment_page, files_page, mappings_page
from memtui.render.spans import Line, plain, width_of
from memtui.text import safe
from tests.support.made import MIB, proc

HOSTILE = "[/bold]\x1b[31m\u202e工作" + "x" * 300
WHO = (1, 10)


def flat(count: int) -> list[float | None]:
    return [float(MIB)] * count


def full(name: str = "python3", **more: object) -> Detail:
    """All that can be known of a process."""
    raw = name.encode("utf-8", "replace")
    made = Detail(
        proc(1, 312, name=safe(name), command=safe(f"{name} --all"), user=safe(name)[:20]),
        time=2000.0,
        began=1000.0,
        memory=Memory(200 * MIB, 100 * MIB, 12 * MIB, MIB, MIB, 400 * MIB, pss=300 * MIB, uss=MIB),
        groups=(GroupUse(f"/{name}", 300 * MIB, 310 * MIB, oom_kill=2), GroupUse("/", 900 * MIB)),
        binding=f"/{name}",
        limits=(Near("AS", 1000 * MIB, None, 950 * MIB, True), Near("NOFILE", 10, 20, None, False)),
        rank=Rank(500, 400 * MIB, 1000 * MIB, 2, 23),
        parents=(proc(2, name=safe(name)), proc(3, name="systemd")),
        below=3,
        below_rss=9 * MIB,
        exe=safe(f"/usr/bin/{name}"),
        cwd="/home",
        descriptors=7,
        files=(
            OpenFile(3, b"/dev/shm/" + raw, 5 * MIB, 5 * MIB, deleted=True, memory=True),
            OpenFile(4, b"/far/" + raw, why="on nfs4: not asked"),
            OpenFile(5, b"socket:[77]"),
        ),
    )
    return made._replace(**more)  # type: ignore[arg-type]


def text(lines: list[Line]) -> str:
    return as_text(lines)


@settings(max_examples=60, deadline=None)
@given(st.integers(30, 220), st.text(max_size=60), st.integers(10, 60))
def test_no_line_is_wider_than_asked_whatever_the_names(width: int, name: str, height: int) -> None:
    detail = full(name, why={"pss": safe(name), "exe": safe(name)}, ended="it has ended")
    maps = Mappings(WHO, (Mapping(name.encode("utf-8", "replace"), 1, 2, 3, 4, 5, 6),))
    environ = Environment(WHO, (safe(name) + "=" + safe(name), safe(name)))
    shown = [
        *page(detail, flat, width),
        *short(detail, flat, width, height),
        *files_page(detail, width),
        *mappings_page(maps, width),
        *environment_page(environ, width),
    ]
    assert max(map(width_of, shown)) <= width
    assert len(short(detail, flat, width, height)) <= height
    assert all(c.isprintable() for line in shown for c in plain(line))


def test_every_part_says_its_number() -> None:
    shown = text(page(full(), flat, 120))
    for words in (
        "RES  312M", "PSS  300M", "peak  400M", "anon          200M", "python3 --all",
        "300M of   310M   97%", "2 killed", "◂ binds", "950M of   1000M   95%",
        "2nd of 23 to die", "oom_score_adj 500", "started by python3 2 ‹ systemd 3",
        "3 below it, RES 9.00M", "deleted, memory", "/usr/bin/python3", "16m40s",
    ):  # fmt: skip
        assert " ".join(words.split()) in " ".join(shown.split()), words


@pytest.mark.parametrize("width", [60, 76, 116])
def test_what_is_not_known_is_a_question_mark_with_its_reason(width: int) -> None:
    reason = "denied: it is ann's: needs the same user, or CAP_SYS_PTRACE"
    why = dict.fromkeys(("pss", "fd", "exe", "cwd"), reason)
    told = full(memory=Memory(anon=5), exe=None, cwd=None, files=None, descriptors=None, why=why)
    shown = " ".join(text(page(told, flat, width)).split())
    for part in ("PSS, USS ?", "exe ?", "cwd ?", "open files ?"):
        assert part in shown
    assert "PSS ? " in shown
    assert "needs the same user, or CAP_SYS_PTRACE" in shown
    assert "no open file lies in memory" not in shown


def test_not_read_yet_is_neither_zero_nor_unknown() -> None:
    shown = text(page(full(memory=None, files=None), lambda _: [], 80))
    assert "reading…" in shown
    assert "PSS" not in shown
    assert "from now on" in shown


def test_a_limit_that_is_none_differs_from_one_that_is_not_told() -> None:
    groups = (GroupUse("/a", 5, None, True), GroupUse("/b", 5, None, False))
    shown = text(page(full(groups=groups), flat, 80)).splitlines()
    assert "none" in next(line for line in shown if line.endswith("/a"))
    assert "?" in next(line for line in shown if line.endswith("/b"))


def test_who_dies_next_is_said() -> None:
    shown = text(page(full(rank=Rank(0, 5, 10, 1, 3, next=True)), flat, 80))
    assert "† it dies next" in shown


def test_an_end_is_said_and_the_last_state_stays() -> None:
    shown = text(page(full(ended="it has ended"), flat, 80))
    assert "■ it has ended; what follows is its last state" in shown
    assert "RES 312M" in " ".join(shown.split())


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    shown = text(page(full(HOSTILE), flat, 120))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "␛[31m" in shown


def test_an_environment_shows_control_characters_as_pictures() -> None:
    told = Environment(WHO, ("A=1", safe("B=x\x1b]0;y\x07\nz"), "lonely"))
    shown = text(environment_page(told, 60))
    assert "B=x␛]0;y␇␊z" in shown
    assert "lonely" in shown
    assert "lonely=" not in shown


def test_a_long_variable_is_wrapped_not_cut() -> None:
    value = "0123456789" * 30
    shown = text(environment_page(Environment(WHO, (f"LONG={value}",)), 60))
    assert "".join(shown.partition("LONG=")[2].split()) == value


def test_mappings_end_with_their_sum_and_begin_with_their_cost() -> None:
    rows = (
        Mapping(b"[heap]", 1, 4096, 4096, 8192, 0, 8192),
        Mapping(b"/lib/x", 2, 512, 0, 1, 0, 1),
    )
    shown = text(mappings_page(Mappings(WHO, rows, took_s=0.023), 100)).splitlines()
    assert "23 ms" in shown[0]
    assert shown[3].split() == ["1", "4.00K", "4.00K", "8.00K", "0", "8.00K", "[heap]"]
    assert shown[-1].split()[:2] == ["3", "4.50K"]


@pytest.mark.parametrize("kind", KINDS)
def test_memory_of_no_process_says_what_it_is(kind: str) -> None:
    pool = proc(0, 64, pool=kind, command=f"[{kind}] what it is", argv=b"/dev/shm")
    shown = nobody(pool, 52)
    assert max(map(width_of, shown)) <= 52
    assert "64.0M" in text(shown)
    assert "no process owns this memory" in " ".join(text(shown).split())
