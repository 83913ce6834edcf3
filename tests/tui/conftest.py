"""One memtui for the tests of a module that only look and move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.terminal import Terminal
from tests.tui.reading import as_at_first, start


class Shared:
    """A terminal that is started when first asked for, and anew when a test left it changed."""

    def __init__(self, *args: str) -> None:
        self._args = args
        self._term: Terminal | None = None

    def ready(self, *keys: str) -> Terminal:
        """The terminal at the main screen, after `keys` were pressed there."""
        if self._term is not None and not self._usable(self._term):
            self.close()
        if self._term is None:
            self._term = start(*self._args)
        self._term.send(*keys)
        return self._term

    @staticmethod
    def _usable(term: Terminal) -> bool:
        try:
            term.wait_for(as_at_first, 1.0)
        except AssertionError:
            return False
        return term.process.poll() is None

    def close(self) -> None:
        if self._term is not None:
            self._term.close()
        self._term = None


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    """What the tests of one module share."""
    made = Shared()
    yield made
    made.close()


@pytest.fixture
def term(shared: Shared) -> Terminal:
    """memtui at 120x36, sorted by PID, the cursor on the first process."""
    return shared.ready("N", "Home")
