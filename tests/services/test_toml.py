"""The little TOML that memtui reads and edits itself, held against a real parser."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memtui.services import toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

keys = st.sampled_from(["columns", "sort", "theme", "delay", "a-b", "x"])
texts = st.text(max_size=12)
values = (
    st.booleans()
    | st.integers(0, 10**12)
    | st.floats(0, 1e6, allow_nan=False)
    | texts
    | st.lists(texts, max_size=4)
)
WRITTEN = """\
# mine, and dear to me
columns = [
    "pid",  # first
    "rss",
]
theme = 'memtui-light'
strange.dotted = 1

[alerts]
bell = true

[[other]]
text = \"\"\"
columns = "not me"
[alerts]
\"\"\"
"""


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, values, max_size=6))
def test_what_is_written_is_read_by_any_parser(told: dict[str, Any]) -> None:
    text = toml.edit("", told)
    assert tomllib.loads(text) == told
    assert toml.loads(text) == told


words = st.sampled_from(
    ["a = 1", "a = 1.50", "b = 01", 'c = "x"', 'c = "\\u0041"', "d = [1, 2]", 'd = ["x", "y"]',
     "[t]", "[t.u]", "[[t]]", "# c", "e = true # c", "", "  f = 2", "g=3", "h = 1e3", "h = 'x'",
     "i = -1", "j = 1_000", "k = []", "k = [ ]", "l = inf", "m = .5", "m = 5.", "n = 0x1f",
     'o = "\t"', "p = 1979-05-27", "q = {}", "é = 1", "r = ١", "=", "s = ", "[t", "u", "\x00",
     'v = "a", "b"', 'w = ["a", "b"]', 'w = ["a"b", "c"]', "[]", "x\r"],
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(words, max_size=5))
def test_plain_lines_are_read_as_a_real_parser_reads_them(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(toml.Broken):
            toml.loads(text)
        return
    assert toml.loads(text) == wanted


def test_our_own_lines_need_no_parser_of_others() -> None:
    text = toml.edit("", {"columns": ["pid", "rss"], "delay": 0.5, "alerts.bell": True})
    assert toml._read_plain(text) == tomllib.loads(text)


def test_an_edit_changes_one_value_and_not_a_byte_beside_it() -> None:
    made = toml.edit(WRITTEN, {"columns": ["pss", "command"]})
    head, tail = WRITTEN.index("columns"), WRITTEN.index("theme")
    assert made == WRITTEN[:head] + 'columns = ["pss", "command"]\n' + WRITTEN[tail:]


def test_new_keys_stand_with_their_table() -> None:
    made = toml.edit(WRITTEN, {"delay": 2.0, "alerts.command": 'say "hi"', "sort": "pss"})
    told = tomllib.loads(made)
    assert (told["delay"], told["sort"]) == (2.0, "pss")
    assert told["alerts"] == {"bell": True, "command": 'say "hi"'}
    assert told["other"] == tomllib.loads(WRITTEN)["other"]
    assert all(line in made.split("\n") for line in WRITTEN.split("\n"))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, values, max_size=4), st.dictionaries(keys, values, max_size=4))
def test_edits_add_up(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert tomllib.loads(toml.edit(toml.edit("", first), second)) == {**first, **second}


@pytest.mark.parametrize("text", ["a = ", "[t", "a = 1\na = 2", "\x00", "a = [1,\n", "=" * 100])
def test_what_is_no_toml_is_never_edited(text: str) -> None:
    with pytest.raises(toml.Broken):
        toml.edit(text, {"sort": "pss"})


@pytest.mark.parametrize("text", ["alerts = { bell = true }", "alerts.bell = true", "alerts = 1"])
def test_what_cannot_be_told_apart_is_left_to_its_owner(text: str) -> None:
    with pytest.raises(toml.Broken):
        toml.edit(text, {"alerts.bell": False})
