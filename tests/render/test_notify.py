"""Alarms to a terminal: whatever they say, one sequence is one sequence."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.model.alerts import Alert
from memtui.render.notify import field, osc9, osc777, through_tmux, title
from memtui.text import cells


def alert(text: str) -> Alert:
    return Alert("hard", "warn", text, {})


def test_sequences() -> None:
    assert title("97 % full") == "\x1b]2;97 % full\x1b\\"
    assert osc9(alert("97 % full")) == "\x1b]9;memtui: 97 % full\x1b\\"
    assert osc777(alert("97 % full")) == "\x1b]777;notify;memtui;97 % full\x1b\\"
    assert through_tmux(title("x")) == "\x1bPtmux;\x1b\x1b]2;x\x1b\x1b\\\x1b\\"


def test_no_number_comes_first_in_osc_9() -> None:
    assert osc9(alert("4;1;50")) == "\x1b]9;memtui: 4,1,50\x1b\\"


@settings(deadline=None)
@given(st.text(max_size=400))
def test_no_text_leaves_its_field(text: str) -> None:
    kept = field(text)
    assert kept.isprintable()
    assert ";" not in kept
    assert cells(kept) <= 160
    assert osc777(alert(text)).count(";") == 3
    for sequence in (title(text), osc9(alert(text)), osc777(alert(text))):
        assert sequence.count("\x1b") == 2
        assert "\a" not in sequence
