"""What happened: messages from other threads to the app."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message
from textual.message_pump import MessagePump

from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent


class SnapshotReady(Message):
    """A new sample stands. One that nobody has looked at yet gives way to the next."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message | MessagePump) -> bool:
        """Say that an older snapshot in the queue may be dropped."""
        return isinstance(message, SnapshotReady)


class OomSeen(Message):
    """OOM kills were counted, or one told before is known better now."""

    def __init__(self, events: Sequence[OomEvent]) -> None:
        super().__init__()
        self.events = events
