"""The keys of htop and of top: what each one does here, or why it does nothing.

The two tables are those of htop's main screen (Action.c, MainPanel.c) and of top's manual. A
name on the right is the id of a binding in `memtui.tui.keys`, or of one that says why not.
"""

from __future__ import annotations

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from memtui.model.snapshot import Proc
from memtui.tui.keys import ABSENT, MAIN, OWN
from tests.support.made import proc
from tests.tui.test_app import lines, selected, show, some

HTOP = {
    "f1": "help", "h": "help", "question_mark": "help",
    "f2": "columns", "C": "columns", "S": "columns",
    "f3": "find.search", "slash": "find.search", "f15": "find.before",
    "f4": "find.filter", "backslash": "find.filter",
    "f5": "tree", "t": "tree",
    "f6": "sort.menu", "<": "sort.menu", ">": "sort.menu", "comma": "sort.menu",
    "full_stop": "sort.menu", "f18": "tree.turn",
    "f9": "kill", "k": "kill", "f10": "quit", "q": "quit",
    "up": "move.up", "alt+k": "move.up", "ctrl+p": "move.up",
    "down": "move.down", "alt+j": "move.down", "ctrl+n": "move.down",
    "left": "move.left", "alt+h": "move.left", "ctrl+b": "move.left",
    "right": "move.right", "alt+l": "move.right", "ctrl+f": "move.right",
    "pageup": "move.page_up", "pagedown": "move.page_down", "home": "move.first",
    "end": "move.last", "ctrl+a": "move.begin", "circumflex_accent": "move.begin",
    "ctrl+e": "move.end", "dollar_sign": "move.end",
    "shift+up": "move.roll_up", "alt+up": "move.roll_up",
    "shift+down": "move.roll_down", "alt+down": "move.roll_down",
    "space": "tag", "c": "tag.family", "U": "untag",
    "plus": "tree.open", "equals_sign": "tree.open", "minus": "tree.close",
    "asterisk": "tree.all", "backspace": "tree.parent",
    "P": "sort.cpu", "M": "sort.memory", "T": "sort.time", "N": "sort.pid", "I": "sort.invert",
    "F": "follow", "u": "find.user", "H": "show.threads", "K": "show.kernel", "p": "show.paths",
    "w": "show.command", "Z": "pause", "tab": "scope.next", "shift+tab": "scope.before",
    "ctrl+l": "redraw", "escape": "back", **{str(n): "find.pid" for n in range(10)},
    # another meaning here, which help says
    "m": "pools",  # htop: merged command line; here the program's name stands out in it
    "i": "limits",  # htop: I/O priority
    "O": "find.filter",  # htop: containers; top: filter
    "x": "explain",  # htop: file locks
}  # fmt: skip
"""htop's keys."""

TOP = {
    "enter": "open", "space": "tag", "question_mark": "help", "h": "help", "q": "quit",
    "equals_sign": "tree.open", "plus": "tree.open", "0": "find.pid",
    "B": "totals", "d": "delay", "E": "show.units", "m": "pools", "t": "tree", "H": "show.threads",
    "I": "sort.invert", "R": "sort.invert", "k": "kill", "r": "run", "ctrl+l": "redraw",
    "ctrl+o": "narrowing", "c": "tag.family", "f": "columns", "F": "follow", "L": "find.search",
    "ampersand": "find.next", "o": "oom", "O": "find.filter", "u": "find.user", "U": "untag",
    "V": "tree", "v": "tree.close", "C": "columns", "<": "sort.menu", ">": "sort.menu",
    "M": "sort.memory", "N": "sort.pid", "P": "sort.cpu", "T": "sort.time", "S": "columns",
    "g": "charts", "j": "job", "Z": "pause", "1": "find.pid", "2": "find.pid", "3": "find.pid",
    "4": "find.pid", "5": "find.pid", "minus": "tree.close", "w": "show.command", "i": "limits",
    "ctrl+e": "move.end",
    "J": "jobs",  # top: justification, which follows the screen here
}  # fmt: skip
"""top's keys, where htop's meaning does not go first."""

NOT_HERE = {
    "f7", "right_square_bracket", "f8", "left_square_bracket",  # nice
    "right_curly_bracket", "left_curly_bracket", "f19", "f20",  # autogroup
    "a", "Y", "b", "e", "l", "s", "number_sign",
    "A", "G", "underscore", "y", "z", "X", "n", "W", "exclamation_mark",
    "ctrl+g", "ctrl+k", "ctrl+u", "ctrl+r",
}  # fmt: skip
"""Keys of either that do nothing here and say so, unless they have got a meaning since."""

BOUND = {
    key: binding
    for binding in MAIN
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}
LEAVING = ("quit",)


def pressed(first_only: bool) -> list[str]:
    """The keys of help that mean something, or one of each meaning; but those that end memtui."""
    found = []
    for binding in OWN:
        if isinstance(binding, Binding) and binding.id not in LEAVING:
            keys = binding.key.split(",")
            found += keys[:1] if first_only else keys
    return found


@pytest.mark.parametrize(("key", "wanted"), HTOP.items())
def test_a_key_of_htop(key: str, wanted: str) -> None:
    assert BOUND[key].id == wanted


@pytest.mark.parametrize(("key", "wanted"), TOP.items())
def test_a_key_of_top(key: str, wanted: str) -> None:
    assert BOUND[key].id == wanted


@pytest.mark.parametrize("key", sorted(NOT_HERE))
def test_a_key_that_is_not_here_has_a_meaning_or_says_why(key: str) -> None:
    binding = BOUND[key]
    if (binding.id or "").startswith("absent."):
        assert any(why == binding.description for _, why in ABSENT)


def test_no_key_is_bound_twice() -> None:
    keys = [k for b in MAIN if isinstance(b, Binding) for k in b.key.split(",")]
    assert len(keys) == len(set(keys))


def family() -> list[Proc]:
    """A tree: 1 has 2 and 3, 3 has 4."""
    parents = {1: 0, 2: 1, 3: 1, 4: 3}
    return [proc(n, mib=9 - n, ppid=above, user="ann") for n, above in parents.items()]


def test_a_key_without_a_meaning_says_why_until_the_next_key() -> None:
    async def body(pilot: Pilot[int]) -> None:
        for keys, why in ABSENT:
            for key in keys.split(","):
                await pilot.press("home", key)
                assert why[:60] in lines(pilot)[-1], key
                await pilot.press("down")
                assert selected(pilot).pid == 2
                assert "F10 Quit" in lines(pilot)[-1]

    show(body, some(3))


@pytest.mark.parametrize(
    ("procs", "before", "first_only"),
    [(family(), (), False), (family(), ("f5",), True), (family(), ("tab", "tab"), True),
     ([], (), True)],
    ids=["list", "tree", "sums", "nobody"],
)  # fmt: skip
def test_every_key_of_help_can_be_pressed(
    procs: list[Proc], before: tuple[str, ...], first_only: bool
) -> None:
    async def body(pilot: Pilot[int]) -> None:
        for key in pressed(first_only):
            await pilot.press(*before, key)
            while len(pilot.app.screen_stack) > 1:
                await pilot.press("escape")
            await pilot.press("escape")
            assert "memtui" in lines(pilot)[0], key
        await pilot.press("f1")
        assert any("invert the order" in line for line in lines(pilot))

    show(body, procs)


def test_help_has_as_many_keys_as_are_bound() -> None:
    assert len(OWN) + len(ABSENT) == len(MAIN)
