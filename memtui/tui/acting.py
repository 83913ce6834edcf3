"""What the main screen does to processes: signals and their outcome, commands under a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memtui.model.snapshot import Proc
from memtui.render.jobs import job_panel, state_lines
from memtui.render.spans import Line
from memtui.services.jobs import Jobs
from memtui.services.launch import NotStarted
from memtui.services.limits import Unavailable
from memtui.services.target import Target
from memtui.text import elide, safe
from memtui.tui.following import Following
from memtui.tui.screens.kill import KillDialog, Signal
from memtui.tui.screens.run import RunDialog, RunRequest
from memtui.units import size

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen


class Acting:
    """The main screen's hands. Nothing here reads the kernel: services do."""

    def __init__(self, screen: MainScreen, jobs: Jobs) -> None:
        self._screen = screen
        self._following = Following(screen)
        self._jobs = jobs
        self._told: set[int] = set()  # commands whose end was told
        self._show_job = True

    # -- signals

    def targets(self) -> list[Proc]:
        """Return the tagged processes, or the one under the cursor."""
        table = self._screen.table
        if table.tagged:
            return table.marked
        return [table.current] if table.current is not None else []

    def kill(self, procs: Sequence[Proc] = ()) -> None:
        """Open the signal dialog on targets, frozen from now on; on the tagged if on none."""
        procs = procs or self.targets()
        if not procs:
            self._screen.say("no process to send a signal to", "warn")
            return
        targets = [Target.open(p) for p in procs]
        self._screen.app.push_screen(KillDialog(targets), self._send)

    def _send(self, signal: Signal | None) -> None:
        if signal is None:
            return
        refused = []
        for target in signal.targets:
            outcome = self._screen.memtui.actions.send(target, signal.number, signal.confirmed)
            self._screen.say(outcome.text, "accent" if outcome.sent else "crit")
            if outcome.sent:
                self._following.add(target, signal.number)
            else:
                target.close()
                refused.append(outcome.text)
        if len(refused) > 1:
            self._screen.say(f"{len(refused)} not sent: {refused[0]}", "crit")
        self._screen.table.tagged.clear()
        self._screen.table.draw()

    def check(self) -> None:
        """Tell what became of signals that were sent; called after each snapshot."""
        self._following.check()

    # -- commands under a limit

    def run(self) -> None:
        """Ask for a command and a limit, and run it in the background."""
        if self._screen.memtui.actions.readonly:
            self._screen.say("memtui runs read-only: no command is started", "warn")
            return
        self._screen.app.push_screen(RunDialog(self._screen.state.limit), self._start)

    def _start(self, request: RunRequest | None) -> None:
        if request is None:
            return
        try:
            view = self._jobs.start(request.command, request.limit)
        except (Unavailable, NotStarted, OSError) as e:  # a KernelError is an OSError
            self._screen.say(safe(f"not started: {e}"), "crit")
            return
        self._show_job = True
        self._screen.say(view.method)
        self._screen.memtui.sampler.refresh()

    @property
    def running(self) -> int:
        """How many commands still run."""
        return sum(view.result is None for view in self._jobs.views)

    def job_pids(self) -> frozenset[int]:
        """Return the PIDs of everything that runs under a limit of ours; tell who has ended."""
        pids: frozenset[int] = frozenset()
        for view in self._jobs.views:
            pids |= view.pids
            if view.result is not None and view.id not in self._told:
                self._told.add(view.id)
                role = "warn" if view.result.notable else "accent"
                peak = f", peak {size(view.peak)}" if view.peak is not None else ""
                text = f"{elide(view.command, 24)}: {view.result.verdict.text}{peak}"
                self._screen.say(text, role)
        return pids

    def job_panel(self, width: int, height: int) -> list[Line] | None:
        """Return the panel of the newest command, or None where the graph is to be shown."""
        if not self._jobs.views or not self._show_job:
            return None
        view = self._jobs.views[-1]
        state = state_lines(
            view.usage, view.limit, view.peak, view.result, width - 3, view.per_process
        )
        return job_panel(view.command, state, view.output, width, height)

    def toggle_panel(self) -> None:
        """Change between the command's output and the graph."""
        if not self._jobs.views:
            self._screen.say("no command was started here: r starts one")
            return
        self._show_job = not self._show_job
        self._screen.show_state()

    def close(self) -> None:
        """End every command that runs, and remove its cgroup."""
        self._jobs.close()
        self._following.close()
