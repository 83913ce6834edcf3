"""What a command writes, as the lines that a terminal would have left, and nothing that acts."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.render.palette import DARK
from memtui.render.sgr import ink_of
from memtui.render.spans import plain, width_of
from memtui.render.transcript import KEPT, KEPT_LINES, Transcript
from memtui.text import cells
from memtui.tui.theme import Styles


def shown(*chunks: bytes) -> list[str]:
    transcript = Transcript()
    for chunk in chunks:
        transcript.feed(chunk)
    return [plain(line) for line in transcript.lines()]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (b"10%\r20%\r100%\r\ndone\n", ["100%", "done"]),
        (b"long line\rshort\n", ["shortline"]),
        (b"long line\r\x1b[Kshort\n", ["short"]),
        (b"one\ntwo\n\x1b[2A\x1b[2KONE\n\x1b[KTWO\n", ["ONE", "TWO"]),
        (b"a\tb\n", ["a       b"]),
        (b"abc\b\bX\n", ["aXc"]),
        (b"\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\x\x1b[6n\x1b[?1049hy\x1bcz\n", ["xyz"]),
        (b"bell\x07\xff\n", ["bell␇�"]),
        ("\u202egnp.exe\n".encode(), ["�gnp.exe"]),
        (b"first\x1b[2J\x1b[Hsecond", ["first", "second"]),
        ("日本\r\x1b[CX\n".encode(), [" X本"]),
        ("e\u0301 x\n".encode(), ["e\u0301 x"]),
        (b"no newline yet", ["no newline yet"]),
        (b"", []),
    ],
)
def test_lines_are_as_a_terminal_would_have_left_them(written: bytes, left: list[str]) -> None:
    assert shown(written) == left
    assert shown(*(written[i : i + 1] for i in range(len(written)))) == left


def test_colours_are_kept_across_lines_and_chunks_and_drawn() -> None:
    transcript = Transcript()
    transcript.feed(b"\x1b[1;31mred\nstill\x1b[0m plain \x1b[38;2;1;2")
    transcript.feed(b";3;48;5;196mexact\x1b[39;49m end\n")
    first, second = transcript.lines()
    (red,) = first
    assert (ink_of(red[1]).fg, ink_of(red[1]).bold) == (1, True)
    assert [text for text, _ in second] == ["still", " plain ", "exact", " end"]
    assert second[0][1] == red[1]
    assert (ink_of(second[2][1]).fg, ink_of(second[2][1]).bg) == ("#010203", "#ff0000")
    assert DARK.ansi[1] in str(Styles(DARK).normal[red[1]])
    assert str(Styles(DARK._replace(mono=True)).normal[red[1]]) == "bold"


def test_whatever_is_written_little_is_kept() -> None:
    transcript = Transcript()
    for i in range(KEPT_LINES + 500):
        transcript.feed(b"%d\n" % i)
    assert plain(transcript.lines()[-1]) == str(KEPT_LINES + 499)
    assert len(transcript.lines()) <= KEPT_LINES
    transcript.feed(b"x" * 100_000 + b"\n" + b"\x1b[999999999C\x1b[99A" * 50)
    for _ in range(200):
        transcript.feed(b"y" * 4000 + b"\n")
    assert sum(map(width_of, transcript.lines())) <= KEPT + 50 * 4100


_WORDS = st.sampled_from(
    ["abc", "é-", "\r", "\n", "\b", "\x1b[K", "\x1b[1A", "\x1b[31m", "\x1b[0m", "\x1b[3D", " "]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_WORDS, max_size=25))
def test_an_emulator_agrees(words: list[str]) -> None:
    text = "".join(words)
    screen = pyte.Screen(200, 60)
    pyte.ByteStream(screen).feed(text.replace("\n", "\r\n").encode())
    wanted = [re.sub(" +$", "", line) for line in screen.display]
    got = shown(text.encode())
    assert [line.rstrip() for line in got] == wanted[: len(got)]
    assert not any(wanted[len(got) :])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nothing_that_acts_gets_through(chunks: list[bytes]) -> None:
    for line in shown(*chunks):
        assert line.isprintable() or all(c.isprintable() or cells(c) == 0 for c in line)
        assert "\x1b" not in line
