"""What of the main screen runs commands under a limit."""

from __future__ import annotations

from memtui.tui.bordering import Bordering
from memtui.tui.running import Running


class Jobbed(Bordering):
    """The ways to commands."""

    running: Running

    def action_run(self) -> None:
        """Open the dialog that runs a command under a limit."""
        self.running.ask()

    def action_toggle_job(self) -> None:
        """Show the graph in place of the command's output, or the reverse."""
        self.running.toggle_panel()

    def action_jobs(self) -> None:
        """List all commands that were started here."""
        from memtui.tui.screens.jobs import JobsScreen

        self.app.push_screen(JobsScreen(self.running))
