"""Searching the smallest limit under which a command succeeds: which to try next.

It goes down from what the command took without a limit, and halves what is between the largest
limit that failed and the smallest that did. Sizes are bytes.
"""

from __future__ import annotations

from memtui.model.limits import MIN_LIMIT

TOLERANCE = 0.02  # of the limit: finer than a program's own differences from run to run
_STEP = 64 << 10
_LEAST_GAP = 256 << 10
_UPS = (1.05, 1.1, 1.25, 1.5)  # where even the peak was too little: a little more, then much


def _whole(n: float) -> int:
    return max(MIN_LIMIT, -(-int(n) // _STEP) * _STEP)


class Search:
    """What is known so far: it succeeds at `high` and fails at `low`."""

    def __init__(self, upper: int, peak: int | None) -> None:
        """`upper` was enough; `peak` is the most that it took of that, where it is known."""
        self._successes = [upper]
        self.low = 0
        self._raised = 0  # times
        self._hint = None if peak is None else _whole(peak)

    @property
    def high(self) -> int:
        """The smallest limit that has been enough, each time it was tried."""
        return self._successes[-1]

    def next(self) -> int | None:
        """Return the limit to try next; None where `low` and `high` are near enough."""
        if self._hint is not None:
            hint, self._hint = self._hint, None
            if hint < self.high:
                return hint
        if self.high <= MIN_LIMIT or self._gap <= max(_LEAST_GAP, TOLERANCE * self.high):
            return None
        if len(self._successes) == 1 and self.low:
            up = _UPS[min(self._raised, len(_UPS) - 1)]
            self._raised += 1
            return min(_whole(self.low * up), _whole(self._middle))
        return min(_whole(self._middle), self.high - 1)

    def take(self, limit: int, enough: bool) -> None:
        """Learn how it went. What once was enough and is not at another time is too little."""
        if enough:
            self._successes.append(limit)
        else:
            self.low = max(self.low, limit)
            self._successes = [n for n in self._successes if n > limit] or self._successes[:1]

    @property
    def _gap(self) -> int:
        return self.high - max(self.low, MIN_LIMIT)

    @property
    def _middle(self) -> float:
        return (max(self.low, MIN_LIMIT) + self.high) / 2
