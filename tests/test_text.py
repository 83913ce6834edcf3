"""Foreign text: harmless, and counted in cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtui.text import cells, clip, clip_left, decode, elide, elide_left, fit, safe, show

anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
wide = st.text(st.sampled_from("ab 中한é\u0301…\U0001f600x"), max_size=30)
widths = st.integers(0, 40)


@given(anything)
def test_safe_text_is_printable_and_stays_as_it_is(text: str) -> None:
    made = safe(text)
    assert made.isprintable()
    assert safe(made) == made
    made.encode()


@given(st.binary(max_size=60))
def test_bytes_are_shown_harmless_and_decoded_lossless(raw: bytes) -> None:
    assert show(raw).isprintable()
    assert decode(raw).encode("utf-8", "surrogateescape") == raw


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31m", "␛[31m"),
        ("a\nb\tc\0", "a␊b␉c␀"),
        ("\x7f\x9b", "␡�"),
        ("[/b]", "[/b]"),
        ("中文 é", "中文 é"),
        ("x\u202ey\u200b\u2066", "x�y��"),
        ("\udcff", "�"),
        ("☃\ufe0f", "☃"),
        ("\ue000\U000e0041", "��"),
    ],
)
def test_what_a_terminal_could_act_upon_is_made_visible(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("中文", 4), ("e\u0301", 1), ("か\u302a", 2), ("…", 1)]
)
def test_width_in_cells(text: str, width: int) -> None:
    assert cells(text) == width


@given(wide, widths)
def test_what_is_clipped_fits_and_is_the_longest(text: str, width: int) -> None:
    head, tail = clip(text, width), clip_left(text, width)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert max(cells(head), cells(tail)) <= width
    rest = text[len(head) :]
    assert not rest or cells(head + rest[0]) > width


@given(wide, widths)
def test_what_is_elided_fits_and_says_so(text: str, width: int) -> None:
    for made in (elide(text, width), elide_left(text, width)):
        assert cells(made) <= width
        assert made == text or "…" in made or not width


@given(wide, widths, st.booleans())
def test_what_is_fitted_is_exactly_as_wide(text: str, width: int, right: bool) -> None:
    assert cells(fit(text, width, right)) == width
