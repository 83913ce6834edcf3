"""A list in which a click only chooses: Enter is what acts."""

from __future__ import annotations

from textual import events
from textual.widgets import OptionList


class Choices(OptionList):
    """An OptionList whose options are highlighted by a click and selected by Enter alone."""

    def on_click(self, event: events.Click) -> None:
        """Highlight the option clicked, and nothing more."""
        event.prevent_default()
        clicked = event.style.meta.get("option")
        if isinstance(clicked, int):
            self.highlighted = clicked
