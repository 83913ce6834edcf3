"""What of the main screen opens and shows the details of a process."""

from __future__ import annotations

from memtui.render.frame import SIDE_FROM, side_width
from memtui.tui.detailing import Detailing, DetailReady
from memtui.tui.finding import Finding


class Detailed(Finding):
    """The column of details, and the ways to the page."""

    detailing: Detailing

    def arrange_details(self) -> None:
        """Give the column the width that there is for it."""
        self.detailing.arrange(side_width(self.app.size.width, self.table.shown))

    def action_details(self, view: str) -> None:
        """Show a view of the process under the cursor."""
        if not self.no_process():
            self.detailing.open(view)

    def action_toggle_details(self) -> None:
        """Show or hide the column of details."""
        if self.app.size.width < SIDE_FROM:
            self.say(f"there is room for it from {SIDE_FROM} columns on: Enter shows details")
            return
        shown = self.table.shown
        self.show_as(shown._replace(details=not shown.details))
        self.arrange_details()
        self.detailing.pointed()

    def on_scrolling_pointed(self) -> None:
        """Show the details of who is under the cursor now."""
        self.detailing.pointed()

    def on_detail_ready(self, message: DetailReady) -> None:
        """Show what was read of a process."""
        self.detailing.take(message.told)
