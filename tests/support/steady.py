"""Two readers of one thing that moves: they must agree where it stood still between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def agree(ours: Callable[[], T], theirs: Callable[[], T], tries: int = 100) -> None:
    """Assert that both say the same, at a moment at which ours said the same before and after.

    PSS and USS of a quiet process move when others map or leave the same libraries.
    """
    for _ in range(tries):
        before, said, after = ours(), theirs(), ours()
        if before == after:
            assert before == said
            return
    raise AssertionError(f"never stood still: {before} then {after}")
