"""What the main screen does to processes: signals and their outcome, commands under a limit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.timer import Timer

from memtui.model.query import sort
from memtui.model.snapshot import Proc
from memtui.render.jobs import job_panel, state_lines
from memtui.render.spans import Line
from memtui.services.actions import Target, Watch
from memtui.services.jobs import Jobs
from memtui.text import elide
from memtui.tui.screens.confirm import ConfirmScreen
from memtui.tui.screens.kill import KillDialog, Signal
from memtui.tui.screens.run import RunDialog, RunRequest
from memtui.units import size

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_LOOK_S = 0.2  # how often a signalled process is looked at
_GIVE_UP_S = 60.0


class Acting:
    """The main screen's hands. Nothing here reads the kernel: services do."""

    def __init__(self, screen: MainScreen, jobs: Jobs) -> None:
        self._screen = screen
        self._watches: list[tuple[Watch, float]] = []
        self._offered: set[int] = set()
        self._ended: set[int] = set()
        self._timer: Timer | None = None
        self._jobs = jobs
        self._told: set[int] = set()  # commands whose end was told
        self._show_job = True

    # -- signals

    def targets(self) -> list[Proc]:
        """Return the tagged processes, or the one under the cursor."""
        table = self._screen.table
        if table.tagged:
            return sort((p for p in table.rows if p.identity in table.tagged), table.order)
        return [table.current] if table.current is not None else []

    def kill(self) -> None:
        """Open the signal dialog on targets that are frozen from now on."""
        procs = self.targets()
        if not procs:
            self._screen.say("no process to send a signal to", "warn")
            return
        targets = [Target.open(p) for p in procs]
        self._screen.app.push_screen(KillDialog(targets), self._send)

    def _send(self, signal: Signal | None) -> None:
        if signal is None:
            return
        app = self._screen.memtui
        refused = []
        for target in signal.targets:
            outcome = app.actions.send(target, signal.number, signal.confirmed)
            if outcome.sent:
                watch = app.actions.watch(target, signal.number, self._screen.state.usage)
                self._watches.append((watch, time.monotonic()))
            else:
                target.close()
                refused.append(outcome.text)
            self._screen.say(outcome.text, "accent" if outcome.sent else "crit")
        if len(refused) > 1:
            self._screen.say(f"{len(refused)} not sent: {refused[0]}", "crit")
        self._screen.table.tagged.clear()
        self._screen.table.draw()
        if self._watches and self._timer is None:
            self._timer = self._screen.set_interval(_LOOK_S, self._look)

    def _look(self) -> None:
        """Sample anew as soon as a signalled process has died, so that what came back is told."""
        for watch, _ in self._watches:
            if watch.target.ended() and watch.target.pid not in self._ended:
                self._ended.add(watch.target.pid)
                self._screen.memtui.sampler.refresh()
        self.check()

    def check(self) -> None:
        """Tell what became of signals that were sent; called after each snapshot too."""
        left = []
        for watch, since in self._watches:
            verdict = watch.check(self._screen.state.usage)
            fresh = self._screen.state.snapshot.mono > since
            waiting = not verdict.final or not fresh
            if not waiting or time.monotonic() - since > _GIVE_UP_S:
                self._screen.say(verdict.text, "accent" if verdict.final else "warn")
                self._forget(watch)
                continue
            if verdict.state == "alive" and not verdict.offer_kill:
                self._screen.say(verdict.text, "accent")
                self._forget(watch)
                continue
            left.append((watch, since))
            if verdict.offer_kill and watch.target.pid not in self._offered:
                self._offer_kill(watch, verdict.text)
        self._watches = left
        if not left and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _forget(self, watch: Watch) -> None:
        self._ended.discard(watch.target.pid)
        self._offered.discard(watch.target.pid)
        watch.target.close()

    def _offer_kill(self, watch: Watch, text: str) -> None:
        self._offered.add(watch.target.pid)

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            app = self._screen.memtui
            outcome = app.actions.send(watch.target, 9, confirmed=True)
            self._screen.say(outcome.text, "accent" if outcome.sent else "crit")
            again = app.actions.watch(watch.target, 9, self._screen.state.usage)
            self._watches = [(w, t) for w, t in self._watches if w is not watch]
            self._watches.append((again, time.monotonic()))

        question = f"{text}. Send SIGKILL? It ends at once, without saving anything."
        self._screen.app.push_screen(ConfirmScreen("Still alive", question, "kill it"), answered)

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
        except (OSError, RuntimeError, ValueError) as e:
            self._screen.say(f"not started: {e}", "crit")
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
        state = state_lines(view.usage, view.limit, view.peak, view.result, width - 3)
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
        for watch, _ in self._watches:
            watch.target.close()
