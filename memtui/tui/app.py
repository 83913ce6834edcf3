"""Wiring: sampler to messages to state to screens; themes, signals, and a quick quit."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType

from memtui.model.filter import ALL, Filter
from memtui.model.listing import Narrowing
from memtui.model.query import Order
from memtui.model.snapshot import Snapshot
from memtui.model.victims import OomEvent
from memtui.services.actions import Actions
from memtui.services.cgroups import Cgroups
from memtui.services.explain import Watching
from memtui.services.jobs import Jobs
from memtui.services.sampler import Sampler
from memtui.services.settings import Settings, changed, save
from memtui.services.sweep import Sweep
from memtui.services.threads import Threads
from memtui.services.toml import Value
from memtui.text import safe
from memtui.tui.alarms import Alarms
from memtui.tui.messages import OomSeen, SnapshotReady
from memtui.tui.screens.main import MainScreen
from memtui.tui.state import State
from memtui.tui.terminal import SeamlessDriver, leave_at_once
from memtui.tui.theme import THEMES


class MemtuiApp(App[int]):
    """memtui's TUI. It knows snapshots only; the sampler reads the kernel on its own thread."""

    CSS_PATH = "memtui.tcss"
    TITLE = "memtui"
    COMMAND_PALETTE_BINDING = "f12"  # ctrl+p moves up in htop
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "quit", show=False, priority=True, id="quit.ctrl_c"),
        Binding("ctrl+z", "suspend_process", "suspend; fg goes on", show=False, id="suspend"),
    ]

    def __init__(
        self,
        sampler: Sampler,
        first: Snapshot,
        order: Order | None = None,
        theme: str = "",
        readonly: bool = False,
        painted: bool = False,
        kept: Settings | None = None,
        file: str = "",
        wanted: Filter | None = None,
    ) -> None:
        """`painted` says that a first frame stands on the alternate screen already.

        `kept` are the settings that were read from `file`; without a file nothing is saved.
        `wanted` is the filter that holds at the beginning.
        """
        driver = SeamlessDriver if painted else None
        # without colour: else Textual would take greys in place of colours
        super().__init__(driver_class=driver, ansi_color=bool(os.environ.get("NO_COLOR")) or None)
        for own in THEMES:
            self.register_theme(own)
        name = theme or os.environ.get("TEXTUAL_THEME", "")
        self.theme = name if name in self.available_themes else "memtui-dark"
        why = "looking at another machine's files" if sampler.roots.root else None
        self.actions = Actions(readonly, why) if why else Actions(readonly)
        self.actions.killed = sampler.expected
        self._mode: list[Any] | None = None
        self._asked = False  # whether to quit although commands run
        self.sampler = sampler
        self.state = State(first, os.geteuid() if sampler.roots.live else None)
        jobs = Jobs()
        sampler.also(jobs.poll)
        if not self.actions.readonly:
            sampler.also(Sweep().look)
        self.threads, self.cgroups = Threads(sampler.roots), Cgroups(sampler.roots)
        self.watching = Watching(sampler.roots)
        sampler.also(self._look_aside)
        self.kept = kept or Settings()
        self._alarms = Alarms(self, self.kept.alerts)
        self._file = file
        self._main = MainScreen(
            self.state, order or self.kept.order, jobs, self.kept.shown, Narrowing(wanted or ALL)
        )

    def get_default_screen(self) -> MainScreen:
        """Return the main screen."""
        return self._main

    def show(self, mode: list[Any]) -> int:
        """Run until the user quits; return the exit status.

        `mode` is the terminal's (termios.tcgetattr) before memtui began, to be given back.
        """
        self._mode = mode
        try:
            status = self.run()
        finally:
            self._main.close()  # whatever ended us: no command is left behind
        return status or self.return_code or 0

    # -- life

    def on_mount(self) -> None:
        """Begin to listen; give the terminal back on SIGTERM and SIGHUP."""
        self.sampler.listen(self._heard)
        if self.sampler.latest is not None:
            self.post_message(SnapshotReady(self.sampler.latest))
        threading.excepthook = self._thread_died
        self._here = loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
                loop.add_signal_handler(number, self._ended_by, number)
        told = [*self.kept.told, *filter(None, [self._alarms.problem])]
        told += self._main.running.recall() if self.sampler.roots.live else []
        if told:
            self._main.say("; ".join(told), "warn")
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep({"theme": theme.name}))
        self.call_after_refresh(self._settled)

    def _thread_died(self, args: threading.ExceptHookArgs) -> None:
        """End with the reason: a screen that silently stands still would lie."""
        name = args.thread.name if args.thread else "a thread"
        text = f"memtui: {name} failed: {safe(repr(args.exc_value))}"
        end = partial(self.exit, 1, return_code=1, message=Text(text))
        self._here.call_soon_threadsafe(end)  # waiting for an answer could be for ever

    def _settled(self) -> None:
        gc.enable()
        gc.freeze()

    def _heard(self, snapshot: Snapshot, events: Sequence[OomEvent]) -> None:
        """Pass on what the sampler found; called in its thread."""
        if events:
            self.post_message(OomSeen(events))
        self.post_message(SnapshotReady(snapshot))

    def _look_aside(self) -> None:
        """Read what is read only while it is shown; called in the sampler's thread."""
        if self.sampler.latest is not None:
            self.threads.look(self.sampler.latest.procs)
            self.watching.add(self.sampler.latest)
        self.cgroups.look()

    def on_oom_seen(self, message: OomSeen) -> None:
        """Remember kills; the snapshot that follows draws them."""
        self.state.saw(message.events)
        self._alarms.heard(message.events)

    def on_snapshot_ready(self, message: SnapshotReady) -> None:
        """Make the newest sample the one that is shown."""
        self.state.take(message.snapshot)
        self._alarms.check(message.snapshot)
        self._main.show_state()
        if self.screen is not self._main and hasattr(self.screen, "show_state"):
            self.screen.show_state()

    def tell(self, text: str, role: str) -> None:
        """Say a sentence on the main screen."""
        self._main.say(text, role)

    # -- what is kept

    def _keep(self, changes: dict[str, Value]) -> str:
        """Save settings; return "", or in words why that could not be done."""
        return save(self._file, changes) if self._file and changes else ""

    def keep_shown(self) -> str:
        """Save columns and order where they were changed; return "", or why not."""
        table = self._main.table
        why = self._keep(changed(table.shown, table.order, self.kept))
        if not why:
            self.kept = self.kept._replace(shown=table.shown, order=table.order)
        return why

    # -- the end

    async def action_quit(self) -> None:
        """End memtui; where commands still run, ask what is to become of them."""
        views = self._main.running.running
        if not views or self._asked:
            self.keep_shown()
            self._leave(0)
            return
        from memtui.tui.screens.quit import QuitDialog

        self._asked = True
        self.push_screen(QuitDialog(views), self._answered)

    def _answered(self, answer: str | None) -> None:
        self._asked = False
        if answer:
            self.keep_shown()
            self._leave(0, self._main.running.leave() if answer == "leave" else ())

    def _ended_by(self, number: int) -> None:
        self._leave(128 + number)

    def _leave(self, status: int, told: Sequence[str] = ()) -> None:
        """End; `told` is said when the terminal is given back."""
        self.sampler.stop()
        self._alarms.close()
        self._main.close()
        if self._mode is not None and not self.is_headless:
            leave_at_once(self, status, self._mode, told)
        self.exit(status, return_code=status)
