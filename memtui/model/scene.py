"""How things stood in the second before a kill: what a post-mortem shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memtui.model.snapshot import Identity, Proc, Quota


class Scene:
    """The last complete sample before a kill. Compared by identity, never changed."""

    __slots__ = ("badness", "count", "points", "procs", "quota", "time")

    def __init__(
        self,
        time: float,
        procs: Sequence[Proc],
        count: int,
        quota: Quota,
        points: Sequence[tuple[float, int | None]] = (),
        badness: Mapping[Identity, int] | None = None,
    ) -> None:
        self.time = time  # seconds since the epoch
        self.procs = tuple(procs)  # the biggest, biggest first
        self.count = count  # processes in all
        self.quota = quota
        self.points = tuple(points)  # (seconds since the epoch, usage in bytes), two minutes
        self.badness = dict(badness or {})  # bytes, as `model.badness` reckons; not of all
