"""Commands under a limit: asked for, started, changed, ended, and told of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from signal import SIGKILL, SIGTERM
from threading import Thread
from typing import TYPE_CHECKING

from memtui.model.job import PAUSED, JobView, Request
from memtui.model.limits import Room, derive_room
from memtui.model.runlimit import as_option
from memtui.render.jobs import job_panel, suggestion
from memtui.render.spans import Line, plain
from memtui.render.transcript import KEPT_LINES
from memtui.services.history import History, Past
from memtui.services.jobs import Jobs
from memtui.services.launch import NotStarted
from memtui.services.left import recall
from memtui.services.limits import Unavailable
from memtui.services.signals import name_of
from memtui.text import elide, safe
from memtui.tui.screens.confirm import ConfirmScreen
from memtui.units import size, size_long

if TYPE_CHECKING:
    from memtui.tui.screens.main import MainScreen

_PATIENCE_S = 3.0  # after SIGTERM; then SIGKILL is offered
_READ_ONLY = "nothing is done to a command"


class Running:
    """What is done to commands, from whichever screen. Nothing here reads the kernel."""

    def __init__(self, screen: MainScreen, jobs: Jobs) -> None:
        self._screen = screen
        self.jobs = jobs
        self._history: History | None = None
        self.earlier: Sequence[str] = ()
        """What is to be told of commands that an earlier memtui left."""
        self._told: set[int] = set()  # commands whose end was told
        self._offered: set[int] = set()  # those of which SIGKILL was offered
        self._show = True  # the panel, in place of the graph

    def _say(self, text: str, role: str = "accent") -> None:
        self._screen.say(text, role)
        if (front := self._screen.app.screen) is not self._screen and hasattr(front, "say"):
            front.say(text, role)

    def _forbidden(self, nothing: str = _READ_ONLY) -> bool:
        refusal = self._screen.memtui.actions.forbidden(nothing)
        if refusal is not None:
            self._say(refusal.text, "warn")
        return refusal is not None

    def _room(self) -> Room:
        return derive_room(self._screen.state.snapshot.quota.binding)

    # -- starting

    def ask(self, again: JobView | None = None) -> None:
        """Ask for a command and a limit, and run it; `again`: what to begin with."""
        from memtui.tui.screens.run import RunDialog

        if self._forbidden("no command is started"):
            return
        if self._history is None:
            self._history = History()
            self._history.load()
        heading = "Run under a memory limit"
        if again is not None:
            heading = "Run again" if again.result else "End it, and run again"
        request = _again(again) if again else None
        dialog = RunDialog(self._room(), self._history, request, heading)
        self._screen.app.push_screen(dialog, partial(self._asked, again))

    def _asked(self, again: JobView | None, request: Request | None) -> None:
        if request is None or self._forbidden("no command is started"):
            return
        if again is None or again.result is not None:
            self._start(request)
            return

        def work() -> None:
            self.jobs.end(again.id)
            self._screen.call_later(self._start, request)

        self._say(f"ending {elide(again.command, 40)}, then it is started again")
        Thread(target=work, name="memtui-restart", daemon=True).start()

    def _start(self, request: Request) -> None:
        try:
            view = self.jobs.start(request)
        except (Unavailable, NotStarted, OSError) as e:  # a KernelError is an OSError
            self._say(safe(f"not started: {e}"), "crit")
            return
        if self._history is not None:
            typed = request.typed or size(request.limit)
            self._history.add(Past(request.command, typed, request.method))
        self._show = True
        self._say(view.method)
        self._screen.memtui.sampler.refresh()

    # -- one of them

    def stop(self, view: JobView) -> None:
        """Ask, then send SIGTERM; SIGKILL where that was sent before."""
        if view.result is not None:
            self._say("it has ended already")
            return
        number = SIGTERM if view.term_s is None else SIGKILL
        count = len(view.pids)
        whom = "its one process" if count == 1 else f"its {count} processes"
        question = f"{name_of(number)} to {whom}: {elide(view.command, 200)}"
        if number == SIGKILL:
            question += f"\n{name_of(SIGTERM)} was sent {view.term_s or 0:.0f} s ago."
        dialog = ConfirmScreen("Stop a command", question, "send it")
        self._screen.app.push_screen(dialog, partial(self._stop, view, number))

    def _stop(self, view: JobView, number: int, yes: bool | None) -> None:
        if yes and not self._forbidden("nothing was sent"):
            if number == SIGKILL:  # no stranger's doing
                procs = self._screen.state.snapshot.procs
                ours = {p.identity for p in procs if p.pid in view.pids}
                self._screen.memtui.actions.killed |= ours
            self.jobs.signal(view.id, number)
            self._say(f"{name_of(number)} sent to {elide(view.command, 60)}")
            self._screen.memtui.sampler.refresh()

    def pause(self, view: JobView) -> None:
        """Stop it for a while, or let it go on."""
        if view.result is not None:
            self._say("it has ended already")
        elif not self._forbidden():
            on = view.state != PAUSED
            self.jobs.pause(view.id, on)
            what = "paused: it keeps its memory, z lets it go on" if on else "goes on"
            self._say(f"{elide(view.command, 40)} {what}")
            self._screen.memtui.sampler.refresh()

    def limit(self, view: JobView) -> None:
        """Ask for another limit, and set it while it runs."""
        from memtui.tui.screens.limit import LimitDialog

        if view.result is not None:
            self._say("it has ended: R runs it again with another limit")
        elif not self._forbidden("its limit stays"):
            self._screen.app.push_screen(
                LimitDialog(view, self._room()), partial(self._weigh, view)
            )

    def _weigh(self, view: JobView, limit: int | None) -> None:
        """Ask once more where it uses more than that."""
        if limit is None:
            return
        warning = self.jobs.warning(view.id, limit)
        if not warning:
            self._set_limit(view, limit, True)
            return
        question = f"It uses {size(view.usage)}, more than {size_long(limit)}: {warning}."
        dialog = ConfirmScreen("Less than it uses", question, "set it")
        self._screen.app.push_screen(dialog, partial(self._set_limit, view, limit))

    def _set_limit(self, view: JobView, limit: int, yes: bool | None) -> None:
        if not yes or self._forbidden("its limit stays"):
            return

        def work() -> None:
            try:
                got = self.jobs.set_limit(view.id, limit)
                words, role = f"limit {size_long(got)}, read back: {view.command}", "accent"
            except (Unavailable, OSError) as e:  # a KernelError is an OSError
                words, role = safe(f"the limit stays {size(view.limit)}: {e}"), "crit"
            self._screen.call_later(self._say, words, role)
            self._screen.memtui.sampler.refresh()

        # the kernel may be long at taking back what is above it
        Thread(target=work, name="memtui-limit", daemon=True).start()

    def remove(self, view: JobView) -> None:
        """Take one that has ended from the list."""
        if not self.jobs.remove(view.id):
            self._say("it runs: k stops it", "warn")

    def text(self, view: JobView) -> str:
        """Return its output as plain text."""
        lines = self.jobs.output(view.id, KEPT_LINES)
        return "".join(plain(line).rstrip() + "\n" for line in lines)

    def save(self, view: JobView) -> None:
        """Keep its output in a file."""
        try:
            self._say(f"output kept in {safe(self.jobs.keep(view.id))}")
        except OSError as e:
            self._say(safe(f"output not kept: {e}"), "crit")

    # -- telling

    @property
    def running(self) -> list[JobView]:
        """Those that still run."""
        return [view for view in self.jobs.views if view.result is None]

    def look(self) -> frozenset[int]:
        """Return the PIDs of everything that runs under a limit of ours; tell who has ended."""
        pids: frozenset[int] = frozenset()
        for view in self.jobs.views:
            pids |= view.pids
            if view.result is not None and view.id not in self._told:
                self._told.add(view.id)
                self._tell_end(view)
            if (view.term_s or 0) > _PATIENCE_S and view.id not in self._offered:
                self._offered.add(view.id)
                what = f"{elide(view.command, 40)} still runs after SIGTERM"
                self._say(f"{what}: J, then k, sends SIGKILL", "warn")
        return pids

    def _tell_end(self, view: JobView) -> None:
        assert view.result is not None
        role = "warn" if view.result.notable else "accent"
        verdict = view.result.verdict
        peak = f", peak {size(view.peak)}" if view.peak is not None and not verdict.has_peak else ""
        more = suggestion(view.result, "J, ") if view.result.notable else ""
        words = f"{verdict.text}{peak}{'; ' if more else ''}{more}"
        self._say(f"{elide(view.command, 24)}: {words}", role)

    @property
    def shown(self) -> bool:
        """Whether the newest command has the panel, in place of the graph."""
        return bool(self.jobs.views) and self._show

    def panel(self, width: int, height: int) -> list[Line] | None:
        """Return the panel of the newest command, or None where the graph is to be shown."""
        if not self.shown:
            return None
        return job_panel(self.jobs.views[-1], width, height)

    def toggle_panel(self) -> None:
        """Change between the command's output and the graph."""
        if not self.jobs.views:
            self._say("no command was started here: r starts one")
            return
        self._show = not self._show
        self._screen.show_state()

    def recall(self) -> list[str]:
        """Return what is to be told of commands that an earlier memtui left running."""
        self.earlier = recall()
        return list(self.earlier[:1])

    def leave(self) -> list[str]:
        """Let what runs run on when memtui ends; return what to tell of it."""
        return [safe(told) for told in self.jobs.leave()]

    def close(self) -> None:
        """End every command that runs, and remove its cgroup."""
        self.jobs.close()
        if self._history is not None:
            self._history.close()


def _again(view: JobView) -> Request:
    """What was asked for, with the limit that it has now; the suggested one where it ended so."""
    advice = view.result.advice if view.result and view.result.notable else None
    if advice is not None and advice.limit is not None:
        return view.request._replace(limit=advice.limit, typed=as_option(advice.limit))
    if len(view.limits) > 1:
        return view.request._replace(limit=view.limit, typed=as_option(view.limit))
    return view.request
